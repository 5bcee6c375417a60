// Streams: one-line expectations of the WHATWG Streams Standard, in the order of its chapters.
import './test_bytes.mjs';
import './test_writable.mjs';
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

function controlled(strategy, extra = {}) {
  let controller;
  const stream = new ReadableStream(
    {
      start(given) {
        controller = given;
      },
      ...extra,
    },
    strategy,
  );
  return { stream, controller };
}

function recorder(extra = {}, strategy = undefined) {
  const events = [];
  const stream = new WritableStream(
    {
      write(chunk) {
        events.push(['write', chunk]);
      },
      close() {
        events.push(['close']);
      },
      abort(reason) {
        events.push(['abort', reason]);
      },
      ...extra,
    },
    strategy,
  );
  return { stream, events };
}

// ---- interfaces ----

test('interfaces: lengths, tags, enumerability, constructors', () => {
  assertEquals(ReadableStream.length, 0);
  assertEquals(WritableStream.length, 0);
  assertEquals(TransformStream.length, 0);
  assertEquals(ReadableStream.name, 'ReadableStream');
  assertEquals(Object.prototype.toString.call(new ReadableStream()), '[object ReadableStream]');
  assertEquals(Object.prototype.toString.call(new TransformStream()), '[object TransformStream]');
  assertEquals(Object.keys(ReadableStream.prototype).sort(), ['cancel', 'getReader', 'locked', 'pipeThrough', 'pipeTo', 'tee', 'values']);
  assertEquals(Object.keys(WritableStream.prototype).sort(), ['abort', 'close', 'getWriter', 'locked']);
  assertEquals(ReadableStream.prototype[Symbol.asyncIterator], ReadableStream.prototype.values);
  assertEquals(ReadableStream.prototype.pipeTo.length, 1);
  assertEquals(ReadableStreamBYOBReader.prototype.read.length, 1);
  assertThrows(() => new ReadableStreamDefaultController(), TypeError);
  assertThrows(() => new WritableStreamDefaultController(), TypeError);
  assertThrows(() => new TransformStreamDefaultController(), TypeError);
  assertThrows(() => new ReadableByteStreamController(), TypeError);
  assertThrows(() => new ReadableStreamBYOBRequest(), TypeError);
  assertThrows(() => ReadableStream(), TypeError);
});

test('interfaces: brand checks throw or reject', async () => {
  const getter = (Class, name) => Object.getOwnPropertyDescriptor(Class.prototype, name).get;
  assertThrows(() => getter(ReadableStream, 'locked').call({}), TypeError);
  assertThrows(() => getter(WritableStream, 'locked').call(new ReadableStream()), TypeError);
  assertThrows(() => ReadableStream.prototype.getReader.call({}), TypeError);
  assertThrows(() => ReadableStream.prototype.tee.call({}), TypeError);
  await assertRejects(ReadableStream.prototype.cancel.call({}), TypeError);
  await assertRejects(ReadableStream.prototype.pipeTo.call({}, new WritableStream()), TypeError);
  await assertRejects(ReadableStreamDefaultReader.prototype.read.call({}), TypeError);
  await assertRejects(getter(ReadableStreamDefaultReader, 'closed').call({}), TypeError);
  await assertRejects(WritableStreamDefaultWriter.prototype.write.call({}), TypeError);
  await assertRejects(getter(WritableStreamDefaultWriter, 'ready').call({}), TypeError);
  assertThrows(() => getter(TransformStream, 'readable').call({}), TypeError);
});

// ---- queuing strategies ----

test('strategies: sizes and marks', () => {
  const count = new CountQueuingStrategy({ highWaterMark: '4' });
  assertEquals(count.highWaterMark, 4);
  assertEquals(count.size({}), 1);
  assertEquals(count.size.name, 'size');
  assertEquals(count.size.length, 0);
  const bytes = new ByteLengthQueuingStrategy({ highWaterMark: 16 });
  assertEquals(bytes.size(new Uint8Array(7)), 7);
  assertEquals(bytes.size.length, 1);
  assert(new ByteLengthQueuingStrategy({ highWaterMark: 1 }).size === bytes.size);
  assert(Number.isNaN(new CountQueuingStrategy({ highWaterMark: 'x' }).highWaterMark));
  assertThrows(() => new CountQueuingStrategy(), TypeError);
  assertThrows(() => new CountQueuingStrategy({}), TypeError);
  assertThrows(() => new ByteLengthQueuingStrategy(4), TypeError);
  assertThrows(() => bytes.size(), TypeError);
});

