// Headers: the Fetch Standard's expectations.
import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';

test('headers: interface', () => {
  assertEquals(Headers.length, 0);
  assertEquals(Object.prototype.toString.call(new Headers()), '[object Headers]');
  assertEquals(Object.keys(Headers.prototype).sort(), [
    'append', 'delete', 'entries', 'forEach', 'get', 'getSetCookie', 'has', 'keys', 'set', 'values',
  ]);
  assert(Headers.prototype[Symbol.iterator] === Headers.prototype.entries);
  for (const [name, length] of [['append', 2], ['delete', 1], ['get', 1], ['has', 1], ['set', 2], ['forEach', 1], ['getSetCookie', 0]]) {
    assertEquals(Headers.prototype[name].length, length, name);
  }
  for (const name of ['append', 'get', 'entries', 'forEach', 'getSetCookie']) {
    assertThrows(() => Headers.prototype[name].call({}, 'a', 'b'), TypeError);
  }
  for (const name of ['append', 'set']) assertThrows(() => new Headers()[name]('one'), TypeError);
  for (const name of ['get', 'has', 'delete', 'forEach']) assertThrows(() => new Headers()[name](), TypeError);
});

test('headers: from nothing, records, sequences, Headers', () => {
  assertEquals([...new Headers()], []);
  assertEquals([...new Headers(undefined)], []);
  assertEquals([...new Headers({})], []);
  assertEquals([...new Headers({ B: '2', a: 1 })], [['a', '1'], ['b', '2']]);
  assertEquals([...new Headers([['x', 'y'], ['X', 'z']])], [['x', 'y, z']]);
  assertEquals([...new Headers(new Map([['k', 'v']]))], [['k', 'v']]);
  assertEquals([...new Headers(new Headers({ c: 'd' }))], [['c', 'd']]);
  assertEquals([...new Headers(Object.create({ inherited: '1' }))], []);
  for (const bad of [null, 1, 'text', true, Symbol('s')]) assertThrows(() => new Headers(bad), TypeError);
  for (const bad of [[['a']], [['a', 'b', 'c']], ['ab'], [1]]) assertThrows(() => new Headers(bad), TypeError);
  assertThrows(() => new Headers({ [Symbol('s')]: 'x' }), TypeError);
  assertThrows(() => new Headers({ [Symbol.iterator]: 1 }), TypeError);
});

test('headers: a replaced iterator is used', () => {
  const source = new Headers({ a: '1' });
  source[Symbol.iterator] = function* () {
    yield ['b', '2'];
  };
  assertEquals([...new Headers(source)], [['b', '2']]);
});

test('headers: a proxied record is read key by key', () => {
  const log = [];
  const record = new Proxy({ a: 'b', c: 'd' }, {
    ownKeys: (target) => (log.push('ownKeys'), Reflect.ownKeys(target)),
    getOwnPropertyDescriptor: (target, key) => (log.push(`describe ${key}`), Reflect.getOwnPropertyDescriptor(target, key)),
    get: (target, key) => (log.push(`get ${String(key)}`), target[key]),
  });
  new Headers(record);
  assertEquals(log, ['get Symbol(Symbol.iterator)', 'ownKeys', 'describe a', 'get a', 'describe c', 'get c']);
});

test('headers: names', () => {
  const headers = new Headers();
  headers.append('X-Mixed-Case', '1');
  assertEquals(headers.get('x-mixed-CASE'), '1');
  assertEquals([...headers.keys()], ['x-mixed-case']);
  for (const name of ['', ' ', 'a b', 'a:', 'é', 'a\n', '\u0100', '(x)', '"', '{}', 'a/b']) {
    assertThrows(() => headers.append(name, 'v'), TypeError);
    assertThrows(() => headers.get(name), TypeError);
    assertThrows(() => headers.has(name), TypeError);
    assertThrows(() => headers.set(name, 'v'), TypeError);
    assertThrows(() => headers.delete(name), TypeError);
  }
  headers.set("!#$%&'*+-.^_`|~09azAZ", 'ok');
  assert(headers.has("!#$%&'*+-.^_`|~09azaz"));
});

