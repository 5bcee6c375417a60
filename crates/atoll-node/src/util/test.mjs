import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';
import util, {
  inspect,
  format,
  promisify,
  callbackify,
  inherits,
  deprecate,
  isDeepStrictEqual,
  parseArgs,
  types,
} from 'node:util';
import typesModule from 'node:util/types';

const show = (value, options) => inspect(value, options);

test('inspect: primitives and strings', () => {
  assertEquals(
    [1, -0, 1n, true, null, undefined, Symbol('a b')].map((value) => show(value)),
    ['1', '-0', '1n', 'true', 'null', 'undefined', 'Symbol(a b)'],
  );
  assertEquals(show("it's"), '"it\'s"');
  assertEquals(show(`it's "x"`), '`it\'s "x"`');
  assertEquals(show('a\n\t\x00\x7f\\'), "'a\\n\\t\\x00\\x7F\\\\'");
  assertEquals(
    show({ text: 'line one, which is long\n'.repeat(4) }).split('\n')[1],
    "  text: 'line one, which is long\\n' +",
  );
});

test('inspect: objects, depth, circles', () => {
  assertEquals(
    show({ a: 1, 'b-c': { d: { e: { f: 1 } } }, [Symbol('s')]: 2 }),
    "{ a: 1, 'b-c': { d: { e: [Object] } }, [Symbol(s)]: 2 }",
  );
  assertEquals(
    show({ a: { b: { c: { d: 1 } } } }, { depth: null, compact: false, breakLength: 80 }),
    '{\n  a: {\n    b: {\n      c: {\n        d: 1\n      }\n    }\n  }\n}',
  );
  const circular = { name: 'c' };
  circular.self = circular;
  circular.list = [circular];
  assertEquals(show(circular), "<ref *1> { name: 'c', self: [Circular *1], list: [ [Circular *1] ] }");
  assertEquals(show(Object.create(null)), '[Object: null prototype] {}');
  assertEquals(
    show({
      get a() {
        return 1;
      },
      set a(v) {},
      get b() {
        return 2;
      },
      set c(v) {},
    }),
    '{ a: [Getter/Setter], b: [Getter], c: [Setter] }',
  );
  assertEquals(
    show(
      {
        get b() {
          return 2;
        },
      },
      { getters: true },
    ),
    '{ b: [Getter: 2] }',
  );
  assertEquals(show(Object.defineProperty({}, 'hidden', { value: 1 }), { showHidden: true }), '{ [hidden]: 1 }');
  assertEquals(show({ b: 1, a: 2 }, { sorted: true }), '{ a: 2, b: 1 }');
});

test('inspect: classes and functions', () => {
  class A {
    x = 1;
  }
  class B extends A {
    y = [1];
  }
  assertEquals(show(new B()), 'B { x: 1, y: [ 1 ] }');
  assertEquals(show(B), '[class B extends A]');
  assertEquals(show(class {}), '[class (anonymous)]');
  assertEquals(
    show({ f() {}, g: async () => {}, *h() {}, async *i() {} }),
    '{\n  f: [Function: f],\n  g: [AsyncFunction: g],\n  h: [GeneratorFunction: h],\n  i: [AsyncGeneratorFunction: i]\n}',
  );
  assertEquals(show(Object.assign(() => {}, { p: 1 })), '[Function (anonymous)] { p: 1 }');
  class Dictionary extends Map {}
  assertEquals(show(new Dictionary([[1, 2]])), 'Dictionary(1) [Map] { 1 => 2 }');
  assertEquals(show({ [Symbol.toStringTag]: 'T' }), "{ [Symbol(Symbol.toStringTag)]: 'T' }");
});

test('inspect: arrays in columns, holes, limits', () => {
  assertEquals(show([1, , 3, , ,]), '[ 1, <1 empty item>, 3, <2 empty items> ]');
  assertEquals(show(Object.assign(['a'], { key: 1 })), "[ 'a', key: 1 ]");
  assertEquals(
    show(Array.from({ length: 30 }, (_, index) => index)),
    '[\n   0,  1,  2,  3,  4,  5,  6,  7,  8,\n   9, 10, 11, 12, 13, 14, 15, 16, 17,\n  18, 19, 20, 21, 22, 23, 24, 25, 26,\n  27, 28, 29\n]',
  );
  assertEquals(show(Array.from({ length: 200 }, () => 0)).endsWith('... 100 more items\n]'), true);
  assertEquals(show([1, 2, 3], { maxArrayLength: 1 }), '[ 1, ... 2 more items ]');
  assertEquals(show(new Uint8Array([1, 2])), 'Uint8Array(2) [ 1, 2 ]');
});

