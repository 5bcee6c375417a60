// The Streams Standard's globals, and what other builtins use of streams.
const { TypeError } = primordials;
const { dictionary, markHandled } = use('web/streams/common');
const core = use('web/streams/core');
const defaults = use('web/streams/default');
const byob = use('web/streams/byob');
const bytes = use('web/streams/byte');
const readable = use('web/streams/readable');
const writable = use('web/streams/writable');
const transform = use('web/streams/transform');
const { streamFrom } = use('web/streams/from');
const { pipeTo } = use('web/streams/pipe');
const { tee } = use('web/streams/tee');
const { defineEnumerable, illegalInvocation, requireArguments, setToStringTag } = use('web/webidl');

// The same function for every strategy object, as the standard has it: named, without a prototype, not constructible.
const { size: countSize } = {
  size() {
    return 1;
  },
};
const { size: byteLengthSize } = {
  size(chunk) {
    return chunk.byteLength;
  },
};

function readHighWaterMark(count, init, context) {
  requireArguments(count, 1, context);
  const mark = dictionary(init, `${context}: parameter 1`)?.highWaterMark;
  if (mark === undefined) throw new TypeError(`${context}: highWaterMark is required`);
  return +mark;
}

class CountQueuingStrategy {
  #highWaterMark;

  constructor(init) {
    this.#highWaterMark = readHighWaterMark(arguments.length, init, "Failed to construct 'CountQueuingStrategy'");
  }

  get highWaterMark() {
    if (!(#highWaterMark in this)) throw illegalInvocation();
    return this.#highWaterMark;
  }

  get size() {
    if (!(#highWaterMark in this)) throw illegalInvocation();
    return countSize;
  }
}
defineEnumerable(CountQueuingStrategy, ['highWaterMark', 'size']);
setToStringTag(CountQueuingStrategy, 'CountQueuingStrategy');

class ByteLengthQueuingStrategy {
  #highWaterMark;

  constructor(init) {
    this.#highWaterMark = readHighWaterMark(arguments.length, init, "Failed to construct 'ByteLengthQueuingStrategy'");
  }

  get highWaterMark() {
    if (!(#highWaterMark in this)) throw illegalInvocation();
    return this.#highWaterMark;
  }

  get size() {
    if (!(#highWaterMark in this)) throw illegalInvocation();
    return byteLengthSize;
  }
}
defineEnumerable(ByteLengthQueuingStrategy, ['highWaterMark', 'size']);
setToStringTag(ByteLengthQueuingStrategy, 'ByteLengthQueuingStrategy');

/**
 * A byte stream over an internal source; returns its state. `pull(controller)` may return a promise and calls controller.enqueue(view)
 * or controller.close(); `cancel(reason)` may return a promise.
 */
function createByteStream(pull, cancel) {
  const state = new core.ReadableState();
  bytes.setUp(state, null, pull, cancel, 0, undefined);
  return state;
}

/** A stream that gives on what `stream` gives, and locks it; both are states. */
function relay(stream) {
  const { readable: target, writable: sink } = transform.createTransform({});
  markHandled(pipeTo(stream, writable.getWritableState(sink), { preventClose: false, preventAbort: false, preventCancel: false }, null));
  return readable.getReadableState(target);
}

exports.ByteLengthQueuingStrategy = ByteLengthQueuingStrategy;
exports.CountQueuingStrategy = CountQueuingStrategy;
exports.ReadableByteStreamController = byob.ReadableByteStreamController;
exports.ReadableStream = readable.ReadableStream;
exports.ReadableStreamBYOBReader = byob.ReadableStreamBYOBReader;
exports.ReadableStreamBYOBRequest = byob.ReadableStreamBYOBRequest;
exports.ReadableStreamDefaultController = defaults.ReadableStreamDefaultController;
exports.ReadableStreamDefaultReader = defaults.ReadableStreamDefaultReader;
exports.TransformStream = transform.TransformStream;
exports.TransformStreamDefaultController = transform.TransformStreamDefaultController;
exports.WritableStream = writable.WritableStream;
exports.WritableStreamDefaultController = writable.WritableStreamDefaultController;
exports.WritableStreamDefaultWriter = writable.WritableStreamDefaultWriter;

// Internal: these work on states (see web/streams/core).
exports.acquireReader = core.acquireReader;
exports.cancelStream = core.cancelStream;
exports.createByteStream = createByteStream;
exports.createTransform = transform.createTransform;
exports.getReadableState = readable.getReadableState;
exports.isLocked = core.isLocked;
exports.readChunk = core.readChunk;
exports.readableObject = readable.readableObject;
exports.relay = relay;
exports.streamFrom = streamFrom;
exports.releaseReader = core.releaseReader;
exports.tee = tee;
