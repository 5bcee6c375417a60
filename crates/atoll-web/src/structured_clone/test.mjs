import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';

const exact = globalThis.navigator?.userAgent?.startsWith('Atoll') === true;

test('primitives', () => {
  for (const value of [undefined, null, true, false, 0, -0, NaN, Infinity, 1.5, 10n, '', 'text', '\ud800']) {
    assert(Object.is(structuredClone(value), value), String(value));
  }
  assertThrows(() => structuredClone(Symbol('x')), 'DataCloneError');
  assertThrows(() => structuredClone(), TypeError);
});

test('objects and arrays are copied with their own enumerable string keys', () => {
  class Point {
    x = 1;
    get y() {
      return 2;
    }
  }
  const source = { nested: { list: [1, [2]] }, [Symbol('s')]: 1, get computed() { return 'got'; } };
  Object.defineProperty(source, 'hidden', { value: 1, enumerable: false });
  const copy = structuredClone(source);
  assertEquals(copy, { nested: { list: [1, [2]] }, computed: 'got' });
  assert(copy.nested !== source.nested);
  const point = structuredClone(new Point());
  assertEquals([Object.getPrototypeOf(point) === Object.prototype, Reflect.ownKeys(point)], [true, ['x']]);
  assertEquals(structuredClone(Object.create(null)), {});
  const frozen = structuredClone(Object.freeze({ a: 1 }));
  frozen.a = 2;
  assertEquals(frozen.a, 2);
  assertEquals(Object.hasOwn(structuredClone({ ['__proto__']: 1 }), '__proto__'), true);
});

test('setters on prototypes are not run', () => {
  let leaked = false;
  Object.defineProperty(Object.prototype, 'trap', { configurable: true, set() { leaked = true; } });
  Object.defineProperty(Array.prototype, '7', { configurable: true, set() { leaked = true; } });
  let copy;
  try {
    const sparse = [];
    Object.defineProperty(sparse, '7', { value: 'own', enumerable: true, writable: true, configurable: true });
    copy = structuredClone([JSON.parse('{"trap":1,"toString":2}'), sparse]);
  } finally {
    delete Object.prototype.trap;
    delete Array.prototype[7];
  }
  assertEquals([leaked, Object.hasOwn(copy[0], 'trap'), copy[0].toString, copy[1][7]], [false, true, 2, 'own']);
});

test('sparse arrays and arrays with names', () => {
  const array = [1, , 3];
  array.extra = 'x';
  array.length = 6;
  const copy = structuredClone(array);
  assertEquals([copy.length, 1 in copy, copy[2], copy.extra, Array.isArray(copy)], [6, false, 3, 'x', true]);
});

test('cycles and identity', () => {
  const shared = { s: 1 };
  const source = { a: shared, b: shared, list: [shared] };
  source.self = source;
  const copy = structuredClone(source);
  assert(copy.self === copy && copy.a === copy.b && copy.list[0] === copy.a && copy.a !== shared);
  const map = new Map();
  map.set(map, map);
  const mapCopy = structuredClone(map);
  assert(mapCopy !== map && mapCopy.get(mapCopy) === mapCopy);
});

test('boxed values, dates, regular expressions', () => {
  for (const value of [new Number(-0), new String('x'), new Boolean(false), Object(5n)]) {
    const copy = structuredClone(value);
    assert(copy !== value && Object.is(copy.valueOf(), value.valueOf()));
    assert(Object.getPrototypeOf(copy) === Object.getPrototypeOf(value));
  }
  assertEquals(structuredClone(new Date(123)).getTime(), 123);
  assertEquals(structuredClone(new Date(NaN)).getTime(), NaN);
  const pattern = /a(b)\/\n/dgimsuy;
  pattern.lastIndex = 3;
  const copy = structuredClone(pattern);
  assertEquals([copy.source, copy.flags, copy.lastIndex], [pattern.source, pattern.flags, 0]);
  assertThrows(() => structuredClone(Object(Symbol('x'))), 'DataCloneError');
});

test('maps and sets', () => {
  const key = { k: 1 };
  const map = structuredClone(new Map([[key, new Set([key, 2])], ['b', 1]]));
  const [first] = map.keys();
  assertEquals([first, map.get(first).has(first), map.get('b')], [{ k: 1 }, true, 1]);
  class Custom extends Map {}
  assert(Object.getPrototypeOf(structuredClone(new Custom())) === Map.prototype);
});

test('a map that changes while it is read', () => {
  const map = new Map();
  map.set('a', { get x() { map.set('late', 1); return 1; } });
  assertEquals([...structuredClone(map).keys()], ['a']);
});

test('errors', () => {
  for (const Class of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) {
    const error = new Class('message');
    error.extra = 1;
    const copy = structuredClone(error);
    assert(copy !== error && Object.getPrototypeOf(copy) === Class.prototype, Class.name);
    assertEquals([copy.message, copy.stack, copy.extra], ['message', error.stack, undefined]);
    assertEquals(Object.getOwnPropertyDescriptor(copy, 'message').enumerable, false);
  }
  const named = new Error('m');
  named.name = 'TypeError';
  assert(structuredClone(named) instanceof TypeError);
  named.name = 'Other';
  assert(Object.getPrototypeOf(structuredClone(named)) === Error.prototype);
  assertEquals(Object.hasOwn(structuredClone(new Error()), 'message'), false);
  assertEquals(structuredClone(new Error('a', { cause: { c: 1 } })).cause, { c: 1 });
});

