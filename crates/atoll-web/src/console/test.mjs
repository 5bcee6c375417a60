import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';

const exact = globalThis.navigator?.userAgent?.startsWith('Atoll') === true;
const methods = [
  'assert', 'clear', 'count', 'countReset', 'debug', 'dir', 'dirxml', 'error', 'group', 'groupCollapsed', 'groupEnd', 'info',
  'log', 'table', 'time', 'timeEnd', 'timeLog', 'trace', 'warn',
];

test('the namespace object', () => {
  assertEquals(Object.prototype.toString.call(console), '[object console]');
  for (const name of methods) {
    const descriptor = Object.getOwnPropertyDescriptor(console, name);
    assertEquals([typeof descriptor?.value, descriptor?.writable, descriptor?.enumerable, descriptor?.configurable], ['function', true, true, true], name);
  }
  const prototype = Object.getPrototypeOf(console);
  if (exact) {
    assertEquals(Reflect.ownKeys(prototype), []);
    assert(Object.getPrototypeOf(prototype) === Object.prototype);
  }
  assertThrows(() => new console.log(), TypeError);
});

test('methods need no receiver and return nothing', () => {
  const { debug, count, countReset, group, groupEnd, assert: check } = console;
  group();
  assertEquals([debug(), debug('a', 1, -0, 2n, true, null, undefined, Symbol('s'))], [undefined, undefined]);
  debug('%s is %d years and %i, %f, %j %% %o', 'x', 42.5, '42.5', '1.5', { a: 1 }, [1]);
  debug('100%', 'plain', 5);
  assertEquals([check(true), count('test'), countReset('test'), groupEnd()], [undefined, undefined, undefined, undefined]);
});

test('any value can be printed', () => {
  const circular = { name: 'circular' };
  circular.self = circular;
  const values = [
    circular, new Map([[{}, new Set([1])]]), new Error('shown'), class A {}, () => {}, new Date(NaN), /x/g, new Uint8Array(3), new Proxy({}, {}),
    Object.create(null), new WeakMap(), Promise.resolve(1), [, 1], new (class B extends Array {})(3), Object('boxed'), new URL('http://x/?a=1'),
    new URLSearchParams('a=1'), new Headers({ a: 'b' }), new AbortController(), new Event('x'), new DOMException('m', 'AbortError'), '\ud800',
  ];
  for (const value of values) console.debug(value);
  console.dir({ deep: { deep: { deep: { deep: 1 } } } }, { depth: 0 });
  console.table([{ a: 1, b: 'x' }, { a: 2, c: {} }]);
  console.table(new Map([['k', 'v']]));
  console.table(new Set([1, [2]]));
  console.table([[1, 2], [3]], ['0']);
  console.table(5);
});

test('labels convert to strings', () => {
  let converted = 0;
  const label = { toString: () => `label ${++converted}` };
  console.count(label);
  console.time(label);
  console.timeEnd('label 2');
  assertEquals(converted, 2);
  for (const method of ['count', 'countReset', 'time', 'timeLog', 'timeEnd']) {
    assertThrows(() => console[method]({ toString() { throw new RangeError('no label'); } }), RangeError);
  }
});

test('guests may replace methods', () => {
  const { log } = console;
  const seen = [];
  console.log = (...args) => seen.push(args);
  console.log('a', 1);
  console.log = log;
  assertEquals(seen, [['a', 1]]);
});