test('headers: values', () => {
  const headers = new Headers();
  headers.set('a', ' \t\r\n padded \n');
  assertEquals(headers.get('a'), 'padded');
  headers.set('a', '');
  assertEquals(headers.get('a'), '');
  headers.set('a', '\xe9\xff');
  assertEquals(headers.get('a'), '\xe9\xff');
  headers.set('a', 'in ner\ttab\x01');
  assertEquals(headers.get('a'), 'in ner\ttab\x01');
  const long = `${'x'.repeat(40)} y`;
  for (const value of ['a', 'a b', 'text/html; charset=utf-8', long, `${long}\xff`, 'ends in é'.replace('é', '\xe9'), '\x01', '~', 'a\tb']) {
    headers.set('a', value);
    assertEquals(headers.get('a'), value);
    headers.set('a', ` ${value}\t`);
    assertEquals(headers.get('a'), value);
  }
  for (const bad of ['\0', 'a\0', '\0a', `${long}\0`, `${long}\n${long}`, `\u0100${long}`, `${long}\u0100`]) {
    assertThrows(() => headers.set('a', bad), TypeError);
  }
  headers.set('a', undefined);
  assertEquals(headers.get('a'), 'undefined');
  headers.set('a', { toString: () => 'object' });
  assertEquals(headers.get('a'), 'object');
  for (const value of ['a\0b', 'a\nb', 'a\rb', '\u0100', 'x\ud800', '\u2603']) {
    assertThrows(() => headers.append('a', value), TypeError);
    assertThrows(() => headers.set('a', value), TypeError);
    assertThrows(() => new Headers({ a: value }), TypeError);
  }
  assertThrows(() => headers.set('a', Symbol('s')), TypeError);
});

test('headers: append combines, set replaces all, delete removes all', () => {
  const headers = new Headers([['a', '1'], ['b', 'x'], ['a', '2'], ['c', 'y'], ['a', '3']]);
  assertEquals(headers.get('A'), '1, 2, 3');
  headers.set('a', 'one');
  assertEquals([...headers], [['a', 'one'], ['b', 'x'], ['c', 'y']]);
  headers.append('b', '');
  assertEquals(headers.get('b'), 'x, ');
  assertEquals(headers.delete('b'), undefined);
  headers.delete('missing');
  assertEquals(headers.get('b'), null);
  assertEquals([...headers.keys()], ['a', 'c']);
});

test('headers: set-cookie stays apart', () => {
  const headers = new Headers([['set-cookie', 'a=1'], ['x', 'y'], ['Set-Cookie', 'b=2'], ['set-cookie', 'a=1']]);
  assertEquals(headers.getSetCookie(), ['a=1', 'b=2', 'a=1']);
  assertEquals(headers.get('set-cookie'), 'a=1, b=2, a=1');
  assertEquals([...headers], [['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['set-cookie', 'a=1'], ['x', 'y']]);
  assertEquals(new Headers(headers).getSetCookie().length, 3);
  headers.set('set-cookie', 'c=3');
  assertEquals(headers.getSetCookie(), ['c=3']);
  headers.delete('set-cookie');
  assertEquals(headers.getSetCookie(), []);
});

test('headers: iteration is sorted and live', () => {
  const headers = new Headers({ b: '2', a: '1', c: '3' });
  assertEquals([...headers.values()], ['1', '2', '3']);
  const seen = [];
  for (const [name] of headers) {
    seen.push(name);
    if (name === 'a') headers.delete('b');
    if (name === 'c') headers.append('d', '4');
  }
  assertEquals(seen, ['a', 'c', 'd']);
  const iterator = headers.entries();
  assertEquals(Object.prototype.toString.call(iterator), '[object Headers Iterator]');
  assertEquals(Object.getPrototypeOf(Object.getPrototypeOf(iterator)), Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())));
  assertThrows(() => iterator.next.call({}), TypeError);
  assert(iterator[Symbol.iterator]() === iterator);
});

test('headers: forEach', () => {
  const headers = new Headers({ b: '2', a: '1' });
  const calls = [];
  const receiver = {};
  headers.forEach(function (value, name, object) {
    assert(this === receiver);
    assert(object === headers);
    calls.push([name, value]);
  }, receiver);
  assertEquals(calls, [['a', '1'], ['b', '2']]);
  assertThrows(() => headers.forEach({}), TypeError);
});
