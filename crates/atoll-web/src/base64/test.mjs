import { test, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';

test('btoa', () => {
  const cases = { '': '', a: 'YQ==', ab: 'YWI=', abc: 'YWJj', '\0\xff': 'AP8=', '\xfb\xff\xfe': '+//+' };
  for (const [text, encoded] of Object.entries(cases)) assertEquals(btoa(text), encoded);
  assertEquals([btoa(null), btoa(undefined), btoa(12), btoa([1, 2])], ['bnVsbA==', 'dW5kZWZpbmVk', 'MTI=', 'MSwy']);
});

test('btoa refuses what is not Latin-1', () => {
  for (const text of ['\u0100', 'a€', '\ud800', '😀']) {
    const error = assertThrows(() => btoa(text), 'InvalidCharacterError');
    assertEquals([error.code, error instanceof DOMException], [5, true]);
  }
});

test('atob is forgiving about white space and padding', () => {
  const cases = { '': '', 'YQ==': 'a', YQ: 'a', 'Y Q': 'a', ' YWI= ': 'ab', 'YW\nJj\t\f\r': 'abc', 'AP8=': '\0\xff', YR: 'a', 'Y Q = =': 'a' };
  for (const [encoded, text] of Object.entries(cases)) assertEquals(atob(encoded), text, encoded);
  assertEquals(atob(null), '\x9e\xe9e');
  assertEquals(atob(1234), '\xd7m\xf8');
});

test('atob refuses the rest', () => {
  for (const encoded of ['a', 'YQ=', 'YQ===', '=', '====', 'YWJj====', 'Y=Q=', 'YW-_', 'ä', '\ud800', 'YQ\u00a0', 'a\u000bbc', undefined, NaN, {}]) {
    if (String(encoded) === 'NaN') continue; // three digits: valid
    assertThrows(() => atob(encoded), 'InvalidCharacterError');
  }
});

test('there and back, all bytes, all lengths', () => {
  let text = '';
  for (let index = 0; index < 600; index++) {
    assertEquals(atob(btoa(text)), text);
    text += String.fromCharCode((index * 37) & 255);
  }
  const huge = 'x'.repeat(1 << 20);
  assertEquals(atob(btoa(huge)) === huge, true);
});
