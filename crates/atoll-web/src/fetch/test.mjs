// fetch: against the origin of atoll-test (http_origin.rs), whose URL is in ATOLL_TEST_ORIGIN; what needs no server runs always.
import { test, assert, assertEquals, assertRejects } from '../../../atoll-test/src/harness.mjs';

const origin = globalThis.process?.env?.ATOLL_TEST_ORIGIN;
const online = origin ? test : () => {};
// Node 20 differs from the standard in places; those are not checked there.
const nodeQuirks = `${Request}`.includes('webidl');
const encode = (text) => new TextEncoder().encode(text);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const echo = async (init, path = '/echo') => {
  const response = await fetch(origin + path, init);
  const echoed = await response.json();
  return { ...echoed, headers: new Headers(echoed.headers), response };
};

test('fetch: interface and argument errors reject', async () => {
  assertEquals([fetch.name, fetch.length], ['fetch', 1]);
  await assertRejects(fetch(), TypeError);
  for (const bad of ['', '/relative', 'http://', 'http://user:pass@host.test/']) await assertRejects(fetch(bad), TypeError);
  await assertRejects(fetch('http://host.test/', { method: 'TRACE' }), TypeError);
  await assertRejects(fetch('http://host.test/', { body: 'x' }), TypeError);
  await assertRejects(fetch('http://host.test/', { signal: 1 }), TypeError);
});

test('fetch: other schemes are network errors', async () => {
  for (const url of ['ftp://host.test/', 'about:blank', 'file:///etc/passwd', 'blob:http://host.test/x', 'javascript:1']) {
    const error = await assertRejects(fetch(url), TypeError);
    assertEquals(error.message, 'fetch failed');
    assert(error.cause instanceof Error);
  }
});

test('fetch: data: URLs', async () => {
  const get = async (url) => {
    const response = await fetch(url);
    return [response.status, response.headers.get('content-type'), await response.text()];
  };
  assertEquals(await get('data:,plain%20text'), [200, 'text/plain;charset=US-ASCII', 'plain text']);
  assertEquals(await get('data:text/html;base64,PGI+aGk8L2I+'), [200, 'text/html', '<b>hi</b>']);
  assertEquals(await get('data:;charset=utf-8,%C3%A9'), [200, 'text/plain;charset=utf-8', 'é']);
  assertEquals(await get('data:text/plain; base64 ,aGk'), [200, 'text/plain', 'hi']);
  assertEquals(await get('data:nonsense,x#fragment'), [200, 'text/plain;charset=US-ASCII', 'x']);
  assertEquals(await get('data:a/b,%zz%2'), [200, 'a/b', '%zz%2']);
  for (const bad of ['data:no-comma', 'data:;base64,*']) assertEquals((await assertRejects(fetch(bad), TypeError)).message, 'fetch failed');
});

test('fetch: an aborted signal rejects with its reason before anything happens', async () => {
  const reason = new Error('mine');
  assert((await assertRejects(fetch('http://host.test/', { signal: AbortSignal.abort(reason) }), Error)) === reason);
  await assertRejects(fetch('http://host.test/', { signal: AbortSignal.abort() }), 'AbortError');
  const cancelled = [];
  const body = new ReadableStream({ cancel: (why) => { cancelled.push(why); } });
  await assertRejects(fetch('http://host.test/', { method: 'POST', body, duplex: 'half', signal: AbortSignal.abort(reason) }), Error);
  assert(cancelled[0] === reason);
});

test('fetch: an address that is not allowed or not there, with every kind of body', async () => {
  const url = 'http://127.0.0.1:1/path';
  const cancelled = [];
  const stream = new ReadableStream({ cancel: (why) => { cancelled.push(why); } });
  const bodies = [undefined, 'text', encode('bytes'), new Blob(['blob']), new URLSearchParams('a=b'), stream];
  for (const body of bodies) {
    const init = body === undefined ? { headers: { a: 'caf\xe9' } } : { method: 'POST', body, duplex: 'half' };
    const error = await assertRejects(fetch(url, init), TypeError);
    assertEquals(error.message, 'fetch failed');
    assert(error.cause instanceof Error);
    if (error.cause.code === 'ERR_ACCESS_DENIED') assert(error.cause.message.includes('--net allow=127.0.0.1:1'), error.cause.message);
  }
  await pause(10);
  if (!nodeQuirks) assertEquals(cancelled.length, 1);
});

