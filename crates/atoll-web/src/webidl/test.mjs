import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';

// The conversions have no global of their own: they are observed through the APIs that every runtime has.

test('USVString replaces lone surrogates', () => {
  assertEquals(new URLSearchParams([['\ud800', 'a\udc00b']]).toString(), '%EF%BF%BD=a%EF%BF%BDb');
});

test('symbols do not convert to strings', () => {
  assertThrows(() => new URLSearchParams().append(Symbol('x'), 'y'), TypeError);
  assertThrows(() => btoa(Symbol('x')), TypeError);
});

test('too few arguments are a TypeError', () => {
  assertThrows(() => new URLSearchParams().append('x'), TypeError);
  assertThrows(() => new EventTarget().addEventListener('x'), TypeError);
  assertThrows(() => atob(), TypeError);
});

test('methods check their receiver', () => {
  assertThrows(() => URLSearchParams.prototype.get.call({}, 'x'), TypeError);
  assertThrows(() => Reflect.get(URL.prototype, 'href', {}), TypeError);
  assertThrows(() => TextEncoder.prototype.encode.call({}), TypeError);
});

test('sequences come from any iterable', () => {
  const iterable = {
    get [Symbol.iterator]() {

      return function* () {
        yield ['a', 1];
        yield new Set(['b', 2]);
      };
    },
  };
  assertEquals(String(new URLSearchParams(iterable)), 'a=1&b=2');
  assertThrows(() => new URLSearchParams([['only one']]), TypeError);
  assertThrows(() => new URLSearchParams([1]), TypeError);
});

test('records take own enumerable properties in order', () => {
  const object = Object.create({ inherited: 1 }, { hidden: { value: 1, enumerable: false } });
  object.b = 1;
  object.a = 2;
  assertEquals(String(new URLSearchParams(object)), 'b=1&a=2');
  assertThrows(() => new URLSearchParams({ [Symbol('key')]: 1 }), TypeError);
});

test('interface members are enumerable, classes say their name', () => {
  for (const [Class, name] of [[URL, 'href'], [URLSearchParams, 'get'], [EventTarget, 'dispatchEvent'], [AbortSignal, 'aborted']]) {
    assert(Object.getOwnPropertyDescriptor(Class.prototype, name).enumerable, `${Class.name}.${name}`);
    assertEquals(Class.prototype[Symbol.toStringTag], Class.name);
  }
});
