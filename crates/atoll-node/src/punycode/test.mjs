import { test, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import punycode from 'node:punycode';

test('labels', () => {
  for (const [text, encoded] of [
    ['bücher', 'bcher-kva'],
    ['mañana', 'maana-pta'],
    ['中文', 'fiq228c'],
    ['☃-⌘', '--dqo34k'],
    ['abc', 'abc-'],
    ['😀', 'e28h'],
  ]) {
    assertEquals([punycode.encode(text), punycode.decode(encoded)], [encoded, text], text);
  }
  assertThrows(() => punycode.decode('ü-x'), RangeError);
  assertThrows(() => punycode.decode('99999999'), RangeError);
});

test('domains', () => {
  assertEquals(punycode.toASCII('джон@bücher.com'), 'джон@xn--bcher-kva.com');
  assertEquals(punycode.toUnicode('xn--fiq228c.com'), '中文.com');
  assertEquals(punycode.ucs2.encode(punycode.ucs2.decode('a😀')), 'a😀');
});