test('strategies: invalid high water marks are RangeErrors', () => {
  for (const highWaterMark of [-1, NaN, 'x', -Infinity]) {
    assertThrows(() => new ReadableStream({}, { highWaterMark }), RangeError);
    assertThrows(() => new WritableStream({}, { highWaterMark }), RangeError);
    assertThrows(() => new TransformStream({}, { highWaterMark }), RangeError);
  }
  assertThrows(() => new ReadableStream({}, { size: 1 }), TypeError);
  new ReadableStream({}, { highWaterMark: Infinity, size: undefined });
});

// ---- readable streams, construction ----

standard('readable: constructor checks its source', () => {
  assertThrows(() => new ReadableStream(null), TypeError);
  assertThrows(() => new ReadableStream('x'), TypeError);
  assertThrows(() => new ReadableStream({ type: 'other' }), TypeError);
  assertThrows(() => new ReadableStream({ type: null }), TypeError);
  assertThrows(() => new ReadableStream({ start: 1 }), TypeError);
  assertThrows(() => new ReadableStream({ pull: {} }), TypeError);
  assertThrows(() => new ReadableStream({ cancel: null }), TypeError);
  assertThrows(() => new ReadableStream({ type: 'bytes' }, { size() {} }), RangeError);
  assertThrows(() => new ReadableStream({ type: 'bytes', autoAllocateChunkSize: 0 }), TypeError);
  assertThrows(() => new ReadableStream({ start() { throw boom; } }), Error, 'boom');
  new ReadableStream({ type: { toString: () => 'bytes' } });
});

standard('readable: members are read once, in alphabetical order, after the strategy', () => {
  const order = [];
  const spy = (label) => new Proxy({}, { get: (_, name) => (order.push(`${label}.${String(name)}`), undefined) });
  new ReadableStream(spy('source'), spy('strategy'));
  assertEquals(order, [
    'strategy.highWaterMark', 'strategy.size',
    'source.autoAllocateChunkSize', 'source.cancel', 'source.pull', 'source.start', 'source.type',
  ]);
});

test('readable: start runs with the source as this, pull waits for it', async () => {
  const events = [];
  let finish;
  const source = {
    start() {
      assert(this === source);
      return new Promise((resolve) => (finish = resolve));
    },
    pull() {
      assert(this === source);
      events.push('pull');
    },
  };
  new ReadableStream(source);
  await flush();
  assertEquals(events, []);
  finish();
  await flush();
  assertEquals(events, ['pull']);
});

test('readable: a rejected start errors the stream', async () => {
  const stream = new ReadableStream({ start: () => Promise.reject(boom) });
  await assertRejects(stream.getReader().read(), Error, 'boom');
});

// ---- default controller ----

test('readable: chunks in order, then done; desiredSize follows the queue', async () => {
  const { stream, controller } = controlled({ highWaterMark: 3 });
  assertEquals(controller.desiredSize, 3);
  controller.enqueue('a');
  controller.enqueue('b');
  assertEquals(controller.desiredSize, 1);
  controller.close();
  assertThrows(() => controller.close(), TypeError);
  assertThrows(() => controller.enqueue('c'), TypeError);
  const reader = stream.getReader();
  assertEquals(await reader.read(), { value: 'a', done: false });
  assertEquals(controller.desiredSize, 2);
  assertEquals(await reader.read(), { value: 'b', done: false });
  assertEquals(await reader.read(), { value: undefined, done: true });
  assertEquals(controller.desiredSize, 0);
  assertEquals(await reader.closed, undefined);
});

test('readable: reads wait and are served first come first served', async () => {
  const { stream, controller } = controlled();
  const reader = stream.getReader();
  const reads = Promise.all([reader.read(), reader.read(), reader.read()]);
  controller.enqueue(1);
  controller.enqueue(2);
  controller.close();
  assertEquals((await reads).map((read) => read.value), [1, 2, undefined]);
});

