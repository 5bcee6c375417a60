import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';

const exact = globalThis.navigator?.userAgent?.startsWith('Atoll') === true;

test('components', () => {
  const url = new URL('HTTPS://user:pa%20ss@EXAMPLE.com:8443/a/./b/../c?x=1&y=%20#frag');
  assertEquals(url.href, 'https://user:pa%20ss@example.com:8443/a/c?x=1&y=%20#frag');
  assertEquals(
    [url.protocol, url.username, url.password, url.host, url.hostname, url.port, url.pathname, url.search, url.hash, url.origin],
    ['https:', 'user', 'pa%20ss', 'example.com:8443', 'example.com', '8443', '/a/c', '?x=1&y=%20', '#frag', 'https://example.com:8443'],
  );
  assertEquals([String(url), url.toJSON(), JSON.stringify({ url })], [url.href, url.href, `{"url":"${url.href}"}`]);
});

test('components that are absent or empty', () => {
  const url = new URL('http://example.com?#');
  assertEquals([url.href, url.search, url.hash, url.port, url.username, url.password], ['http://example.com/?#', '', '', '', '', '']);
  const mail = new URL('mailto:a@example.com?subject=x');
  assertEquals([mail.host, mail.username, mail.pathname, mail.search, mail.origin], ['', '', 'a@example.com', '?subject=x', 'null']);
  const user = new URL('http://user@example.com/');
  assertEquals([user.username, user.password, user.host], ['user', '', 'example.com']);
  const password = new URL('http://:secret@example.com/');
  assertEquals([password.username, password.password, password.host], ['', 'secret', 'example.com']);
});

test('hosts', () => {
  const cases = {
    'http://0x7f.1/': '127.0.0.1',
    'http://017700000001/': '127.0.0.1',
    'http://[::1]:80/': '[::1]',
    'http://[2001:DB8:0:0:0:0:0:1]/': '[2001:db8::1]',
    'http://B\u00dccher.example/': 'xn--bcher-kva.example',
    'http://ex%41mple.com/': 'example.com',
    'http://\uff45xample.com/': 'example.com',
    'http://a\u00adb.example/': 'ab.example',
    'foo://EXAMPLE.com/': 'EXAMPLE.com',
    'http://example.com./': 'example.com.',
  };
  for (const [input, hostname] of Object.entries(cases)) assertEquals(new URL(input).hostname, hostname, input);
  for (const input of ['http://', 'http://a b/', 'http://[::1', 'http://1.2.3.256/', 'http://exa<mple/', 'http://a%00b/', 'http://host:65536/', 'http://:80/', '//x', '', 'x']) {
    assertEquals(URL.canParse(input), false, input);
  }
});

test('relative references', () => {
  const base = 'http://a/b/c/d;p?q';
  const cases = {
    'g': 'http://a/b/c/g', './g': 'http://a/b/c/g', 'g/': 'http://a/b/c/g/', '/g': 'http://a/g', '//g': 'http://g/',
    '?y': 'http://a/b/c/d;p?y', '#s': 'http://a/b/c/d;p?q#s', ';x': 'http://a/b/c/;x', '': 'http://a/b/c/d;p?q',
    '.': 'http://a/b/c/', '..': 'http://a/b/', '../..': 'http://a/', '../../../g': 'http://a/g', 'g;x=1/../y': 'http://a/b/c/y',
    'http:g': 'http://a/b/c/g', 'foo:bar': 'foo:bar', '\\\\h\\x': 'http://h/x', 'a\tb\nc': 'http://a/b/c/abc', '%2e%2E/x': 'http://a/b/x',
  };
  for (const [input, href] of Object.entries(cases)) assertEquals(new URL(input, base).href, href, input);
  assertEquals(new URL('x', new URL(base)).href, 'http://a/b/c/x');
  assertThrows(() => new URL('x', 'mailto:a'), TypeError);
  assertThrows(() => new URL('x', ''), TypeError);
});

test('schemes, opaque paths, files', () => {
  assertEquals(new URL('data:text/plain, hi there').pathname, 'text/plain, hi there');
  assertEquals(new URL('file:c:\\foo\\bar').href, 'file:///c:/foo/bar');
  assertEquals(new URL('file://localhost/x').host, '');
  assertEquals(new URL('http:example.com').href, 'http://example.com/');
  assertEquals(new URL('http:////example.com//x').href, 'http://example.com//x');
  const dotted = new URL('web+demo:/.//not-a-host/');
  assertEquals([dotted.href, dotted.pathname, dotted.host], ['web+demo:/.//not-a-host/', '//not-a-host/', '']);
  assertEquals(new URL('blob:https://example.com/id').origin, 'https://example.com');
  assertEquals(new URL('file:///x').origin, 'null');
  assertEquals(new URL('wss://x:443').host, 'x');
});