test('inspect: collections, promises, proxies, buffers', () => {
  assertEquals(show(new Map([['a', { b: 1 }]])), "Map(1) { 'a' => { b: 1 } }");
  assertEquals(show(new Set([1, 'x'])), "Set(2) { 1, 'x' }");
  assertEquals(show(new Map([[1, 2]]).entries()), '[Map Entries] { [ 1, 2 ] }');
  assertEquals(show(new Set([5]).values()), '[Set Iterator] { 5 }');
  assertEquals(show(new WeakMap()), 'WeakMap { <items unknown> }');
  assertEquals(show([Promise.resolve(4), new Promise(() => {})]), '[ Promise { 4 }, Promise { <pending> } ]');
  assertEquals(show(new Proxy({ a: 1 }, {})), '{ a: 1 }');
  assertEquals(show(new Proxy({ a: 1 }, { has: null }), { showProxy: true }), 'Proxy [ { a: 1 }, { has: null } ]');
  assertEquals(show(new ArrayBuffer(2)), 'ArrayBuffer { [Uint8Contents]: <00 00>, byteLength: 2 }');
  assertEquals(show([new Date(0), /x/g, new Date(NaN)]), '[ 1970-01-01T00:00:00.000Z, /x/g, Invalid Date ]');
  assertEquals(show([new Number(3), new String('ab'), Object(1n)]), "[ [Number: 3], [String: 'ab'], [BigInt: 1n] ]");
  assertEquals(
    show(
      (function () {
        return arguments;
      })(1),
    ),
    "[Arguments] { '0': 1 }",
  );
});

test('inspect: errors', () => {
  const error = new TypeError('bad');
  error.stack = 'TypeError: bad\n    at here (file.js:1:1)';
  assertEquals(show(error), 'TypeError: bad\n    at here (file.js:1:1)');
  error.code = 'E';
  assertEquals(show({ error }), "{\n  error: TypeError: bad\n      at here (file.js:1:1) {\n    code: 'E'\n  }\n}");
  const bare = new Error('no stack');
  bare.stack = undefined;
  assertEquals(show(bare).includes('Error: no stack'), true);
  class Own extends Error {}
  assert(show(new Own('m')).startsWith('Own [Error]: m\n    at '), show(new Own('m')));
  assert(show(new Error('outer', { cause: 'why' })).endsWith("{\n  [cause]: 'why'\n}"));
});

test('inspect.custom, colours, styles', () => {
  const custom = {
    [inspect.custom](depth, options, given) {
      return `<${depth} ${options.depth} ${given === inspect}>`;
    },
  };
  assertEquals(show({ custom }), '{ custom: <1 2 true> }');
  assertEquals(show({ custom }, { customInspect: false }).includes('nodejs.util.inspect.custom'), true);
  assertEquals(show({ a: 1, b: 'x' }, { colors: true }), "{ a: \u001b[33m1\u001b[39m, b: \u001b[32m'x'\u001b[39m }");
  assertEquals(inspect.defaultOptions.depth, 2);
  assertEquals(util.stripVTControlCharacters('\u001b[33m1\u001b[39m'), '1');
});

test('format', () => {
  assertEquals(
    format('%s %d %i %f %j %o %O %% %c|', 'a', '4.5', '4.5', '4.5', { a: 1 }, [1], { b: 2 }, 'css'),
    'a 4.5 4 4.5 {"a":1} [ 1, [length]: 1 ] { b: 2 } % |',
  );
  assertEquals(format('%s', null, undefined, 5n, Symbol('q')), 'null undefined 5n Symbol(q)');
  assertEquals(format('%s %s', 'only'), 'only %s');
  assertEquals(format('a', 'b', { c: 1 }), 'a b { c: 1 }');
  assertEquals(format(1, 2, '3'), '1 2 3');
  assertEquals(
    format('%s', {
      toString() {
        return 'own';
      },
    }),
    'own',
  );
  assertEquals(format('%s', { a: { b: {} } }), '{ a: [Object] }');
  const circular = {};
  circular.c = circular;
  assertEquals(format('%j', circular), '[Circular]');
});

test('promisify and callbackify', async () => {
  const read = (name, done) => done(name === 'no' ? new Error('no such') : null, `${name}!`);
  assertEquals(await promisify(read)('a'), 'a!');
  await assertRejects(promisify(read)('no'), Error, 'no such');
  const custom = () => {};
  custom[promisify.custom] = () => 'special';
  assertEquals(promisify(custom)(), 'special');
  assertEquals(
    await new Promise((resolve) =>
      callbackify(async (value) => value + 1)(1, (error, result) => resolve([error, result])),
    ),
    [null, 2],
  );
  const error = await new Promise((resolve) => callbackify(() => Promise.reject(null))(resolve));
  assertEquals([error.code, error.reason], ['ERR_FALSY_VALUE_REJECTION', null]);
});

test('inherits and deprecate', () => {
  function Base() {}
  Base.prototype.hello = () => 'hello';
  function Derived() {}
  inherits(Derived, Base);
  assertEquals([new Derived().hello(), Derived.super_ === Base], ['hello', true]);
  assertThrows(() => inherits(Derived, null), 'ERR_INVALID_ARG_TYPE');
  const old = deprecate((a, b) => a + b, 'old() is old', 'DEP_TEST');
  assertEquals(old(1, 2), 3);
});

