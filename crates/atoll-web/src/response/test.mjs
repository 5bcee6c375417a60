// Response: the Fetch Standard's expectations.
import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';

test('response: interface', () => {
  assertEquals(Response.length, 0);
  assertEquals(Object.prototype.toString.call(new Response()), '[object Response]');
  assertThrows(() => Response(), TypeError);
  for (const name of ['error', 'json', 'redirect']) assert(Object.keys(Response).includes(name), name);
  for (const name of ['clone', 'headers', 'ok', 'redirected', 'status', 'statusText', 'type', 'url']) {
    assert(Object.keys(Response.prototype).includes(name), name);
    const { get } = Object.getOwnPropertyDescriptor(Response.prototype, name);
    if (get) assertThrows(() => get.call({}), TypeError);
  }
});

test('response: defaults', () => {
  const response = new Response();
  assertEquals(
    [response.status, response.statusText, response.ok, response.type, response.url, response.redirected, response.body],
    [200, '', true, 'default', '', false, null],
  );
  assert(response.headers === response.headers);
  assertEquals(new Response(null).body, null);
  assertEquals(new Response(undefined).body, null);
});

test('response: status and statusText', () => {
  assertEquals(new Response('', { status: 404, statusText: 'No\tWay \xe9' }).statusText, 'No\tWay \xe9');
  assertEquals(new Response('', { status: '201' }).status, 201);
  assertEquals(new Response('', { status: 65536 + 204 - 4 }).status, 200);
  for (const [status, ok] of [[200, true], [299, true], [300, false], [599, false]]) assertEquals(new Response(null, { status }).ok, ok);
  for (const status of [0, 100, 199, 600, 1000, -1, NaN]) assertThrows(() => new Response('', { status }), RangeError);
  for (const statusText of ['\n', 'a\r', '\0', '\u0100', '\x7f']) assertThrows(() => new Response('', { statusText }), TypeError);
  for (const init of [1, 'x', true]) assertThrows(() => new Response('', init), TypeError);
});

test('response: null body statuses', () => {
  for (const status of [204, 205, 304]) {
    assertEquals(new Response(null, { status }).status, status);
    assertThrows(() => new Response('', { status }), TypeError);
    assertThrows(() => new Response(new ReadableStream(), { status }), TypeError);
  }
});

test('response: headers', () => {
  const response = new Response('x', { headers: [['a', '1'], ['a', '2'], ['set-cookie', 'x=1'], ['set-cookie', 'y=2']] });
  assertEquals(response.headers.get('a'), '1, 2');
  assertEquals(response.headers.getSetCookie(), ['x=1', 'y=2']);
  response.headers.set('a', '3');
  assertEquals(response.headers.get('a'), '3');
  const given = new Headers({ h: 'v' });
  const other = new Response('x', { headers: given });
  given.set('h', 'changed');
  assertEquals(other.headers.get('h'), 'v');
});

test('response: json', async () => {
  const response = Response.json({ a: [1, 'é'] });
  assertEquals(response.headers.get('content-type'), 'application/json');
  assertEquals(await response.json(), { a: [1, 'é'] });
  assertEquals(await Response.json('text').text(), '"text"');
  assertEquals(await Response.json(null).text(), 'null');
  const custom = Response.json({}, { status: 201, statusText: 'Made', headers: { 'content-type': 'application/problem+json', x: 'y' } });
  assertEquals([custom.status, custom.statusText, custom.headers.get('content-type'), custom.headers.get('x')], [
    201, 'Made', 'application/problem+json', 'y',
  ]);
  assertThrows(() => Response.json(), TypeError);
  for (const bad of [undefined, () => {}, Symbol('s')]) assertThrows(() => Response.json(bad), TypeError);
  const circular = {};
  circular.self = circular;
  assertThrows(() => Response.json(circular), TypeError);
  assertThrows(() => Response.json({}, { status: 204 }), TypeError);
  assertThrows(() => Response.json({}, { status: 99 }), RangeError);
});

test('response: redirect', () => {
  const response = Response.redirect('http://host.test/a b');
  assertEquals([response.status, response.headers.get('location'), response.body, response.type], [302, 'http://host.test/a%20b', null, 'default']);
  for (const status of [301, 302, 303, 307, 308]) assertEquals(Response.redirect('http://host.test/', status).status, status);
  for (const status of [200, 300, 304, 309, 400]) assertThrows(() => Response.redirect('http://host.test/', status), RangeError);
  assertThrows(() => Response.redirect('http://'), TypeError);
  assertThrows(() => Response.redirect(), TypeError);
  assertThrows(() => response.headers.set('a', 'b'), TypeError);
  assertThrows(() => response.headers.append('a', 'b'), TypeError);
  assertThrows(() => response.headers.delete('location'), TypeError);
});

test('response: error', () => {
  const response = Response.error();
  assertEquals([response.type, response.status, response.statusText, response.ok, response.body], ['error', 0, '', false, null]);
  assertThrows(() => response.headers.append('a', 'b'), TypeError);
});

test('response: clone', async () => {
  const response = new Response('x', { status: 418, statusText: 'Tea', headers: { a: '1' } });
  const copy = response.clone();
  copy.headers.set('a', '2');
  assertEquals(response.headers.get('a'), '1');
  assertEquals([copy.status, copy.statusText], [418, 'Tea']);
  await response.text();
  assertEquals(copy.bodyUsed, false);
  assertEquals(await copy.text(), 'x');
  const redirect = Response.redirect('http://host.test/').clone();
  assertThrows(() => redirect.headers.set('a', 'b'), TypeError);
});

test('response: piping a body through a transform', async () => {
  const upper = new TransformStream({
    transform: (chunk, controller) => controller.enqueue(new TextEncoder().encode(new TextDecoder().decode(chunk).toUpperCase())),
  });
  assertEquals(await new Response(new Response('loud').body.pipeThrough(upper)).text(), 'LOUD');
});

test('response: cancelling a body', async () => {
  const reasons = [];
  const response = new Response(new ReadableStream({ cancel: (reason) => { reasons.push(reason); } }));
  await response.body.cancel('enough');
  assertEquals(reasons, ['enough']);
  assertEquals(response.bodyUsed, true);
  const text = new Response('text');
  await text.body.cancel();
  await assertRejects(text.text(), TypeError);
});
