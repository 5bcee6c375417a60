import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import url, {
  URL as URLClass,
  fileURLToPath,
  pathToFileURL,
  urlToHttpOptions,
  domainToASCII,
  domainToUnicode,
} from 'node:url';

test("the classes are the platform's", () => {
  assert(URLClass === globalThis.URL && url.URLSearchParams === globalThis.URLSearchParams);
});

test('file URLs', () => {
  assertEquals(fileURLToPath('file:///a%20b/%C3%A9.js'), '/a b/é.js');
  assertEquals(fileURLToPath(new URL('file:///x/../y')), '/y');
  assertEquals(pathToFileURL('/a b#?%\\é/').href, 'file:///a%20b%23%3F%25%5C%C3%A9/');
  assertEquals(pathToFileURL('x').href, `file://${process.cwd()}/x`);
  assertThrows(() => fileURLToPath('http://a'), 'ERR_INVALID_URL_SCHEME', 'The URL must be of scheme file');
  assertThrows(() => fileURLToPath('file://host/x'), 'ERR_INVALID_FILE_URL_HOST');
  assertThrows(
    () => fileURLToPath('file:///a%2Fb'),
    'ERR_INVALID_FILE_URL_PATH',
    'must not include encoded / characters',
  );
  assertThrows(
    () => fileURLToPath(5),
    'ERR_INVALID_ARG_TYPE',
    'The "path" argument must be of type string or an instance of URL. Received type number (5)',
  );
});

test('parse', () => {
  const parsed = url.parse('HTTP://User:pa%20ss@Example.COM:8080/p/a t?q=1&r#frag', true);
  assertEquals(
    { ...parsed, query: { ...parsed.query } },
    {
      protocol: 'http:',
      slashes: true,
      auth: 'User:pa ss',
      host: 'example.com:8080',
      port: '8080',
      hostname: 'example.com',
      hash: '#frag',
      search: '?q=1&r',
      query: { q: '1', r: '' },
      pathname: '/p/a%20t',
      path: '/p/a%20t?q=1&r',
      href: 'http://User:pa%20ss@example.com:8080/p/a%20t?q=1&r#frag',
    },
  );
  assertEquals(url.parse('/a/b?c').pathname, '/a/b');
  assertEquals(url.parse('//host/x', false, true).host, 'host');
  assertEquals(url.parse('mailto:a@b.c').href, 'mailto:a@b.c');
  assertEquals(url.parse('javascript:alert(1)').pathname, 'alert(1)');
  assertEquals(url.parse('http://[::1]:80/').hostname, '::1');
  assertThrows(() => url.parse(5), 'ERR_INVALID_ARG_TYPE');
});

test('format and resolve', () => {
  assertEquals(
    url.format({ protocol: 'http', hostname: 'h', port: 1, pathname: 'p', query: { a: [1, 2] }, hash: 'x' }),
    'http://h:1/p?a=1&a=2#x',
  );
  assertEquals(
    url.format(new URL('http://u:p@xn--fiq228c.com/a?b#c'), { auth: false, fragment: false, unicode: true }),
    'http://中文.com/a?b',
  );
  for (const [from, to, expected] of [
    ['/one/two/three', 'four', '/one/two/four'],
    ['http://example.com/', '/one', 'http://example.com/one'],
    ['http://example.com/one', '../../two', 'http://example.com/two'],
    ['http://a.com/b/cd/', '?x', 'http://a.com/b/cd/?x'],
    ['mailto:user@x', 'other@y', 'mailto:other@y'],
    ['http://a/b', '//c/d', 'http://c/d'],
    ['a/b', '../../../c', '../../c'],
  ]) {
    assertEquals(url.resolve(from, to), expected, `${from} ${to}`);
  }
});

test('domains and options', () => {
  assertEquals(
    [domainToASCII('español.com'), domainToUnicode('xn--espaol-zwa.com'), domainToASCII('xn--iñvalid.com')],
    ['xn--espaol-zwa.com', 'español.com', ''],
  );
  const options = urlToHttpOptions(new URL('https://a:b@[::1]:8/p?q#h'));
  assertEquals(
    [options.hostname, options.port, options.path, options.auth, options.protocol],
    ['::1', 8, '/p?q', 'a:b', 'https:'],
  );
});