test('encoding of each component', () => {
  const url = new URL('http://x/\u00e4 "<>`{}|?\u00e4 "<>\'`#\u00e4 "<>`');
  assertEquals([url.search, url.hash], ['?%C3%A4%20%22%3C%3E%27`', '#%C3%A4%20%22%3C%3E%60']);
  assertEquals(url.pathname, '/%C3%A4%20%22%3C%3E%60%7B%7D|');
  assertEquals(new URL('foo:x?\'').search, "?'");
  assertEquals(new URL('http://x/\ud800').pathname, '/%EF%BF%BD');
  assertEquals(new URL('http://x/%zz%').pathname, '/%zz%');
});

test('an invalid URL says what it was given', () => {
  const error = assertThrows(() => new URL('nope', undefined), TypeError);
  assertEquals([error.code, error.input], ['ERR_INVALID_URL', 'nope']);
  assertThrows(() => new URL(), TypeError);
  assertThrows(() => URL('http://x'), TypeError);
  assertThrows(() => URL.canParse(), TypeError);
});

test('canParse and parse', () => {
  assertEquals([URL.canParse('x', 'http://a'), URL.canParse('x'), URL.canParse('x', undefined)], [true, false, false]);
  if (URL.parse !== undefined) {
    assertEquals(URL.parse('nope'), null);
    assertEquals(URL.parse('/y', 'http://a/x').href, 'http://a/y');
    assert(URL.parse('http://a') instanceof URL);
  }
});

test('setters', () => {
  const url = new URL('http://example.com/path?q#h');
  url.protocol = 'https';
  url.host = 'other.org:8080';
  url.username = 'me@';
  url.password = 'p:w';
  url.pathname = 'new path';
  url.search = 'a=b c';
  url.hash = 'there there';
  assertEquals(url.href, 'https://me%40:p%3Aw@other.org:8080/new%20path?a=b%20c#there%20there');
  url.port = '';
  url.hostname = 'third.net';
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  assertEquals(url.href, 'https://third.net/new%20path');
});

test('setters ignore what does not fit', () => {
  const url = new URL('https://example.com:99/');
  url.protocol = 'foo';
  url.port = 'x';
  url.host = 'a b';
  url.hostname = '';
  assertEquals(url.href, 'https://example.com:99/');
  url.port = '65536';
  assertEquals(url.port, '99');
  url.port = '443';
  assertEquals(url.port, '');
  url.port = '8080abc';
  assertEquals(url.port, '8080');
  const mail = new URL('mailto:x');
  mail.host = 'h';
  mail.pathname = 'p';
  mail.username = 'u';
  mail.port = '1';
  assertEquals(mail.href, 'mailto:x');
  assertThrows(() => { url.href = 'nope'; }, TypeError);
  assertEquals(url.port, '8080');
});

test('searchParams follow the URL, and the URL them', () => {
  const url = new URL('http://x/?a=1&a=2#h');
  const params = url.searchParams;
  assert(params === url.searchParams);
  params.append('b', 'ü &');
  assertEquals(url.href, 'http://x/?a=1&a=2&b=%C3%BC+%26#h');
  url.search = '?c=%2B';
  assertEquals([...params], [['c', '+']]);
  params.delete('c');
  assertEquals(url.href, 'http://x/#h');
  url.href = 'http://y/?z=1';
  assertEquals(params.get('z'), '1');
  params.sort();
  assertThrows(() => { url.searchParams = 'ignored'; }, TypeError);
  assertEquals(url.search, '?z=1');
});

test('URLSearchParams from strings', () => {
  const parse = (text) => [...new URLSearchParams(text)];
  assertEquals(parse('?a=1&b=2'), [['a', '1'], ['b', '2']]);
  assertEquals(parse('??a=1'), [['?a', '1']]);
  assertEquals(parse('&&a&=b&c==d&'), [['a', ''], ['', 'b'], ['c', '=d']]);
  assertEquals(parse('a+b=%20%2B+'), [['a b', ' + ']]);
  assertEquals(parse('a=%ff&b=%E4%BD%A0&c=%zz&d=%'), [['a', '\ufffd'], ['b', '你'], ['c', '%zz'], ['d', '%']]);
  assertEquals(parse('a=%EF%BB%BFx'), [['a', '\ufeffx']]);
  assertEquals(parse('a=%ed%a0%80'), [['a', '\ufffd\ufffd\ufffd']]);
  assertEquals(parse(''), []);
  assertEquals(parse(undefined), []);
  if (exact) assertEquals(parse(null), [['null', '']]);
});

