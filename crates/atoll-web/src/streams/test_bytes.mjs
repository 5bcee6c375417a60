// Byte streams: ReadableByteStreamController, BYOB readers and requests, and their tee.
import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';

const flush = () => new Promise((resolve) => setTimeout(resolve, 0));
const boom = new Error('boom');
const list = (view) => Array.from(view);
// Node 20 lacks read(view, { min }), and converts numbers loosely.
const hasMin = !globalThis.process?.versions?.node?.startsWith('20.') || !`${ReadableStream}`.includes('kState');

function controlled(extra = {}, strategy = undefined) {
  let controller;
  const stream = new ReadableStream(
    {
      type: 'bytes',
      start(given) {
        controller = given;
      },
      ...extra,
    },
    strategy,
  );
  return { stream, controller };
}

test('bytes: enqueue transfers the buffer, reads give Uint8Arrays', async () => {
  const { stream, controller } = controlled();
  assert(controller instanceof ReadableByteStreamController);
  assertEquals(controller.desiredSize, 0);
  const chunk = new Uint16Array([1, 2]);
  controller.enqueue(chunk);
  assertEquals(chunk.byteLength, 0);
  assertEquals(controller.desiredSize, -4);
  const { value } = await stream.getReader().read();
  assert(value instanceof Uint8Array);
  assertEquals(value.byteLength, 4);
});

test('bytes: enqueue checks its chunk', () => {
  const { controller } = controlled();
  assertThrows(() => controller.enqueue(), TypeError);
  assertThrows(() => controller.enqueue('text'), TypeError);
  assertThrows(() => controller.enqueue(new ArrayBuffer(1)), TypeError);
  assertThrows(() => controller.enqueue(new Uint8Array(0)), TypeError);
  controller.enqueue(new DataView(new ArrayBuffer(8), 2, 3));
  assertEquals(controller.desiredSize, -3);
  controller.close();
  assertThrows(() => controller.enqueue(new Uint8Array(1)), TypeError);
  assertThrows(() => controller.close(), TypeError);
});

test('bytes: a queued chunk is served in parts to BYOB readers', async () => {
  const { stream, controller } = controlled();
  controller.enqueue(new Uint8Array([1, 2, 3, 4, 5]));
  controller.close();
  const reader = stream.getReader({ mode: 'byob' });
  const view = new Uint8Array(3);
  const first = await reader.read(view);
  assertEquals(view.byteLength, 0);
  assertEquals([list(first.value), first.done], [[1, 2, 3], false]);
  const second = await reader.read(first.value);
  assertEquals(list(second.value), [4, 5]);
  assertEquals(second.value.buffer.byteLength, 3);
  const third = await reader.read(new Uint8Array(4));
  assertEquals([third.value.byteLength, third.done], [0, true]);
});

test('bytes: views of other kinds come back as their kind, in whole elements', async () => {
  const { stream, controller } = controlled();
  controller.enqueue(new Uint8Array([1, 0, 2, 0, 3]));
  const reader = stream.getReader({ mode: 'byob' });
  const { value } = await reader.read(new Uint16Array(8));
  assert(value instanceof Uint16Array);
  assertEquals(list(value), [1, 2]);
  const pending = reader.read(new Uint16Array(1));
  controller.enqueue(new Uint8Array([9]));
  assertEquals(list((await pending).value), [3 + 9 * 256]);
  const asDataView = reader.read(new DataView(new ArrayBuffer(2)));
  controller.enqueue(new Uint8Array([7]));
  assert((await asDataView).value instanceof DataView);
});

test('bytes: BYOB read checks its view', async () => {
  const reader = controlled().stream.getReader({ mode: 'byob' });
  for (const bad of [undefined, null, {}, new ArrayBuffer(1), new Uint8Array(0), new Uint8Array(new ArrayBuffer(0))]) {
    await assertRejects(reader.read(bad), TypeError);
  }
  const detached = new Uint8Array(4);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  await assertRejects(reader.read(detached), TypeError);
  assertThrows(() => new ReadableStreamBYOBReader(new ReadableStream()), TypeError);
});

