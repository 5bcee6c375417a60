import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';

test('name, message and code', () => {
  const error = new DOMException('gone', 'NotFoundError');
  assertEquals([error.name, error.message, error.code], ['NotFoundError', 'gone', 8]);
  assertEquals(String(error), 'NotFoundError: gone');
  const plain = new DOMException();
  assertEquals([plain.name, plain.message, plain.code], ['Error', '', 0]);
  assertEquals(new DOMException('x', 'NoSuchName').code, 0);
});

test('names that look like Object.prototype members have no code', () => {
  assertEquals(new DOMException('', 'constructor').code, 0);
  assertEquals(new DOMException('', '__proto__').code, 0);
});

test('legacy codes', () => {
  const codes = { IndexSizeError: 1, InvalidCharacterError: 5, NotSupportedError: 9, InvalidStateError: 11, SyntaxError: 12, AbortError: 20, TimeoutError: 23, DataCloneError: 25 };
  for (const [name, code] of Object.entries(codes)) assertEquals(new DOMException('', name).code, code, name);
  assertEquals(DOMException.ABORT_ERR, 20);
  assertEquals(DOMException.prototype.DATA_CLONE_ERR, 25);
  assertEquals(new DOMException().VALIDATION_ERR, 16);
  assertThrows(() => { 'use strict'; DOMException.ABORT_ERR = 1; }, TypeError);
});

test('is an error with a stack', () => {
  const error = new DOMException('gone', 'NotFoundError');
  assert(error instanceof Error);
  assert(error instanceof DOMException);
  assertEquals(Object.prototype.toString.call(error), '[object DOMException]');
  assertEquals(typeof error.stack, 'string');
  assert(error.stack.startsWith('NotFoundError: gone\n'), error.stack);
  assert(error.stack.includes('test.mjs'), error.stack);
  if (Error.isError) assert(Error.isError(error), 'Error.isError');
});

test('arguments convert, members are accessors', () => {
  assertEquals(new DOMException(12, undefined).message, '12');
  assertThrows(() => new DOMException(Symbol('x')), TypeError);
  assertThrows(() => DOMException('called'), TypeError);
  assertThrows(() => DOMException.prototype.name, TypeError);
  assertThrows(() => Reflect.get(DOMException.prototype, 'message', new Error('x')), TypeError);
  assertEquals(DOMException.length, 0);
  assertEquals(Object.getPrototypeOf(DOMException), Function.prototype);
  assertEquals(Object.getPrototypeOf(DOMException.prototype), Error.prototype);
});

test('subclasses', () => {
  class Mine extends DOMException {
    extra = 1;
  }
  const error = new Mine('m', 'DataError');
  assert(error instanceof Mine && error instanceof DOMException && error instanceof Error);
  assertEquals([error.extra, error.name, error.message], [1, 'DataError', 'm']);
});

test('cause by options', () => {
  const cause = new Error('first');
  const error = new DOMException('second', { name: 'OperationError', cause });
  assertEquals([error.name, error.message], ['OperationError', 'second']);
  assert(error.cause === cause);
});
