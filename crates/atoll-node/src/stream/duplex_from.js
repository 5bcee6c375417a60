// Duplex.from: a duplex stream of what is readable, writable, iterable, a promise, or a function of these.
const { FunctionPrototypeCall, Promise } = primordials;
const { AbortError, ERR_INVALID_ARG_TYPE, ERR_INVALID_RETURN_VALUE } = use('node/internal/errors');
const { abortError } = use('node/internal/stream/abort');
const { Duplex } = use('node/internal/stream/duplex');
const { Readable } = use('node/internal/stream/readable');
const { Writable } = use('node/internal/stream/writable');
const { readableFrom } = use('node/internal/stream/from');
const { finished } = use('node/internal/stream/finished');
const { destroyAny } = use('node/internal/stream/lifecycle');
const { Waiting, relayReads, relayWrites } = use('node/internal/stream/relay');
const {
  isDuplexNodeStream,
  isIterable,
  isNodeStream,
  isReadable,
  isReadableNodeStream,
  isReadableStream,
  isWritable,
  isWritableNodeStream,
  isWritableStream,
} = use('node/internal/stream/state');
const process = use('node:process').default;
const { createSignal, signalAbort } = use('web/abort');

const ACCEPTED = [
  'Blob',
  'ReadableStream',
  'WritableStream',
  'Stream',
  'Iterable',
  'AsyncIterable',
  'Function',
  '{ readable, writable } pair',
  'Promise',
];

function isBlob(value) {
  return value instanceof use('web/blob').Blob;
}

/** `name` is what an error calls `body`. */
function duplexFrom(body, name) {
  if (isDuplexNodeStream(body)) return body;
  if (isReadableNodeStream(body)) return pairUp({ __proto__: null, readable: body });
  if (isWritableNodeStream(body)) return pairUp({ __proto__: null, writable: body });
  if (isNodeStream(body)) return pairUp({ __proto__: null, writable: false, readable: false });
  if (isReadableStream(body)) return pairUp({ __proto__: null, readable: Readable.fromWeb(body) });
  if (isWritableStream(body)) return pairUp({ __proto__: null, writable: Writable.fromWeb(body) });
  if (typeof body === 'function') return ofFunction(body, name);
  if (isBlob(body)) return duplexFrom(body.arrayBuffer(), name);
  if (isIterable(body)) return readableFrom(Duplex, body, { __proto__: null, objectMode: true, writable: false });
  if (isReadableStream(body?.readable) && isWritableStream(body?.writable)) return Duplex.fromWeb(body);
  if (typeof body?.writable === 'object' || typeof body?.readable === 'object') {
    const { readable, writable } = body;
    return pairUp({
      __proto__: null,
      readable: !readable || isReadableNodeStream(readable) ? readable : duplexFrom(readable, name),
      writable: !writable || isWritableNodeStream(writable) ? writable : duplexFrom(writable, name),
    });
  }
  const then = body?.then;
  if (typeof then === 'function') return ofPromise(body, then);
  throw ERR_INVALID_ARG_TYPE(name, ACCEPTED, body);
}

function ofPromise(promise, then) {
  const duplex = new Duplex({ __proto__: null, objectMode: true, writable: false, read() {} });
  FunctionPrototypeCall(
    then,
    promise,
    (value) => {
      if (value !== null && value !== undefined) duplex.push(value);
      duplex.push(null);
    },
    (error) => destroyAny(duplex, error),
  );
  return duplex;
}

function ofFunction(body, name) {
  const input = new Input();
  const value = body(input.chunks(), { signal: input.signal });
  if (isDuplexNodeStream(value)) return value; // it was a class or a maker of streams
  const write = (chunk, encoding, callback) => input.give({ __proto__: null, chunk, done: false, callback });
  const final = (callback) => input.give({ __proto__: null, done: true, callback });
  const destroy = (error, callback) => {
    input.abort();
    callback(error);
  };
  if (isIterable(value))
    return readableFrom(Duplex, value, { __proto__: null, objectMode: true, write, final, destroy });

  const then = value?.then;
  if (typeof then !== 'function') {
    throw ERR_INVALID_RETURN_VALUE('Iterable, AsyncIterable or AsyncFunction', name, value);
  }
  const promise = FunctionPrototypeCall(
    then,
    value,
    (result) => {
      if (result !== null && result !== undefined) throw ERR_INVALID_RETURN_VALUE('nully', 'body', result);
    },
    (error) => destroyAny(duplex, error),
  );
  const duplex = new Duplex({
    __proto__: null,
    objectMode: true,
    readable: false,
    write,
    final(callback) {
      final(async () => {
        try {
          await promise;
          process.nextTick(callback, null);
        } catch (error) {
          process.nextTick(callback, error);
        }
      });
    },
    destroy,
  });
  return duplex;
}

/** What is written to a stream, as the iterable that a function gets: one chunk at a time. */
class Input {
  signal = createSignal(); // of what the function may stop for
  #next;
  #give;

  constructor() {
    this.#expect();
  }

  #expect() {
    this.#next = new Promise((resolve) => (this.#give = resolve));
  }

  abort() {
    signalAbort(this.signal);
  }

  give(part) {
    this.#give(part);
  }

  async *chunks() {
    for (;;) {
      const { chunk, done, callback } = await this.#next;
      process.nextTick(callback);
      if (done) return;
      if (this.signal.aborted) throw abortError(this.signal);
      this.#expect();
      yield chunk;
    }
  }
}

/** One duplex stream in front of a readable and a writable one. */
function pairUp(pair) {
  const { writable: target } = pair;
  const source =
    pair.readable && typeof pair.readable.read !== 'function' ? Readable.wrap(pair.readable) : pair.readable;
  const readable = !!isReadable(source);
  const writable = !!isWritable(target);
  const drained = new Waiting();
  const written = new Waiting();
  const arrived = new Waiting();
  let onClose; // null once a side is over
  const onOver = (error) => {
    const callback = onClose;
    onClose = null;
    if (callback) callback(error);
    else if (error) duplex.destroy(error);
  };
  const duplex = new Duplex({
    __proto__: null,
    readableObjectMode: !!source?.readableObjectMode,
    writableObjectMode: !!target?.writableObjectMode,
    readable,
    writable,
  });
  const watch = (side) =>
    finished(side, (error) => {
      if (error) destroyAny(source, error);
      onOver(error);
    });
  if (writable) {
    watch(target);
    relayWrites(duplex, target, drained, written);
    target.on('finish', () => written.call());
  }
  if (readable) {
    watch(source);
    relayReads(duplex, source, arrived);
  }
  duplex._destroy = (given, callback) => {
    const error = !given && onClose !== null ? new AbortError() : given;
    arrived.forget();
    drained.forget();
    written.forget();
    if (onClose === null) {
      callback(error);
    } else {
      onClose = callback;
      destroyAny(target, error);
      destroyAny(source, error);
    }
  };
  return duplex;
}

exports.duplexFrom = duplexFrom;