test('readable: errors drop the queue and reject reads and closed', async () => {
  const { stream, controller } = controlled();
  controller.enqueue(1);
  controller.error(boom);
  assertEquals(controller.desiredSize, null);
  assertThrows(() => controller.enqueue(2), TypeError);
  assertThrows(() => controller.close(), TypeError);
  controller.error('ignored');
  const reader = stream.getReader();
  assert((await assertRejects(reader.read(), Error)) === boom);
  assert((await assertRejects(reader.closed, Error)) === boom);
  assert((await assertRejects(reader.cancel(), Error)) === boom);
});

test('readable: size() is called per chunk without this; bad sizes error the stream', async () => {
  const sizes = [];
  const { controller } = controlled({
    highWaterMark: 10,
    size(chunk) {
      sizes.push([this, chunk]);
      return chunk;
    },
  });
  controller.enqueue(4);
  assertEquals(sizes, [[undefined, 4]]);
  assertEquals(controller.desiredSize, 6);
  for (const bad of [-1, NaN, Infinity]) {
    const { stream, controller } = controlled({ highWaterMark: 10, size: () => bad });
    assertThrows(() => controller.enqueue(1), RangeError);
    await assertRejects(stream.getReader().read(), RangeError);
  }
  const thrown = controlled({ highWaterMark: 1, size() { throw boom; } });
  assertThrows(() => thrown.controller.enqueue(1), Error, 'boom');
});

test('readable: pull is called while there is demand, one at a time', async () => {
  let pulls = 0;
  let release;
  const stream = new ReadableStream(
    {
      pull(controller) {
        pulls++;
        controller.enqueue(pulls);
        return new Promise((resolve) => (release = resolve));
      },
    },
    { highWaterMark: 2 },
  );
  await flush();
  assertEquals(pulls, 1);
  release();
  await flush();
  assertEquals(pulls, 2);
  release();
  await flush();
  assertEquals(pulls, 2);
  const reader = stream.getReader();
  await reader.read();
  await flush();
  assertEquals(pulls, 3);
});

test('readable: highWaterMark 0 pulls only for readers', async () => {
  let pulls = 0;
  const stream = new ReadableStream({ pull(controller) { pulls++; controller.enqueue(pulls); } }, { highWaterMark: 0 });
  await flush();
  assertEquals(pulls, 0);
  assertEquals(await stream.getReader().read(), { value: 1, done: false });
  await flush();
  assertEquals(pulls, 1);
});

test('readable: a pull that throws or rejects errors the stream', async () => {
  await assertRejects(new ReadableStream({ pull() { throw boom; } }).getReader().read(), Error, 'boom');
  await assertRejects(new ReadableStream({ pull: async () => { throw boom; } }).getReader().closed, Error, 'boom');
});

test('readable: cancel hands the reason to the source and drops the queue', async () => {
  const reasons = [];
  const { stream, controller } = controlled(undefined, { cancel(reason) { reasons.push(reason); return 'ignored'; } });
  controller.enqueue(1);
  assertEquals(await stream.cancel('why'), undefined);
  assertEquals(reasons, ['why']);
  assertThrows(() => controller.enqueue(2), TypeError);
  assertEquals(await stream.getReader().read(), { value: undefined, done: true });
  await stream.cancel('again').catch(() => reasons.push('locked'));
  assertEquals(reasons, ['why', 'locked']);
  await assertRejects(new ReadableStream({ cancel() { throw boom; } }).cancel(), Error, 'boom');
});

// ---- readers ----

test('reader: locking and releasing', async () => {
  const { stream, controller } = controlled();
  assertEquals(stream.locked, false);
  const reader = stream.getReader();
  assertEquals(stream.locked, true);
  assertThrows(() => stream.getReader(), TypeError);
  assertThrows(() => stream.tee(), TypeError);
  assertThrows(() => new ReadableStreamDefaultReader(stream), TypeError);
  await assertRejects(stream.cancel(), TypeError);
  await assertRejects(stream.pipeTo(new WritableStream()), TypeError);
  const { closed } = reader;
  const pending = reader.read();
  reader.releaseLock();
  reader.releaseLock();
  await assertRejects(pending, TypeError);
  await assertRejects(closed, TypeError);
  await assertRejects(reader.read(), TypeError);
  await assertRejects(reader.cancel(), TypeError);
  assertEquals(stream.locked, false);
  controller.enqueue('kept');
  assertEquals(await new ReadableStreamDefaultReader(stream).read(), { value: 'kept', done: false });
});