test('types', () => {
  assert(types === typesModule);
  assert(types.isPromise(Promise.resolve()) && !types.isPromise({ then() {} }));
  assert(types.isProxy(new Proxy({}, {})) && types.isMap(new Map()) && types.isDate(new Date()) && types.isRegExp(/x/));
  assert(types.isBoxedPrimitive(Object(1)) && types.isSymbolObject(Object(Symbol())) && !types.isBoxedPrimitive(1));
  assert(
    types.isAsyncFunction(async () => {}) &&
      types.isGeneratorFunction(async function* () {}) &&
      types.isAsyncFunction(async function* () {}),
  );
  assert(!types.isGeneratorFunction(async () => {}) && types.isGeneratorObject((function* () {})()));
  assert(
    types.isUint8Array(new Uint8Array()) &&
      !types.isUint8Array(new Int8Array()) &&
      types.isTypedArray(new BigInt64Array()) &&
      !types.isTypedArray(new DataView(new ArrayBuffer(1))),
  );
  assert(types.isAnyArrayBuffer(new ArrayBuffer(1)) && types.isArrayBufferView(new DataView(new ArrayBuffer(1))));
  assert(types.isNativeError(new RangeError()) && !types.isNativeError({ __proto__: Error.prototype }));
  assert(
    types.isMapIterator(new Map().keys()) && types.isSetIterator(new Set().values()) && types.isWeakSet(new WeakSet()),
  );
});

test('isDeepStrictEqual', () => {
  const equal = [
    [{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }],
    [NaN, NaN],
    [new Set([{ a: 1 }, 2]), new Set([2, { a: 1 }])],
    [new Map([[{ k: 1 }, 'v']]), new Map([[{ k: 1 }, 'v']])],
    [new Date(5), new Date(5)],
    [/a/g, /a/g],
    [new Uint8Array([1]), new Uint8Array([1])],
    [new Error('a'), new Error('a')],
    [Object(1n), Object(1n)],
  ];
  for (const [a, b] of equal) assert(isDeepStrictEqual(a, b), format('%o %o', a, b));
  const different = [
    [0, -0],
    [{ a: 1 }, { a: '1' }],
    [[1], { 0: 1, length: 1 }],
    [{ a: undefined }, {}],
    [new Set([1]), new Set(['1'])],
    [
      [, 1],
      [undefined, 1],
    ],
    [new Error('a'), new TypeError('a')],
    [{}, Object.create(null)],
    [/a/g, /a/i],
    [new Float32Array([0]), new Float32Array([-0])],
    [{ [Symbol.for('x')]: 1 }, {}],
  ];
  for (const [a, b] of different) assert(!isDeepStrictEqual(a, b), format('%o %o', a, b));
  const one = { n: 1 };
  one.self = one;
  const two = { n: 1 };
  two.self = two;
  assert(isDeepStrictEqual(one, two));
});

test('parseArgs', () => {
  const options = {
    file: { type: 'string', short: 'f' },
    verbose: { type: 'boolean', short: 'v' },
    tag: { type: 'string', multiple: true },
    level: { type: 'string', default: 'info' },
  };
  const { values, positionals } = parseArgs({
    args: ['-vf', 'x.txt', '--tag=a', '--tag', 'b', 'pos', '--', '-z'],
    options,
    allowPositionals: true,
  });
  assertEquals({ ...values }, { verbose: true, file: 'x.txt', tag: ['a', 'b'], level: 'info' });
  assertEquals(positionals, ['pos', '-z']);
  assertThrows(() => parseArgs({ args: ['--nope'], options }), 'ERR_PARSE_ARGS_UNKNOWN_OPTION');
  assertThrows(() => parseArgs({ args: ['x'], options }), 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL');
  assertThrows(
    () => parseArgs({ args: ['--file'], options }),
    'ERR_PARSE_ARGS_INVALID_OPTION_VALUE',
    "Option '-f, --file <value>' argument missing",
  );
});

test('system errors', () => {
  assertEquals(util.getSystemErrorName(-2), 'ENOENT');
  assertEquals(util.getSystemErrorMap().get(-13), ['EACCES', 'permission denied']);
});

test('guests who patch prototypes get their own objects only', () => {
  const { join } = Array.prototype;
  const seen = [];
  Array.prototype.join = function (...separator) {
    seen.push(this);
    return Reflect.apply(join, this, separator);
  };
  try {
    inspect({ a: [1, 2, { b: new Map([[1, 2]]) }] });
    format('%s %o', 'x', { y: 1 });
  } finally {
    Array.prototype.join = join;
    Object.defineProperty(Array.prototype, 'join', { enumerable: false });
  }
  assertEquals(seen.length, 0);
});