online('fetch: a plain GET', async () => {
  const { method, path, query, body, headers, response } = await echo(undefined, '/echo?a=1#hash');
  assertEquals([method, path, query, body], ['GET', '/echo', 'a=1', '']);
  assertEquals([headers.get('accept'), headers.get('accept-language')], ['*/*', '*']);
  assert(headers.get('accept-encoding').includes('gzip'));
  assert(headers.get('user-agent').length > 0);
  assertEquals([response.status, response.statusText, response.ok, response.type, response.redirected], [200, 'OK', true, 'basic', false]);
  assertEquals(response.url, `${origin}/echo?a=1`);
  assertEquals(response.bodyUsed, true);
  await assertRejects(async () => response.headers.set('a', 'b'), TypeError);
});

online('fetch: method, headers and every kind of body', async () => {
  const post = (body, headers) => echo({ method: 'POST', body, headers });
  const text = await post('héllo', { 'X-Custom': 'v', 'x-latin1': 'caf\xe9' });
  assertEquals([text.method, text.body, text.headers.get('x-custom'), text.headers.get('x-latin1')], ['POST', 'héllo', 'v', 'caf\xe9']);
  assertEquals([text.headers.get('content-type'), text.headers.get('content-length')], ['text/plain;charset=UTF-8', '6']);
  assertEquals((await post(encode('bytes'))).body, 'bytes');
  assertEquals((await post(new URLSearchParams({ a: 'b c' }))).body, 'a=b+c');
  const blob = await post(new Blob(['blob'], { type: 'x/y' }));
  assertEquals([blob.body, blob.headers.get('content-type')], ['blob', 'x/y']);
  const form = new FormData();
  form.append('field', 'value');
  assert((await post(form)).body.includes('name="field"\r\n\r\nvalue\r\n'));
  assertEquals((await post('')).headers.get('content-length'), '0');
  assertEquals((await echo({ method: 'POST' })).headers.get('content-length') ?? '0', '0');
  assertEquals((await echo({ method: 'patch-it' })).method, 'patch-it');
  assertEquals((await echo(undefined)).headers.get('content-length'), null);
});

online('fetch: from a Request, overridden by init', async () => {
  const request = new Request(`${origin}/echo`, { method: 'PUT', body: 'from request', headers: { a: '1' } });
  const result = await fetch(request, { headers: { b: '2' } });
  const echoed = await result.json();
  assertEquals([echoed.method, echoed.body], ['PUT', 'from request']);
  assert(!echoed.headers.some(([name]) => name === 'a'));
  assertEquals(request.bodyUsed, true);
  await assertRejects(fetch(request), TypeError);
  assertEquals((await (await fetch(new URL(`${origin}/echo`))).json()).path, '/echo');
});

online('fetch: streamed upload', async () => {
  let pulls = 0;
  const body = new ReadableStream({
    async pull(controller) {
      pulls++;
      if (pulls === 4) return controller.close();
      await pause(5);
      controller.enqueue(encode(`part${pulls};`));
    },
  });
  const { body: received, headers } = await echo({ method: 'POST', body, duplex: 'half' });
  assertEquals(received, 'part1;part2;part3;');
  assertEquals(headers.get('transfer-encoding'), 'chunked');
});

online('fetch: upload and download at the same time, with backpressure', async () => {
  if (nodeQuirks) return; // Node's fetch gives the response only after the upload
  let pulls = 0;
  const body = new ReadableStream({ pull(controller) { pulls++; controller.enqueue(new Uint8Array(65536)); } }, { highWaterMark: 0 });
  const controller = new AbortController();
  const response = await fetch(`${origin}/mirror`, { method: 'POST', body, duplex: 'half', signal: controller.signal });
  const reader = response.body.getReader();
  assert((await reader.read()).value.byteLength > 0);
  // Nobody reads any more: once all buffers on the way are full, nothing more is pulled.
  let before;
  do {
    before = pulls;
    await pause(200);
    assert(pulls < 1024, '64 MiB were pulled though nobody reads');
  } while (pulls > before);
  controller.abort();
  await assertRejects(reader.read(), 'AbortError');
});