test('reader: closed is one promise, renewed by a release after the end', async () => {
  const { stream, controller } = controlled();
  const reader = stream.getReader();
  const { closed } = reader;
  assert(closed === reader.closed);
  controller.close();
  await closed;
  reader.releaseLock();
  assert(closed !== reader.closed);
  await assertRejects(reader.closed, TypeError);
});

test('reader: modes', () => {
  assertThrows(() => new ReadableStream().getReader({ mode: 'byob' }), TypeError);
  assertThrows(() => new ReadableStream().getReader({ mode: 'other' }), TypeError);
  assertThrows(() => new ReadableStream().getReader({ mode: null }), TypeError);
  assertThrows(() => new ReadableStream().getReader(1), TypeError);
  assert(new ReadableStream({ type: 'bytes' }).getReader({ mode: 'byob' }) instanceof ReadableStreamBYOBReader);
  assert(new ReadableStream().getReader(null) instanceof ReadableStreamDefaultReader);
});

// ---- async iteration ----

test('iteration: collects, releases, cancels on break', async () => {
  const { stream, controller } = controlled(undefined, { cancel: (reason) => cancelled.push(reason) });
  const cancelled = [];
  controller.enqueue(1);
  controller.enqueue(2);
  for await (const chunk of stream) {
    assertEquals(chunk, 1);
    break;
  }
  assertEquals(cancelled, [undefined]);
  assertEquals(stream.locked, false);
  const kept = controlled();
  kept.controller.enqueue(1);
  kept.controller.enqueue(2);
  for await (const _ of kept.stream.values({ preventCancel: true })) break;
  assertEquals(await kept.stream.getReader().read(), { value: 2, done: false });
});

standard('iteration: the prototype and overlapping calls', async () => {
  const { stream, controller } = controlled();
  const iterator = stream.values();
  const prototype = Object.getPrototypeOf(iterator);
  assertEquals(Object.keys(prototype), ['next', 'return']);
  assertEquals(prototype.next.length, 0);
  const asyncIteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}).prototype);
  assert(Object.getPrototypeOf(prototype) === asyncIteratorPrototype);
  const results = Promise.all([iterator.next(), iterator.next(), iterator.return('r'), iterator.next()]);
  controller.enqueue('a');
  controller.enqueue('b');
  assertEquals(await results, [
    { value: 'a', done: false }, { value: 'b', done: false }, { value: 'r', done: true }, { value: undefined, done: true },
  ]);
  await assertRejects(prototype.next.call({}), TypeError);
});

test('iteration: an error ends it', async () => {
  const { stream, controller } = controlled();
  const iterator = stream[Symbol.asyncIterator]();
  controller.error(boom);
  await assertRejects(iterator.next(), Error, 'boom');
  assertEquals(await iterator.next(), { value: undefined, done: true });
  assertEquals(stream.locked, false);
});

// ---- from ----

test('from: arrays, strings, generators, promises in sync iterables', async () => {
  assertEquals(await collect(ReadableStream.from([1, 2, 3])), [1, 2, 3]);
  assertEquals(await collect(ReadableStream.from(new Set(['x']))), ['x']);
  assertEquals(await collect(ReadableStream.from([Promise.resolve('p')])), ['p']);
  assertEquals(await collect(ReadableStream.from((function* () { yield 1; yield 2; })())), [1, 2]);
  assertEquals(await collect(ReadableStream.from((async function* () { yield 1; })())), [1]);
  assertEquals(await collect(ReadableStream.from(ReadableStream.from(['nested']))), ['nested']);
  for (const bad of [null, undefined, 0, {}, { [Symbol.iterator]: 1 }]) assertThrows(() => ReadableStream.from(bad), TypeError);
  assertThrows(() => ReadableStream.from({ [Symbol.asyncIterator]: () => 1 }), TypeError);
});

