import { test, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import querystring, { parse, stringify, escape, unescape } from 'node:querystring';

test('parse', () => {
  const cases = {
    'a=1&b=2&a=3': { a: ['1', '3'], b: '2' },
    'a=b=c&&d': { a: 'b=c', d: '' },
    '': {},
    'x+y=%20+%e2%82%ac': { 'x y': '  €' },
    '=v': { '': 'v' },
    'bad=%zz%E4': { bad: '%zz\ufffd' },
  };
  for (const [text, expected] of Object.entries(cases)) assertEquals({ ...parse(text) }, expected, text);
  assertEquals({ ...parse('a:1;b:2', ';', ':') }, { a: '1', b: '2' });
  assertEquals(Object.keys(parse('a&b&c', null, null, { maxKeys: 2 })), ['a', 'b']);
  assertEquals(Object.keys(parse('k&'.repeat(2000))).length, 1);
  assertEquals(Object.getPrototypeOf(parse('__proto__=x')), null);
});

test('stringify and escape', () => {
  assertEquals(
    stringify({ a: 1, b: ['x', true, null], c: 5n, d: { e: 1 }, 'k é': '€😀' }),
    'a=1&b=x&b=true&b=&c=5&d=&k%20%C3%A9=%E2%82%AC%F0%9F%98%80',
  );
  assertEquals(stringify({ a: 1, b: 2 }, ';', ':'), 'a:1;b:2');
  assertEquals([escape("a b!'()*-._~"), unescape('%41%zz')], ["a%20b!'()*-._~", 'A%zz']);
  assertThrows(() => escape('\ud800'), 'ERR_INVALID_URI');
  assertEquals(querystring.encode === stringify && querystring.decode === parse, true);
});
