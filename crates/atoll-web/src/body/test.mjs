// The Body mixin, on Request and Response alike.
import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';

const encode = (text) => new TextEncoder().encode(text);
const text = (bytes) => new TextDecoder().decode(bytes);
const hasBytes = typeof Response.prototype.bytes === 'function';
// Node 20 differs from the standard in places; the tests of those are skipped there.
const nodeQuirks = `${Response}`.includes('webidl');

/** The same body as a Request's and as a Response's. */
const both = [
  ['Response', (body, headers) => new Response(body, { headers })],
  ['Request', (body, headers) => new Request('http://host.test/', { method: 'POST', body, headers, duplex: 'half' })],
];

function streamOf(...chunks) {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

for (const [name, make] of both) {
  test(`${name}: every kind of body as text`, async () => {
    assertEquals(await make('text €').text(), 'text €');
    assertEquals(await make(encode('bytes')).text(), 'bytes');
    assertEquals(await make(encode('xbuffer').buffer.slice(1)).text(), 'buffer');
    assertEquals(await make(new DataView(encode('..view').buffer, 2)).text(), 'view');
    assertEquals(await make(new Blob(['bl', 'ob'])).text(), 'blob');
    assertEquals(await make(new URLSearchParams({ a: '1 2', b: '&' })).text(), 'a=1+2&b=%26');
    assertEquals(await make(streamOf(encode('st'), encode('ream'))).text(), 'stream');
    assertEquals(await make(42).text(), '42');
    assertEquals(await make({ toString: () => 'object' }).text(), 'object');
    assertEquals(await make('').text(), '');
    assertEquals(await make('lone \ud800!').text(), 'lone \ufffd!');
    assertEquals(await make(new Uint8Array([0xff, 0x41])).text(), '\ufffdA');
  });

  test(`${name}: Content-Type from the body, unless given`, () => {
    const type = (body, headers) => make(body, headers).headers.get('content-type');
    assertEquals(type('text'), 'text/plain;charset=UTF-8');
    assertEquals(type(new URLSearchParams()), 'application/x-www-form-urlencoded;charset=UTF-8');
    assertEquals(type(new Blob(['x'], { type: 'Image/PNG' })), 'image/png');
    assertEquals(type(new Blob(['x'])), null);
    assertEquals(type(new Uint8Array(1)), null);
    assertEquals(type(streamOf()), null);
    assert(type(new FormData()).startsWith('multipart/form-data; boundary='));
    assertEquals(type('text', { 'Content-Type': 'a/b' }), 'a/b');
  });

  test(`${name}: arrayBuffer, bytes, blob, json`, async () => {
    const buffer = await make('héllo').arrayBuffer();
    assert(buffer instanceof ArrayBuffer);
    assertEquals(text(buffer), 'héllo');
    assertEquals((await make(streamOf(encode('ab'), encode('c'))).arrayBuffer()).byteLength, 3);
    if (hasBytes) assertEquals(await make('ab').bytes(), new Uint8Array([97, 98]));
    const blob = await make('text', { 'content-type': 'Text/Plain; Charset=X; b="q q"' }).blob();
    assertEquals(await blob.text(), 'text');
    if (!nodeQuirks) assertEquals(blob.type, 'text/plain;charset=X;b="q q"');
    assertEquals((await make(new Uint8Array(2)).blob()).type, '');
    assertEquals(await make('{"a":[1,null]}').json(), { a: [1, null] });
    assertEquals(await make(encode('[1]')).json(), [1]);
    assertEquals(await make(streamOf(encode('"x'), encode('y"'))).json(), 'xy');
    await assertRejects(make('{').json(), SyntaxError);
    await assertRejects(make('').json(), SyntaxError);
  });

  test(`${name}: a byte order mark is dropped from text, kept in bytes`, async () => {
    assertEquals(await make('\ufeffa').text(), 'a');
    assertEquals(await make(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).text(), 'a');
    assertEquals(await make('\ufeff1').json(), 1);
    assertEquals((await make('\ufeffa').arrayBuffer()).byteLength, 4);
  });

  test(`${name}: bytes are copied in and out`, async () => {
    const source = new Uint8Array([1, 2]);
    const object = make(source);
    source[0] = 9;
    const first = object.clone();
    const out = new Uint8Array(await object.arrayBuffer());
    assertEquals(out, new Uint8Array([1, 2]));
    out[1] = 9;
    assertEquals(new Uint8Array(await first.arrayBuffer()), new Uint8Array([1, 2]));
  });

  test(`${name}: a body is used once`, async () => {
    for (const method of ['text', 'json', 'arrayBuffer', 'blob', 'formData', ...(hasBytes ? ['bytes'] : [])]) {
      const object = make('{}');
      assertEquals(object.bodyUsed, false);
      const first = object[method]().catch(() => {});
      assertEquals(object.bodyUsed, true);
      await assertRejects(object.text(), TypeError);
      await first;
      assertThrows(() => object.clone(), TypeError);
      assert(object.body instanceof ReadableStream);
      assertEquals(object.body.locked, true);
    }
  });

  test(`${name}: no body`, async () => {
    const object = name === 'Response' ? new Response() : new Request('http://host.test/');
    assertEquals(object.body, null);
    assertEquals(object.bodyUsed, false);
    assertEquals(await object.text(), '');
    assertEquals(await object.text(), '');
    assertEquals(object.bodyUsed, false);
    assertEquals((await object.arrayBuffer()).byteLength, 0);
    await assertRejects(object.json(), SyntaxError);
    await assertRejects(object.formData(), TypeError);
  });

  test(`${name}: body is a byte stream, one and the same`, async () => {
    const object = make('hello');
    const { body } = object;
    assert(body instanceof ReadableStream);
    assert(body === object.body);
    assertEquals(object.bodyUsed, false);
    const reader = body.getReader({ mode: 'byob' });
    await assertRejects(object.text(), TypeError);
    const { value } = await reader.read(new Uint8Array(3));
    assertEquals(text(value), 'hel');
    assertEquals(object.bodyUsed, true);
    assertEquals(text((await reader.read(new Uint8Array(3))).value), 'lo');
    assertEquals((await reader.read(new Uint8Array(3))).done, true);
    const given = streamOf(encode('x'));
    assert(make(given).body === given);
    assertEquals(await make('').body.getReader().read(), { value: undefined, done: true });
  });

  test(`${name}: body touched, released, then consumed`, async () => {
    const object = make('later');
    object.body.getReader().releaseLock();
    assertEquals(await object.text(), 'later');
    const bytes = make(encode('pieces'));
    void bytes.body;
    assertEquals(await bytes.text(), 'pieces');
  });

  test(`${name}: locked or read streams are refused`, async () => {
    const locked = streamOf();
    locked.getReader();
    assertThrows(() => make(locked), TypeError);
    const read = streamOf(encode('x'));
    const reader = read.getReader();
    await reader.read();
    reader.releaseLock();
    assertThrows(() => make(read), TypeError);
  });

  test(`${name}: async iterables are streams of their bytes and texts`, async () => {
    const pieces = async function* () {
      yield encode('by');
      yield encode('tes');
    };
    assertEquals(await make(pieces()).text(), 'bytes');
    assertEquals(make(pieces()).headers.get('content-type'), null);
    if (nodeQuirks) return;
    const texts = { [Symbol.asyncIterator]: async function* () { yield 'te'; yield 'xt'; } };
    assertEquals(await make(texts).text(), 'text');
  });

  test(`${name}: chunks that are not Uint8Arrays, failing streams`, async () => {
    for (const chunk of ['text', new Uint16Array(1), new ArrayBuffer(1), null, 1]) {
      await assertRejects(make(streamOf(chunk)).text(), TypeError);
    }
    const boom = new Error('boom');
    const failing = () => new ReadableStream({ pull: (controller) => controller.error(boom) });
    assert((await assertRejects(make(failing()).text(), Error)) === boom);
    assert((await assertRejects(make(failing()).arrayBuffer(), Error)) === boom);
  });

  test(`${name}: long queues do not deepen the stack`, async () => {
    const chunk = encode('x');
    const stream = new ReadableStream({
      start(controller) {
        for (let index = 0; index < 20000; index++) controller.enqueue(chunk);
        controller.close();
      },
    });
    assertEquals((await make(stream).text()).length, 20000);
  });

  test(`${name}: clone`, async () => {
    const object = make('twice');
    const copy = object.clone();
    assertEquals([await object.text(), await copy.text()], ['twice', 'twice']);
    const streamed = make(streamOf(encode('a'), encode('b')));
    const other = streamed.clone();
    assertEquals([await streamed.text(), await other.text()], ['ab', 'ab']);
    const seen = make('seen');
    const { body } = seen;
    const third = seen.clone();
    if (!nodeQuirks) assert(seen.body !== body && body.locked);
    assertEquals([await third.text(), await seen.text()], ['seen', 'seen']);
    const chunk = encode('own');
    const one = make(streamOf(chunk));
    const two = one.clone();
    const read = (await one.body.getReader().read()).value;
    read[0] = 0;
    if (!nodeQuirks) assertEquals(await two.text(), 'own');
  });

  test(`${name}: formData`, async () => {
    const urlencoded = await make('a=1+2&b=%26&a', { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }).formData();
    assertEquals([...urlencoded], [['a', '1 2'], ['b', '&'], ['a', '']]);
    const form = new FormData();
    form.append('field', 'välue');
    form.append('file', new File(['content'], 'näme.txt', { type: 'text/x-test' }));
    const back = await make(form).formData();
    assertEquals(back.get('field'), 'välue');
    assertEquals([back.get('file').name, back.get('file').type, await back.get('file').text()], ['näme.txt', 'text/x-test', 'content']);
    await assertRejects(make('x').formData(), TypeError);
    await assertRejects(make('x', { 'content-type': 'multipart/form-data; boundary=b' }).formData(), TypeError);
    await assertRejects(make('x', { 'content-type': 'multipart/form-data' }).formData(), TypeError);
  });
}

test('mixin: brand checks', async () => {
  for (const Class of [Request, Response]) {
    await assertRejects(Class.prototype.text.call({}), TypeError);
    await assertRejects(Class.prototype.arrayBuffer.call(Class === Request ? new Response() : {}), TypeError);
    assertThrows(() => Object.getOwnPropertyDescriptor(Class.prototype, 'body').get.call({}), TypeError);
    const keys = Object.keys(Class.prototype);
    for (const name of ['arrayBuffer', 'blob', 'body', 'bodyUsed', 'formData', 'json', 'text']) assert(keys.includes(name), name);
  }
});

test('mixin: what guests do to prototypes does not reach the inside', async () => {
  const saved = [];
  const replace = (object, key, value) => {
    saved[saved.length] = [object, key, Object.getOwnPropertyDescriptor(object, key)];
    Object.defineProperty(object, key, { value, configurable: true, writable: true });
  };
  const TypedArray = Object.getPrototypeOf(Uint8Array);
  let calls = 0;
  const spy = () => {
    calls++;
    throw new Error('the guest was called');
  };
  const bytes = encode('bytes');
  const form = new FormData();
  form.append('a', new Blob(['x']));
  if (nodeQuirks) return;
  for (const name of ['push', 'shift', 'slice', 'sort', 'join', 'map', 'forEach', 'indexOf']) replace(Array.prototype, name, spy);
  for (const name of ['slice', 'subarray', 'set', 'indexOf']) replace(TypedArray.prototype, name, spy);
  for (const name of ['slice', 'indexOf', 'toLowerCase', 'charCodeAt', 'trim', 'split']) replace(String.prototype, name, spy);
  for (const name of ['get', 'set', 'has', 'forEach', 'entries']) replace(Map.prototype, name, spy);
  replace(RegExp.prototype, 'exec', spy);
  replace(TypedArray, Symbol.species, undefined);
  Object.defineProperty(TypedArray, Symbol.species, { get: spy, configurable: true });
  replace(Uint8Array.prototype, 'constructor', null);
  Object.defineProperty(Uint8Array.prototype, 'constructor', { get: spy, configurable: true });
  let results;
  try {
    const response = new Response(bytes, { headers: { a: ' b ', 'content-type': 'text/plain; charset=x' } });
    response.headers.append('c', 'd');
    const copy = response.clone();
    results = [
      await new Blob([bytes, 'y']).slice(1, 3).text(), await new Response(form).formData(), await response.text(), await copy.blob(),
      await new Response(copy.body === null ? '' : 'z').arrayBuffer(), response.headers.get('A'),
      await new Response(new Response(bytes).body.pipeThrough(new TransformStream())).text(),
    ];
  } finally {
    for (const [object, key, descriptor] of saved) Object.defineProperty(object, key, descriptor);
  }
  assertEquals(calls, 0);
  assertEquals([results[0], results[2], results[3].size, results[4].byteLength, results[5], results[6]], ['yt', 'bytes', 5, 1, 'b', 'bytes']);
  assertEquals(await results[1].get('a').text(), 'x');
});