online('fetch: a failing upload stream fails the fetch', async () => {
  const boom = new Error('boom');
  let pulls = 0;
  const body = new ReadableStream({
    async pull(controller) {
      await pause(5);
      if (pulls++ === 0) controller.enqueue(encode('x'));
      else controller.error(boom);
    },
  });
  const error = await assertRejects(fetch(`${origin}/echo`, { method: 'POST', body, duplex: 'half' }), TypeError);
  assert(error.cause === boom);
  if (nodeQuirks) return; // Node's fetch never settles
  const wrong = new ReadableStream({ start: (controller) => controller.enqueue('text') });
  await assertRejects(fetch(`${origin}/echo`, { method: 'POST', body: wrong, duplex: 'half' }), TypeError);
});

online('fetch: statuses', async () => {
  for (const status of [200, 201, 400, 404, 500, 503]) {
    const response = await fetch(`${origin}/status/${status}`);
    assertEquals([response.status, response.ok, await response.text()], [status, status < 300, `status ${status}`]);
  }
  for (const status of [204, 304]) {
    const response = await fetch(`${origin}/status/${status}`);
    assertEquals([response.status, response.body, await response.text()], [status, null, '']);
  }
  const head = await fetch(`${origin}/status/200`, { method: 'HEAD' });
  assertEquals([head.status, await head.text()], [200, '']);
});

online('fetch: response headers', async () => {
  const { headers } = await fetch(`${origin}/headers`);
  assertEquals(headers.getSetCookie(), ['a=1; Path=/', 'b=2, still b']);
  assertEquals([headers.get('x-multi'), headers.get('x-latin1'), headers.get('x-empty')], ['one, two', 'caf\xe9', '']);
});

online('fetch: compressed responses are decoded', async () => {
  for (const encoding of ['gzip', 'deflate']) {
    const response = await fetch(`${origin}/${encoding}`);
    assertEquals(await response.json(), { compressed: true });
  }
});

online('fetch: redirects', async () => {
  const response = await fetch(`${origin}/redirect/3#hash`);
  assertEquals([response.status, response.redirected, response.url], [200, true, `${origin}/echo`]);
  await response.text();
  const limit = await fetch(`${origin}/redirect/20`);
  assertEquals(limit.status, 200);
  await limit.text();
  assertEquals((await assertRejects(fetch(`${origin}/redirect/21`), TypeError)).message, 'fetch failed');
  await assertRejects(fetch(`${origin}/redirect/1`, { redirect: 'error' }), TypeError);
  const manual = await fetch(`${origin}/redirect/1`, { redirect: 'manual' });
  assertEquals([manual.status, manual.headers.get('location'), manual.redirected], [302, '/echo', false]);
  await manual.text();
  for (const to of ['ftp://host.test/', 'data:,x', 'http://']) await assertRejects(fetch(`${origin}/redirect/1?to=${to}`), TypeError);
});

online('fetch: redirects rewrite methods as the standard says', async () => {
  const after = async (status, method) => {
    const init = { method, headers: { 'x-kept': '1' } };
    if (method !== 'GET' && method !== 'HEAD') init.body = 'body';
    const { method: seen, body, headers } = await echo(init, `/redirect/1?status=${status}`);
    return [seen, body, headers.get('content-type') !== null, headers.get('x-kept')].join(' ');
  };
  assertEquals(await after(301, 'POST'), 'GET  false 1');
  assertEquals(await after(302, 'POST'), 'GET  false 1');
  assertEquals(await after(302, 'PUT'), 'PUT body true 1');
  assertEquals(await after(303, 'PUT'), 'GET  false 1');
  assertEquals(await after(303, 'GET'), 'GET  false 1');
  assertEquals(await after(307, 'POST'), 'POST body true 1');
  assertEquals(await after(308, 'DELETE'), 'DELETE body true 1');
  const stream = () => new ReadableStream({ start(controller) { controller.enqueue(encode('s')); controller.close(); } });
  await assertRejects(fetch(`${origin}/redirect/1?status=307`, { method: 'POST', body: stream(), duplex: 'half' }), TypeError);
  assertEquals((await echo({ method: 'POST', body: stream(), duplex: 'half' }, '/redirect/1?status=303')).method, 'GET');
});