if (exact) {
  test('DOMException', () => {
    const copy = structuredClone(new DOMException('m', 'AbortError'));
    assertEquals([copy instanceof DOMException, copy.name, copy.message, copy.code], [true, 'AbortError', 'm', 20]);
  });

  test('platform objects without a clone', () => {
    for (const value of [new Event('x'), new EventTarget(), new AbortController().signal, new URL('http://x'), new URLSearchParams(), globalThis, new Headers(), new FormData(), new Request('http://x'), new Response(), new ReadableStream(), new WritableStream()]) {
      assertThrows(() => structuredClone(value), 'DataCloneError');
    }
  });

  test('blobs and files', async () => {
    const blob = structuredClone({ blob: new Blob(['text'], { type: 'text/plain' }) }).blob;
    assertEquals([blob instanceof Blob, blob.type, await blob.text()], [true, 'text/plain', 'text']);
    const file = structuredClone(new File(['x'], 'name.txt', { lastModified: 5 }));
    assertEquals([file instanceof File, file.name, file.lastModified, await file.text()], [true, 'name.txt', 5, 'x']);
  });

  test('keys keep their secret', async () => {
    const key = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    const copy = structuredClone(key);
    assert(copy !== key && copy instanceof CryptoKey && copy.extractable === false);
    const data = new Uint8Array(3);
    assertEquals(await crypto.subtle.sign('HMAC', copy, data), await crypto.subtle.sign('HMAC', key, data));
  });

  test('proxies and exotic objects', () => {
    for (const value of [new Proxy({}, {}), new WeakMap(), new WeakSet(), Promise.resolve(), (function* () {})(), new Map().keys()]) {
      assertThrows(() => structuredClone({ value }), 'DataCloneError');
    }
  });
}

test('functions', () => {
  for (const value of [() => {}, class {}, async function () {}]) {
    const error = assertThrows(() => structuredClone({ value }), 'DataCloneError');
    assertEquals([error.code, error instanceof DOMException], [25, true]);
  }
});

test('buffers and views keep what they share', () => {
  const buffer = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer;
  const source = { buffer, bytes: new Uint8Array(buffer, 2, 3), words: new Uint16Array(buffer, 4), view: new DataView(buffer, 1, 2) };
  const copy = structuredClone(source);
  assert(copy.buffer !== buffer && copy.bytes.buffer === copy.buffer && copy.view.buffer === copy.buffer);
  assertEquals([[...copy.bytes], copy.words.length, copy.words.byteOffset, copy.view.byteOffset, copy.view.byteLength], [[3, 4, 5], 2, 4, 1, 2]);
  copy.bytes[0] = 9;
  assertEquals(new Uint8Array(buffer)[2], 3);
  for (const Class of [Int8Array, Uint8ClampedArray, Int16Array, Int32Array, Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array]) {
    const array = new Class(2);
    assertEquals(structuredClone(array), array, Class.name);
  }
  const resizable = structuredClone(new ArrayBuffer(2, { maxByteLength: 8 }));
  assertEquals([resizable.resizable, resizable.byteLength, resizable.maxByteLength], [true, 2, 8]);
});

test('transfer', () => {
  const buffer = new Uint8Array([1, 2, 3]).buffer;
  const view = new Uint8Array(buffer);
  const copy = structuredClone({ view }, { transfer: [buffer] });
  assertEquals([[...copy.view], buffer.byteLength, view.length], [[1, 2, 3], 0, 0]);
  assertThrows(() => structuredClone(buffer), 'DataCloneError');
  if (exact) assertThrows(() => structuredClone(1, { transfer: [buffer] }), 'DataCloneError');
  const unused = new ArrayBuffer(4);
  assertEquals(structuredClone(5, { transfer: [unused] }), 5);
  assertEquals(unused.byteLength, 0);
});

test('what cannot be transferred', () => {
  const buffer = new ArrayBuffer(4);
  assertThrows(() => structuredClone({ f() {} }, { transfer: [buffer] }), 'DataCloneError');
  assertEquals(buffer.byteLength, 4);
  assertThrows(() => structuredClone(1, { transfer: [buffer, buffer] }), 'DataCloneError');
  assertThrows(() => structuredClone(1, { transfer: [{}] }), Error);
  assertThrows(() => structuredClone(1, { transfer: [1] }), TypeError);
  assertThrows(() => structuredClone(1, { transfer: 1 }), TypeError);
  assertEquals(buffer.byteLength, 4);
});

test('errors of getters pass through', () => {
  assertThrows(() => structuredClone({ get x() { throw new RangeError('mine'); } }), RangeError, 'mine');
});

test('a wide and a deep value', () => {
  const wide = Array.from({ length: 50000 }, (_, index) => ({ index }));
  assertEquals(structuredClone(wide)[49999], { index: 49999 });
  let deep = {};
  for (let index = 0; index < 500; index++) deep = { deep };
  let depth = 0;
  for (let copy = structuredClone(deep); copy.deep; copy = copy.deep) depth++;
  assertEquals(depth, 500);
});
