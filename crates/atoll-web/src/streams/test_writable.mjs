// WritableStream and TransformStream.
import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';

// Node 20 differs from the standard in places; the tests of those are skipped there.
const nodeQuirks = (() => {
  try {
    new ReadableStream({ cancel: null });
    return true;
  } catch {
    return false;
  }
})();
const standard = nodeQuirks ? () => {} : test;

const flush = () => new Promise((resolve) => setTimeout(resolve, 0));
const boom = new Error('boom');

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

function recorder() {
  const events = [];
  const stream = new WritableStream({
    write(chunk) {
      events.push(['write', chunk]);
    },
    close() {
      events.push(['close']);
    },
    abort(reason) {
      events.push(['abort', reason]);
    },
  });
  return { stream, events };
}

// ---- writable streams ----

test('writable: constructor checks its sink', () => {
  assertThrows(() => new WritableStream(null), TypeError);
  assertThrows(() => new WritableStream({ type: 'bytes' }), RangeError);
  assertThrows(() => new WritableStream({ write: 1 }), TypeError);
  assertThrows(() => new WritableStream({ start() { throw boom; } }), Error, 'boom');
});

test('writable: writes in order after start, one at a time', async () => {
  const order = [];
  let started;
  const sink = {
    start: () => new Promise((resolve) => (started = resolve)),
    async write(chunk, controller) {
      assert(controller instanceof WritableStreamDefaultController);
      assert(this === sink);
      order.push(`begin ${chunk}`);
      await flush();
      order.push(`end ${chunk}`);
    },
    close() {
      assertEquals(arguments.length, 0);
      order.push('close');
    },
  };
  const writer = new WritableStream(sink).getWriter();
  const done = Promise.all([writer.write('a'), writer.write('b'), writer.close()]);
  await flush();
  assertEquals(order, []);
  started();
  assertEquals(await done, [undefined, undefined, undefined]);
  assertEquals(order, ['begin a', 'end a', 'begin b', 'end b', 'close']);
  await writer.closed;
});

test('writable: desiredSize and ready follow backpressure', async () => {
  let finish;
  const stream = new WritableStream({ write: () => new Promise((resolve) => (finish = resolve)) }, { highWaterMark: 2 });
  const writer = stream.getWriter();
  assertEquals(writer.desiredSize, 2);
  await writer.ready;
  const before = writer.ready;
  writer.write('a');
  assertEquals(writer.desiredSize, 1);
  assert(writer.ready === before);
  writer.write('b');
  assertEquals(writer.desiredSize, 0);
  assert(writer.ready !== before);
  let ready = false;
  writer.ready.then(() => (ready = true));
  await flush();
  assertEquals(ready, false);
  finish();
  await flush();
  assertEquals(ready, true);
  assertEquals(writer.desiredSize, 1);
});

test('writable: a failed write errors everything after it', async () => {
  const stream = new WritableStream({ write() { return Promise.reject(boom); } });
  const writer = stream.getWriter();
  const first = writer.write(1);
  const second = writer.write(2);
  const closed = writer.close();
  await assertRejects(first, Error, 'boom');
  await assertRejects(second, Error, 'boom');
  await assertRejects(closed, Error, 'boom');
  await assertRejects(writer.closed, Error, 'boom');
  await assertRejects(writer.ready, Error, 'boom');
  await assertRejects(writer.write(3), Error, 'boom');
  assertEquals(writer.desiredSize, null);
});

standard('writable: close states', async () => {
  const stream = new WritableStream();
  const writer = stream.getWriter();
  await assertRejects(stream.close(), TypeError);
  await assertRejects(stream.abort(), TypeError);
  const closing = writer.close();
  await assertRejects(writer.close(), TypeError);
  await assertRejects(writer.write(1), TypeError);
  await closing;
  assertEquals(writer.desiredSize, 0);
  await assertRejects(writer.write(1), TypeError);
  await assertRejects(writer.close(), TypeError);
  await writer.abort();
  const failing = new WritableStream({ close() { throw boom; } });
  await assertRejects(failing.close(), Error, 'boom');
  await assertRejects(failing.getWriter().closed, Error, 'boom');
});

test('writable: abort', async () => {
  const { stream, events } = recorder();
  const writer = stream.getWriter();
  await flush();
  const aborting = writer.abort(boom);
  await assertRejects(writer.write(1), Error, 'boom');
  assertEquals(await aborting, undefined);
  assertEquals(events, [['abort', boom]]);
  await assertRejects(writer.closed, Error, 'boom');
  await writer.abort('again');
  const failing = new WritableStream({ abort() { throw boom; } });
  await assertRejects(failing.abort('reason'), Error, 'boom');
  assertEquals((await failing.getWriter().closed.catch((reason) => reason)), 'reason');
});