test('bytes: byobRequest.respond fills the reader\'s memory', async () => {
  let requests = 0;
  const stream = new ReadableStream({
    type: 'bytes',
    pull(controller) {
      requests++;
      const request = controller.byobRequest;
      assert(request instanceof ReadableStreamBYOBRequest);
      assert(request === controller.byobRequest);
      const { view } = request;
      assertEquals(view.byteLength, 4);
      view.set([requests, requests]);
      request.respond(2);
      assertEquals(request.view, null);
      assertThrows(() => request.respond(1), TypeError);
    },
  });
  const reader = stream.getReader({ mode: 'byob' });
  assertEquals(list((await reader.read(new Uint8Array(4))).value), [1, 1]);
  assertEquals(list((await reader.read(new Uint8Array(4))).value), [2, 2]);
});

test('bytes: respond checks its count', async () => {
  const { stream, controller } = controlled();
  assertEquals(controller.byobRequest, null);
  const read = stream.getReader({ mode: 'byob' }).read(new Uint8Array(4));
  await flush();
  const request = controller.byobRequest;
  assertThrows(() => request.respond(), TypeError);
  assertThrows(() => request.respond(0), TypeError);
  assertThrows(() => request.respond(5), RangeError);
  if (hasMin) {
    assertThrows(() => request.respond(-1), TypeError);
    assertThrows(() => request.respond(NaN), TypeError);
    assertThrows(() => request.respond(2 ** 60), TypeError);
  }
  request.respond(4);
  assertEquals((await read).value.byteLength, 4);
});

test('bytes: respondWithNewView takes the same memory after a transfer', async () => {
  const { stream, controller } = controlled();
  const read = stream.getReader({ mode: 'byob' }).read(new Uint8Array(4));
  await flush();
  const request = controller.byobRequest;
  assertThrows(() => request.respondWithNewView(new Uint8Array(4).subarray(1)), RangeError);
  assertThrows(() => request.respondWithNewView(new Uint8Array(9)), RangeError);
  assertThrows(() => request.respondWithNewView({}), TypeError);
  const moved = structuredClone(request.view.buffer, { transfer: [request.view.buffer] });
  assertThrows(() => request.respond(1), TypeError);
  const view = new Uint8Array(moved, 0, 3);
  view.fill(8);
  request.respondWithNewView(view);
  assertEquals(list((await read).value), [8, 8, 8]);
});

test('bytes: autoAllocateChunkSize gives default readers a request', async () => {
  const stream = new ReadableStream({
    type: 'bytes',
    autoAllocateChunkSize: 16,
    pull(controller) {
      assertEquals(controller.byobRequest.view.byteLength, 16);
      controller.byobRequest.view[0] = 5;
      controller.byobRequest.respond(1);
    },
  });
  assertEquals(list((await stream.getReader().read()).value), [5]);
});

test('bytes: close with readers waiting', async () => {
  const { stream, controller } = controlled();
  const reader = stream.getReader({ mode: 'byob' });
  const read = reader.read(new Uint8Array(2));
  await flush();
  controller.close();
  controller.byobRequest.respond(0);
  const { value, done } = await read;
  assertEquals([value.byteLength, value.buffer.byteLength, done], [0, 2, true]);
  await reader.closed;
});

test('bytes: close in the middle of an element is an error', async () => {
  const { stream, controller } = controlled();
  const read = stream.getReader({ mode: 'byob' }).read(new Uint16Array(1));
  await flush();
  controller.byobRequest.view[0] = 1;
  controller.byobRequest.respond(1);
  assertThrows(() => controller.close(), TypeError);
  await assertRejects(read, TypeError);
});

test('bytes: enqueue while a BYOB request waits', async () => {
  const { stream, controller } = controlled();
  const read = stream.getReader({ mode: 'byob' }).read(new Uint8Array(2));
  await flush();
  const request = controller.byobRequest;
  controller.enqueue(new Uint8Array([1, 2, 3]));
  assertEquals(request.view, null);
  assertEquals(list((await read).value), [1, 2]);
});