test('URLSearchParams from iterables and records', () => {
  assertEquals(String(new URLSearchParams([['a', 1], ['b', 2]])), 'a=1&b=2');
  assertEquals(String(new URLSearchParams(new Map([['k', 'v']]))), 'k=v');
  assertEquals(String(new URLSearchParams({ a: 1, b: undefined })), 'a=1&b=undefined');
  assertEquals(String(new URLSearchParams(new URLSearchParams('x=y'))), 'x=y');
  const form = function () {};
  form.a = 'b';
  assertEquals(String(new URLSearchParams(form)), 'a=b');
  assertThrows(() => new URLSearchParams([['a']]), TypeError);
  assertThrows(() => new URLSearchParams([['a', 'b', 'c']]), TypeError);
  assertThrows(() => new URLSearchParams([1]), TypeError);
});

test('URLSearchParams methods', () => {
  const params = new URLSearchParams('a=1&b=2&a=3');
  assertEquals([params.get('a'), params.get('c'), params.getAll('a'), params.getAll('c')], ['1', null, ['1', '3'], []]);
  assertEquals([params.has('a'), params.has('c')], [true, false]);
  params.set('a', 'x');
  assertEquals(String(params), 'a=x&b=2');
  params.set('c', 'new');
  assertEquals(String(params), 'a=x&b=2&c=new');
  params.delete('b');
  assertEquals(String(params), 'a=x&c=new');
  assertEquals([params.has('a', 'x'), params.has('a', 'y'), params.size], [true, false, 2]);
  params.append('a', 'z');
  params.delete('a', 'x');
  assertEquals(String(params), 'c=new&a=z');
  assertEquals(params.append('q', 'r'), undefined);
});

test('serialization of form data', () => {
  const params = new URLSearchParams();
  params.append("*-._~!'() ", 'ü€😀\ud800%&=+');
  assertEquals(String(params), '*-._%7E%21%27%28%29+=%C3%BC%E2%82%AC%F0%9F%98%80%EF%BF%BD%25%26%3D%2B');
  assertEquals(String(new URLSearchParams([['%20', '~']])), '%2520=%7E');
});

test('sort is stable and by code units', () => {
  const params = new URLSearchParams('z=1&\ufffd=2&\u{1f30d}=3&a=4&z=0');
  params.sort();
  assertEquals([...params.keys()], ['a', 'z', 'z', '\u{1f30d}', '\ufffd']);
  assertEquals(params.getAll('z'), ['1', '0']);
});

test('iteration is live', () => {
  const params = new URLSearchParams('a=1&b=2&c=3');
  const seen = [];
  for (const [name, value] of params) {
    seen.push(name + value);
    if (name === 'a') params.delete('b');
  }
  assertEquals(seen, ['a1', 'c3']);
  const calls = [];
  const self = {};
  params.forEach(function (value, name, object) {
    calls.push([this === self, name, value, object === params]);
  }, self);
  assertEquals(calls, [[true, 'a', '1', true], [true, 'c', '3', true]]);
  const iterator = params.values();
  assertEquals(Object.prototype.toString.call(iterator), '[object URLSearchParams Iterator]');
  assertEquals([...iterator], ['1', '3']);
  assertEquals(iterator.next(), { value: undefined, done: true });
  assert(URLSearchParams.prototype[Symbol.iterator] === URLSearchParams.prototype.entries);
  assertThrows(() => params.forEach(1), TypeError);
});

test('huge inputs', () => {
  const text = 'x'.repeat(1 << 20);
  assertEquals(new URL(`http://h/${text}`).pathname.length, (1 << 20) + 1);
  assertEquals(new URL(`http://h/?${'ü'.repeat(1 << 16)}`).search.length, 1 + 6 * (1 << 16));
  const params = new URLSearchParams();
  for (let index = 0; index < 10000; index++) params.append('a', String(index));
  params.delete('a');
  assertEquals(params.size, 0);
});

test('patched prototypes do not change URLs', () => {
  const { slice, indexOf } = String.prototype;
  const { push } = Array.prototype;
  String.prototype.slice = String.prototype.indexOf = () => 'patched';
  Array.prototype.push = () => {};
  let seen;
  try {
    const url = new URL('http://host/path?a=1');
    seen = [url.hostname, url.pathname, url.searchParams.get('a')];
  } finally {
    Object.assign(String.prototype, { slice, indexOf });
    Array.prototype.push = push;
  }
  if (exact) assertEquals(seen, ['host', '/path', '1']);
});