test('writable: abort waits for the write under way and signals it', async () => {
  const order = [];
  let finish;
  const stream = new WritableStream({
    write(chunk, controller) {
      controller.signal.addEventListener('abort', () => order.push(`signal ${controller.signal.reason}`));
      return new Promise((resolve) => (finish = resolve));
    },
    abort: () => { order.push('abort'); },
  });
  const writer = stream.getWriter();
  writer.write(1).then(() => order.push('written')); // its reaction runs after the sink's abort()
  await flush();
  const aborted = writer.abort('why');
  await flush();
  assertEquals(order, ['signal why']);
  finish();
  await aborted;
  assertEquals(order, ['signal why', 'abort', 'written']);
});

test('writable: two aborts share a promise; controller.signal is an AbortSignal', async () => {
  let controller;
  const stream = new WritableStream({ start(given) { controller = given; } });
  assert(controller.signal instanceof AbortSignal);
  assertEquals(controller.signal.aborted, false);
  const writer = stream.getWriter();
  const first = writer.abort('a');
  assert(first === writer.abort('b'));
  assertEquals(controller.signal.reason, 'a');
  await first;
});

test('writable: controller.error', async () => {
  let controller;
  const stream = new WritableStream({ start(given) { controller = given; } });
  const writer = stream.getWriter();
  controller.error(boom);
  controller.error('ignored');
  await assertRejects(writer.closed, Error, 'boom');
  await assertRejects(writer.write(1), Error, 'boom');
});

test('writable: releaseLock', async () => {
  const stream = new WritableStream();
  const writer = stream.getWriter();
  assertThrows(() => stream.getWriter(), TypeError);
  const { closed } = writer;
  writer.releaseLock();
  writer.releaseLock();
  await assertRejects(closed, TypeError);
  await assertRejects(writer.ready, TypeError);
  await assertRejects(writer.write(1), TypeError);
  await assertRejects(writer.close(), TypeError);
  await assertRejects(writer.abort(), TypeError);
  assertThrows(() => writer.desiredSize, TypeError);
  assertEquals(stream.locked, false);
});

test('writable: size() that throws errors the stream', async () => {
  const writer = new WritableStream({}, { size() { throw boom; } }).getWriter();
  await assertRejects(writer.write(1), Error, 'boom');
  const negative = new WritableStream({}, { size: () => -1 }).getWriter();
  await assertRejects(negative.write(1), RangeError);
});

// ---- transform streams ----

test('transform: identity, flush, marks', async () => {
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  assertEquals(writer.desiredSize, 1);
  const reader = readable.getReader();
  const written = writer.write('x');
  assertEquals(await reader.read(), { value: 'x', done: false });
  await written;
  await writer.close();
  assertEquals(await reader.read(), { value: undefined, done: true });
  const suffix = new TransformStream({ flush: (controller) => controller.enqueue('end') });
  assertEquals(await collect(ReadableStream.from(['a']).pipeThrough(suffix)), ['a', 'end']);
});

test('transform: constructor checks', () => {
  assertThrows(() => new TransformStream(null), TypeError);
  assertThrows(() => new TransformStream({ readableType: 'bytes' }), RangeError);
  assertThrows(() => new TransformStream({ writableType: 'bytes' }), RangeError);
  assertThrows(() => new TransformStream({ transform: 1 }), TypeError);
  assertThrows(() => new TransformStream({ start() { throw boom; } }), Error, 'boom');
});

test('transform: backpressure holds writes until somebody reads', async () => {
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  let written = false;
  writer.write(1).then(() => (written = true));
  await flush();
  assertEquals(written, false);
  await readable.getReader().read();
  await flush();
  assertEquals(written, true);
});

test('transform: errors on both sides', async () => {
  const { readable, writable } = new TransformStream({ transform: async () => { throw boom; } });
  const writer = writable.getWriter();
  const reader = readable.getReader();
  const write = writer.write(1);
  await assertRejects(reader.read(), Error, 'boom');
  await assertRejects(write, Error, 'boom');
  await assertRejects(writer.closed, Error, 'boom');
  let controller;
  const second = new TransformStream({ start(given) { controller = given; } });
  controller.error(boom);
  assertEquals(controller.desiredSize, null);
  await assertRejects(second.readable.getReader().read(), Error, 'boom');
  await assertRejects(second.writable.getWriter().closed, Error, 'boom');
});

test('transform: terminate closes one side and errors the other', async () => {
  const { readable, writable } = new TransformStream({ start: (controller) => controller.terminate() });
  assertEquals(await readable.getReader().read(), { value: undefined, done: true });
  await assertRejects(writable.getWriter().write(1), TypeError);
});

test('transform: cancel and abort call the transformer', async () => {
  const calls = [];
  const make = () => new TransformStream({ cancel: (reason) => { calls.push(reason); } });
  const cancelled = make();
  await cancelled.readable.cancel('c');
  assertEquals((await cancelled.writable.getWriter().closed.catch((reason) => reason)), 'c');
  const aborted = make();
  await aborted.writable.abort('a');
  assertEquals((await aborted.readable.getReader().read().catch((reason) => reason)), 'a');
  if (!nodeQuirks) assertEquals(calls, ['c', 'a']);
});

test('transform: enqueue after close throws', async () => {
  let controller;
  const { readable } = new TransformStream({ start(given) { controller = given; } });
  await readable.cancel();
  assertThrows(() => controller.enqueue(1), TypeError);
});