test('from: errors and cancel reach the iterator', async () => {
  const failing = ReadableStream.from((async function* () { yield 1; throw boom; })());
  const reader = failing.getReader();
  await reader.read();
  await assertRejects(reader.read(), Error, 'boom');
  const returned = [];
  const stream = ReadableStream.from({
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ value: 1, done: false }),
      return: async (reason) => { returned.push(reason); return {}; },
    }),
  });
  await stream.getReader().cancel('stop');
  assertEquals(returned, ['stop']);
  const badResult = ReadableStream.from({ [Symbol.asyncIterator]: () => ({ next: async () => 1 }) });
  await assertRejects(badResult.getReader().read(), TypeError);
});

// ---- tee ----

test('tee: both branches see everything, at their own pace', async () => {
  const { stream, controller } = controlled();
  const object = { same: true };
  const [first, second] = stream.tee();
  assertEquals(stream.locked, true);
  controller.enqueue(object);
  controller.enqueue(2);
  controller.close();
  const chunks = await collect(first);
  assertEquals(chunks, [object, 2]);
  assert((await second.getReader().read()).value === object);
});

test('tee: errors reach both, cancel waits for both', async () => {
  const errored = controlled();
  const [a, b] = errored.stream.tee();
  errored.controller.error(boom);
  await assertRejects(a.getReader().closed, Error, 'boom');
  await assertRejects(b.getReader().read(), Error, 'boom');
  const reasons = [];
  const { stream } = controlled(undefined, { cancel: (reason) => { reasons.push(reason); } });
  const [first, second] = stream.tee();
  const one = first.cancel('one');
  await flush();
  assertEquals(reasons, []);
  await Promise.all([one, second.cancel('two')]);
  assertEquals(reasons, [['one', 'two']]);
});

test('tee: pulls no faster than its readers', async () => {
  let pulls = 0;
  const stream = new ReadableStream({ pull(controller) { controller.enqueue(++pulls); } }, { highWaterMark: 0 });
  const [first] = stream.tee();
  await flush();
  assertEquals(pulls, 1);
  const reader = first.getReader();
  await reader.read();
  await flush();
  assertEquals(pulls, 2);
});

// ---- pipeTo, pipeThrough ----

test('pipe: moves chunks, closes, unlocks', async () => {
  const { stream, events } = recorder();
  const source = ReadableStream.from([1, 2, 3]);
  const piped = source.pipeTo(stream);
  assertEquals([source.locked, stream.locked], [true, true]);
  assertEquals(await piped, undefined);
  assertEquals(events, [['write', 1], ['write', 2], ['write', 3], ['close']]);
  assertEquals([source.locked, stream.locked], [false, false]);
});

test('pipe: preventClose, preventAbort, preventCancel', async () => {
  const open = recorder();
  await ReadableStream.from(['x']).pipeTo(open.stream, { preventClose: true });
  assertEquals(open.events, [['write', 'x']]);
  await open.stream.getWriter().close();
  const errored = () => new ReadableStream({ start: (controller) => controller.error(boom) });
  const aborted = recorder();
  await assertRejects(errored().pipeTo(aborted.stream), Error, 'boom');
  assertEquals(aborted.events, [['abort', boom]]);
  const spared = recorder();
  await assertRejects(errored().pipeTo(spared.stream, { preventAbort: 1 }), Error, 'boom');
  assertEquals(spared.events, []);
  const cancelled = [];
  const failingSink = () => new WritableStream({ write() { throw boom; } });
  const endless = () => new ReadableStream({ pull: (controller) => controller.enqueue(1), cancel: (reason) => { cancelled.push(reason); } });
  await assertRejects(endless().pipeTo(failingSink()), Error, 'boom');
  assertEquals(cancelled, [boom]);
  await assertRejects(endless().pipeTo(failingSink(), { preventCancel: true }), Error, 'boom');
  assertEquals(cancelled.length, 1);
});