test('bytes: cancel and error with readers waiting', async () => {
  const reasons = [];
  const { stream } = controlled({ cancel: (reason) => { reasons.push(reason); } });
  const reader = stream.getReader({ mode: 'byob' });
  const read = reader.read(new Uint8Array(2));
  await reader.cancel('why');
  assertEquals(await read, { value: undefined, done: true });
  assertEquals(reasons, ['why']);
  const errored = controlled();
  const waiting = errored.stream.getReader({ mode: 'byob' }).read(new Uint8Array(2));
  errored.controller.error(boom);
  await assertRejects(waiting, Error, 'boom');
});

test('bytes: releasing a BYOB reader keeps what arrives for the next reader', async () => {
  const { stream, controller } = controlled();
  const reader = stream.getReader({ mode: 'byob' });
  const read = reader.read(new Uint8Array(4));
  await flush();
  const request = controller.byobRequest;
  reader.releaseLock();
  await assertRejects(read, TypeError);
  request.view[0] = 6;
  request.respond(1);
  assertEquals(list((await stream.getReader().read()).value), [6]);
});

test('bytes: read with min waits for enough', async () => {
  if (!hasMin) return;
  const { stream, controller } = controlled();
  const reader = stream.getReader({ mode: 'byob' });
  let done = false;
  const read = reader.read(new Uint8Array(8), { min: 3 }).then((result) => ((done = true), result));
  controller.enqueue(new Uint8Array([1, 2]));
  await flush();
  assertEquals(done, false);
  controller.enqueue(new Uint8Array([3, 4]));
  assertEquals(list((await read).value), [1, 2, 3, 4]);
  await assertRejects(reader.read(new Uint8Array(2), { min: 0 }), TypeError);
  await assertRejects(reader.read(new Uint8Array(2), { min: 3 }), RangeError);
  await assertRejects(reader.read(new Uint16Array(2), { min: 3 }), RangeError);
  await assertRejects(reader.read(new Uint8Array(2), { min: -1 }), TypeError);
});

test('bytes: highWaterMark pulls ahead', async () => {
  let pulls = 0;
  const stream = new ReadableStream({ type: 'bytes', pull(controller) { pulls++; controller.enqueue(new Uint8Array(4)); } }, { highWaterMark: 8 });
  await flush();
  assertEquals(pulls, 2);
  await stream.cancel();
});

test('bytes: tee copies for the second branch and serves BYOB readers', async () => {
  const { stream, controller } = controlled();
  const [first, second] = stream.tee();
  controller.enqueue(new Uint8Array([1, 2]));
  controller.close();
  const a = await first.getReader({ mode: 'byob' }).read(new Uint8Array(4));
  const b = await second.getReader().read();
  assertEquals([list(a.value), list(b.value)], [[1, 2], [1, 2]]);
  assert(a.value.buffer !== b.value.buffer);
});

test('bytes: tee passes BYOB requests through', async () => {
  const views = [];
  const stream = new ReadableStream({
    type: 'bytes',
    pull(controller) {
      const { byobRequest } = controller;
      views.push(byobRequest === null ? null : byobRequest.view.byteLength);
      if (byobRequest === null) return controller.enqueue(new Uint8Array([0]));
      byobRequest.view[0] = 3;
      byobRequest.respond(1);
    },
  });
  const [first, second] = stream.tee();
  const reader = first.getReader({ mode: 'byob' });
  assertEquals(list((await reader.read(new Uint8Array(5))).value), [3]);
  assertEquals(views, [5]);
  const other = second.getReader();
  assertEquals(list((await other.read()).value), [3]);
  await Promise.all([reader.cancel('a'), other.cancel('b')]);
});

test('bytes: tee errors and cancellation', async () => {
  const { stream, controller } = controlled();
  const [first, second] = stream.tee();
  controller.error(boom);
  await assertRejects(first.getReader().read(), Error, 'boom');
  await assertRejects(second.getReader({ mode: 'byob' }).read(new Uint8Array(1)), Error, 'boom');
  const reasons = [];
  const cancelled = controlled({ cancel: (reason) => { reasons.push(reason); } });
  const [a, b] = cancelled.stream.tee();
  await Promise.all([a.cancel(1), b.cancel(2)]);
  assertEquals(reasons, [[1, 2]]);
});
