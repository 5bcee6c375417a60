import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import path from 'node:path';
import { Buffer } from 'node:buffer';

test('the code is in the stack and in toString, not in the name', () => {
  const error = assertThrows(() => path.join(5), TypeError);
  assertEquals([error.name, error.code, error.constructor], ['TypeError', 'ERR_INVALID_ARG_TYPE', TypeError]);
  assert(error.stack.startsWith('TypeError [ERR_INVALID_ARG_TYPE]: The "path" argument'), error.stack);
  assertEquals(Object.keys(error), ['code']);
  assert(String(error).startsWith('TypeError [ERR_INVALID_ARG_TYPE]: '), String(error));
});

test('what was received', () => {
  class Zebra {}
  const received = (value) =>
    assertThrows(() => path.join(value), 'ERR_INVALID_ARG_TYPE').message.split('. Received ')[1];
  assertEquals(received(null), 'null');
  assertEquals(received(undefined), 'undefined');
  assertEquals(received(10n), 'type bigint (10n)');
  assertEquals(received(true), 'type boolean (true)');
  assertEquals(received(Symbol('s')), 'type symbol (Symbol(s))');
  assertEquals(
    received(function named() {}),
    'function named',
  );
  assertEquals(received(new Zebra()), 'an instance of Zebra');
  assertEquals(received([]), 'an instance of Array');
  assertEquals(received(Object.create(null)), '[Object: null prototype] {}');
});

test('several types', () => {
  const error = assertThrows(() => Buffer.from(5), 'ERR_INVALID_ARG_TYPE');
  assertEquals(
    error.message,
    'The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object. Received type number (5)',
  );
});

test('ranges', () => {
  const message = (body) => assertThrows(body, 'ERR_OUT_OF_RANGE').message;
  assertEquals(
    message(() => Buffer.alloc(8).writeInt8(200)),
    'The value of "value" is out of range. It must be >= -128 and <= 127. Received 200',
  );
  assertEquals(
    message(() => Buffer.alloc(8).writeIntBE(2 ** 50, 0, 6)),
    'The value of "value" is out of range. It must be >= -(2 ** 47) and < 2 ** 47. Received 1_125_899_906_842_624',
  );
  assertEquals(
    message(() => Buffer.alloc(8).writeBigInt64LE(2n ** 63n)),
    'The value of "value" is out of range. It must be >= -(2n ** 63n) and < 2n ** 63n. Received 9_223_372_036_854_775_808n',
  );
});