test('pipe: to a closed destination cancels the source', async () => {
  const stream = new WritableStream();
  await stream.close();
  const reasons = [];
  const { stream: source } = controlled(undefined, { cancel: (reason) => { reasons.push(reason); } });
  await assertRejects(source.pipeTo(stream), TypeError);
  assert(reasons[0] instanceof TypeError);
});

test('pipe: respects backpressure', async () => {
  let release;
  let pulls = 0;
  const source = new ReadableStream({ pull(controller) { controller.enqueue(++pulls); } }, { highWaterMark: 0 });
  const sink = new WritableStream({ write: () => new Promise((resolve) => (release = resolve)) }, { highWaterMark: 1 });
  source.pipeTo(sink);
  await flush();
  assertEquals(pulls, 1);
  release();
  await flush();
  assertEquals(pulls, 2);
});

standard('pipe: write is not called from inside enqueue', async () => {
  const { stream: source, controller } = controlled();
  const { stream, events } = recorder();
  source.pipeTo(stream);
  await flush();
  controller.enqueue('a');
  assertEquals(events, []);
  await flush();
  assertEquals(events, [['write', 'a']]);
});

test('pipe: a write under way finishes before shutdown', async () => {
  const order = [];
  const { stream: source, controller } = controlled();
  let finish;
  const sink = new WritableStream({
    write: () => new Promise((resolve) => (finish = resolve)).then(() => order.push('written')),
    abort: () => { order.push('abort'); },
  });
  const piped = source.pipeTo(sink).catch((error) => order.push(error.message));
  controller.enqueue(1);
  await flush();
  controller.error(boom);
  await flush();
  assertEquals(order, []);
  finish();
  await piped;
  assertEquals(order, ['written', 'abort', 'boom']);
});

test('pipe: signals', async () => {
  const reasons = [];
  const sink = recorder();
  const { stream: source } = controlled(undefined, { cancel: (reason) => { reasons.push(reason); } });
  const abort = new AbortController();
  const piped = source.pipeTo(sink.stream, { signal: abort.signal });
  await flush();
  abort.abort(boom);
  assert((await assertRejects(piped, Error)) === boom);
  assertEquals(reasons, [boom]);
  assertEquals(sink.events, [['abort', boom]]);
  const error = await assertRejects(new ReadableStream().pipeTo(new WritableStream(), { signal: AbortSignal.abort() }), 'AbortError');
  assert(error instanceof DOMException);
  await assertRejects(new ReadableStream().pipeTo(new WritableStream(), { signal: {} }), TypeError);
  await assertRejects(new ReadableStream().pipeTo(new WritableStream(), { signal: null }), TypeError);
});

test('pipe: argument checks', async () => {
  await assertRejects(new ReadableStream().pipeTo(), TypeError);
  await assertRejects(new ReadableStream().pipeTo({}), TypeError);
  assertThrows(() => new ReadableStream().pipeThrough({}), TypeError);
  assertThrows(() => new ReadableStream().pipeThrough({ readable: new ReadableStream(), writable: {} }), TypeError);
  const locked = new WritableStream();
  locked.getWriter();
  await assertRejects(new ReadableStream().pipeTo(locked), TypeError);
  assertThrows(() => new ReadableStream().pipeThrough({ readable: new ReadableStream(), writable: locked }), TypeError);
});

test('pipe: many chunks without waiting', async () => {
  let sum = 0;
  const source = new ReadableStream({ start(controller) { for (let i = 0; i < 5000; i++) controller.enqueue(i); controller.close(); } });
  await source.pipeTo(new WritableStream({ write(chunk) { sum += chunk; } }, { highWaterMark: 10000 }));
  assertEquals(sum, (4999 * 5000) / 2);
});

test('pipeThrough: returns the readable and forwards errors', async () => {
  const upper = new TransformStream({ transform: (chunk, controller) => controller.enqueue(chunk.toUpperCase()) });
  const through = ReadableStream.from(['a', 'b']).pipeThrough(upper);
  assert(through === upper.readable);
  assertEquals(await collect(through), ['A', 'B']);
  const failing = new TransformStream({ transform() { throw boom; } });
  await assertRejects(collect(ReadableStream.from([1]).pipeThrough(failing)), Error, 'boom');
});
