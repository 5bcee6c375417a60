// Request: the Fetch Standard's expectations.
import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';

const url = 'http://host.test/path?query#hash';
// Node 20 differs from the standard in places; those are not checked there.
const nodeQuirks = `${Request}`.includes('webidl');

test('request: interface', () => {
  assertEquals(Request.length, 1);
  assertEquals(Object.prototype.toString.call(new Request(url)), '[object Request]');
  assertThrows(() => Request(url), TypeError);
  assertThrows(() => new Request(), TypeError);
  for (const name of ['method', 'url', 'headers', 'signal', 'redirect', 'duplex', 'clone', 'destination']) {
    assert(Object.keys(Request.prototype).includes(name), name);
    const { get } = Object.getOwnPropertyDescriptor(Request.prototype, name);
    if (get) assertThrows(() => get.call({}), TypeError);
  }
});

test('request: defaults', () => {
  const request = new Request(url);
  assertEquals(request.method, 'GET');
  assertEquals(request.url, url);
  assertEquals([...request.headers], []);
  assertEquals(request.destination, '');
  assertEquals(request.referrer, 'about:client');
  assertEquals(request.referrerPolicy, '');
  assertEquals(request.mode, 'cors');
  assertEquals(request.credentials, 'same-origin');
  assertEquals(request.cache, 'default');
  assertEquals(request.redirect, 'follow');
  assertEquals(request.integrity, '');
  assertEquals(request.keepalive, false);
  assertEquals(request.duplex, 'half');
  assert(request.signal instanceof AbortSignal);
  assert(request.signal === request.signal);
  assert(request.headers === request.headers);
});

test('request: URLs', () => {
  assertEquals(new Request('HTTP://Host.Test:80/a b/../c').url, 'http://host.test/c');
  assertEquals(new Request(new URL('http://host.test/x')).url, 'http://host.test/x');
  assertEquals(new Request({ toString: () => 'http://host.test' }).url, 'http://host.test/');
  for (const bad of ['', '/relative', 'nonsense', 'http://', 'http://user@host.test/', 'http://user:pass@host.test/', 'http://:pass@host.test/']) {
    assertThrows(() => new Request(bad), TypeError);
  }
});

test('request: methods', () => {
  const method = (name) => new Request(url, { method: name }).method;
  for (const name of ['get', 'Head', 'pOsT', 'put', 'delete', 'options']) assertEquals(method(name), name.toUpperCase());
  if (!nodeQuirks) assertEquals(method('patch'), 'patch');
  assertEquals(method('PATCH'), 'PATCH');
  assertEquals(method('Custom-1'), 'Custom-1');
  for (const bad of ['', ' ', 'a b', 'GET\n', 'é', 'CONNECT', 'trace', 'Track']) assertThrows(() => method(bad), TypeError);
});

test('request: init members and their values', () => {
  const request = new Request(url, {
    cache: 'no-store', credentials: 'include', integrity: 'sha256-x', keepalive: 1, mode: 'same-origin', redirect: 'manual',
    referrerPolicy: 'origin', headers: { A: 'b' }, window: null,
  });
  assertEquals(
    [request.cache, request.credentials, request.integrity, request.keepalive, request.mode, request.redirect, request.referrerPolicy],
    ['no-store', 'include', 'sha256-x', true, 'same-origin', 'manual', 'origin'],
  );
  assertEquals([...request.headers], [['a', 'b']]);
  assertEquals(new Request(url, { referrer: '' }).referrer, '');
  for (const init of [
    { cache: 'x' }, { credentials: 'x' }, { mode: 'x' }, { mode: 'navigate' }, { redirect: 'x' }, { referrerPolicy: 'x' }, { duplex: 'full' },
    { signal: {} }, { window: 1 }, { headers: 'x' }, { cache: 'only-if-cached' }, { referrer: 'http://' }, 1, 'x',
  ]) {
    assertThrows(() => new Request(url, init), TypeError);
  }
  new Request(url, { cache: 'only-if-cached', mode: 'same-origin' });
  new Request(url, null);
});

test('request: bodies need a method that has one, streams need duplex', () => {
  assertThrows(() => new Request(url, { body: 'x' }), TypeError);
  assertThrows(() => new Request(url, { method: 'HEAD', body: '' }), TypeError);
  new Request(url, { body: null });
  const body = new ReadableStream();
  assertThrows(() => new Request(url, { method: 'POST', body }), TypeError);
  assert(new Request(url, { method: 'POST', body, duplex: 'half' }).body === body);
});

test('request: from a Request', async () => {
  const original = new Request(url, { method: 'PUT', body: 'body', headers: { a: '1' }, redirect: 'error' });
  const copy = new Request(original, { headers: { b: '2' } });
  assertEquals([copy.method, copy.url, copy.redirect], ['PUT', url, 'error']);
  assertEquals(copy.headers.get('a'), null);
  assertEquals(copy.headers.get('b'), '2');
  assertEquals(original.bodyUsed, true);
  assertEquals(await copy.text(), 'body');
  assertThrows(() => new Request(original), TypeError);
  const replaced = new Request(original, { body: 'new' });
  assertEquals(await replaced.text(), 'new');
  const first = new Request(url, { headers: { a: '1' } });
  const second = new Request(first);
  second.headers.set('a', '2');
  assertEquals(first.headers.get('a'), '1');
});

test('request: from a Request whose stream somebody holds', async () => {
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array([104, 105]));
      controller.close();
    },
  });
  const original = new Request(url, { method: 'POST', body: stream, duplex: 'half' });
  const copy = new Request(original);
  assertEquals(stream.locked, true);
  assertEquals(await copy.text(), 'hi');
});

test('request: signals follow', () => {
  const controller = new AbortController();
  const request = new Request(url, { signal: controller.signal });
  assert(request.signal !== controller.signal);
  const copy = request.clone();
  const derived = new Request(request);
  const detached = new Request(request, { signal: null });
  let events = 0;
  request.signal.addEventListener('abort', () => events++);
  controller.abort('why');
  assertEquals([request.signal.aborted, copy.signal.aborted, derived.signal.aborted, detached.signal.aborted], [true, true, true, false]);
  assertEquals(request.signal.reason, 'why');
  assertEquals(events, 1);
  assertEquals(new Request(url, { signal: AbortSignal.abort('x') }).signal.reason, 'x');
});

test('request: clone', async () => {
  const request = new Request(url, { method: 'POST', body: 'x', headers: { a: '1' } });
  const copy = request.clone();
  copy.headers.set('a', '2');
  assertEquals(request.headers.get('a'), '1');
  assertEquals([copy.method, copy.url], ['POST', url]);
  assertEquals([await request.text(), await copy.text()], ['x', 'x']);
  await assertRejects(async () => request.clone(), TypeError);
});

test('request: init is read in order', () => {
  const order = [];
  const init = new Proxy({}, { get: (_, name) => (order.push(String(name)), undefined) });
  new Request(url, init);
  const wanted = [
    'body', 'cache', 'credentials', 'duplex', 'headers', 'integrity', 'keepalive', 'method', 'mode', 'priority', 'redirect', 'referrer',
    'referrerPolicy', 'signal', 'window',
  ];
  if (!nodeQuirks) assertEquals(order, wanted);
});