online('fetch: credentials stay with their origin', async () => {
  const headers = { authorization: 'Bearer secret', cookie: 'a=b', 'x-other': '1' };
  const same = await echo({ headers }, '/redirect/1');
  assertEquals([same.headers.get('authorization'), same.headers.get('cookie')], ['Bearer secret', 'a=b']);
  const elsewhere = origin.replace('127.0.0.1', 'localhost');
  const cross = await echo({ headers }, `/redirect/1?to=${elsewhere}/echo`);
  assertEquals([cross.headers.get('authorization'), cross.headers.get('cookie'), cross.headers.get('x-other')], [null, null, '1']);
  await assertRejects(fetch(`${origin}/redirect/1?to=${elsewhere.replace('//', '//user:pass@')}/echo`), TypeError);
});

online('fetch: the body comes as it is sent', async () => {
  const start = Date.now();
  const response = await fetch(`${origin}/slow?chunks=4&delay=60`);
  const head = Date.now() - start;
  let text = '';
  let chunks = 0;
  for await (const chunk of response.body) {
    text += new TextDecoder().decode(chunk);
    chunks++;
  }
  assertEquals(text, 'chunk 0\nchunk 1\nchunk 2\nchunk 3\n');
  assertEquals(chunks, 4);
  assert(head < 200, `the head took ${head} ms`);
});

online('fetch: a dropped connection', async () => {
  const closed = await assertRejects(fetch(`${origin}/close`), TypeError);
  assertEquals(closed.message, 'fetch failed');
  assert(closed.cause instanceof Error);
  const short = await fetch(`${origin}/close?after=10`);
  assertEquals(short.status, 200);
  const error = await assertRejects(short.text(), TypeError);
  assert(error.cause instanceof Error);
  const refused = await assertRejects(fetch('http://127.0.0.1:1/'), TypeError);
  assert(refused.cause instanceof Error);
});

online('fetch: abort while waiting for the head', async () => {
  const controller = new AbortController();
  const pending = fetch(`${origin}/hang`, { signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  await assertRejects(pending, 'AbortError');
  await assertRejects(fetch(`${origin}/hang`, { signal: AbortSignal.timeout(20) }), 'TimeoutError');
});

online('fetch: abort while reading the body', async () => {
  if (nodeQuirks) return; // Node's fetch gives a reason of its own
  const reason = new Error('enough');
  const controller = new AbortController();
  const response = await fetch(`${origin}/endless`, { signal: controller.signal });
  const reader = response.body.getReader();
  await reader.read();
  const closed = reader.closed.catch((error) => error);
  controller.abort(reason);
  assert((await closed) === reason);
  assert((await assertRejects(reader.read(), Error)) === reason);
  const text = new AbortController();
  const other = await fetch(`${origin}/endless`, { signal: text.signal });
  setTimeout(() => text.abort(reason), 20);
  assert((await assertRejects(other.text(), Error)) === reason);
  const unread = new AbortController();
  const third = await fetch(`${origin}/endless`, { signal: unread.signal });
  unread.abort(reason);
  assert((await assertRejects(third.text(), Error)) === reason);
});

online('fetch: aborting after the end changes nothing', async () => {
  const controller = new AbortController();
  const response = await fetch(`${origin}/echo`, { signal: controller.signal });
  const text = await response.text();
  controller.abort();
  assert(text.length > 0);
});

online('fetch: cancelling a body ends its connection', async () => {
  const response = await fetch(`${origin}/endless`);
  await response.body.cancel();
  assertEquals((await response.body.getReader().read()).done, true);
});

online('fetch: cloned and relayed responses', async () => {
  const response = await fetch(`${origin}/drip?bytes=20`);
  const copy = response.clone();
  assertEquals([await response.text(), await copy.text()], ['x'.repeat(20), 'x'.repeat(20)]);
  const relayed = new Response((await fetch(`${origin}/drip?bytes=5`)).body);
  assertEquals(await relayed.text(), 'xxxxx');
});

online('fetch: connections are kept alive', async () => {
  const counts = async () => (await fetch(`${origin}/requests`)).json();
  const before = await counts();
  for (let index = 0; index < 5; index++) await counts();
  const after = await counts();
  assertEquals(after.requests - before.requests, 6);
  assert(after.connections - before.connections <= 1);
});

online('fetch: many at a time', async () => {
  const bodies = await Promise.all(Array.from({ length: 30 }, async (_, index) => (await fetch(`${origin}/echo?n=${index}`)).json()));
  assertEquals(bodies.map((body) => body.query), Array.from({ length: 30 }, (_, index) => `n=${index}`));
});
