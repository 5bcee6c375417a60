// stream.Readable: a queue that `_read` is asked to fill. It flows (each chunk becomes an event) or waits to be read.
const {
  ArrayPrototypePush,
  ArrayPrototypeUnshift,
  Boolean,
  FunctionPrototypeCall,
  NumberIsInteger,
  NumberIsNaN,
  NumberParseInt,
  ObjectDefineProperties,
  ObjectSetPrototypeOf,
  Promise,
  ReflectApply,
  Symbol,
  SymbolAsyncDispose,
  SymbolAsyncIterator,
  SymbolFor,
} = primordials;
const {
  AbortError,
  ERR_INVALID_ARG_TYPE,
  ERR_METHOD_NOT_IMPLEMENTED,
  ERR_OUT_OF_RANGE,
  ERR_STREAM_PUSH_AFTER_EOF,
  ERR_STREAM_UNSHIFT_AFTER_END_EVENT,
} = use('node/internal/errors');
const { validateObject } = use('node/internal/validators');
const { Stream } = use('node/internal/stream/legacy');
const { readableFacts } = use('node/internal/stream/facts');
const { pipe, unpipe } = use('node/internal/stream/pipe');
const { take } = use('node/internal/stream/queue');
const { asBuffer, highWaterMarkFrom, isView, lengthOf } = use('node/internal/stream/state');
const { construct, destroy, errorOrDestroy, undestroy } = use('node/internal/stream/lifecycle');
const process = use('node:process').default;
const { Buffer } = use('node:buffer').default;

const MAX_HIGH_WATER_MARK = 0x40000000; // 1 GiB: no read(n) asks for more at once (Node's number)
const kPaused = Symbol('kPaused');

/** What streams keep about their readable side; many packages look at its fields, so they have Node's names. */
function ReadableState(options, stream, isDuplex) {
  this.objectMode = !!options?.objectMode || (isDuplex && !!options?.readableObjectMode);
  this.highWaterMark = highWaterMarkFrom(options, this.objectMode, 'readableHighWaterMark', isDuplex);
  this.buffer = []; // chunks from `bufferIndex` on
  this.bufferIndex = 0;
  this.length = 0; // of what is buffered: chunks in object mode, else bytes or characters
  this.pipes = [];
  this.flowing = null; // null: nobody has decided yet
  this.ended = false; // no more chunks will be pushed
  this.endEmitted = false;
  this.reading = false; // _read was called and has not answered
  this.constructed = true;
  this.sync = true; // within _read
  this.needReadable = false;
  this.emittedReadable = false; // 'readable' is to come in the next tick
  this.readableListening = false;
  this.resumeScheduled = false;
  this.errorEmitted = false;
  this.emitClose = options?.emitClose !== false;
  this.autoDestroy = options?.autoDestroy !== false;
  this.destroyed = false;
  this.errored = null;
  this.closed = false;
  this.closeEmitted = false;
  this.defaultEncoding = options?.defaultEncoding || 'utf8';
  this.awaitDrainWriters = null; // who is full: one destination or a set of them, by multiAwaitDrain
  this.multiAwaitDrain = false;
  this.readingMore = false;
  this.dataEmitted = false;
  this.decoder = null;
  this.encoding = null;
  if (options?.encoding) setDecoder(this, options.encoding);
  this[kPaused] = null;
}
ReadableState.prototype = {};
ObjectDefineProperties(ReadableState.prototype, {
  constructor: { __proto__: null, value: ReadableState, writable: true, configurable: true, enumerable: false },
  pipesCount: {
    __proto__: null,
    get() {
      return this.pipes.length;
    },
  },
  paused: {
    __proto__: null,
    get() {
      return this[kPaused] !== false;
    },
    set(value) {
      this[kPaused] = Boolean(value);
    },
  },
});

function setDecoder(state, encoding) {
  const { StringDecoder } = use('node:string_decoder').default;
  state.decoder = new StringDecoder(encoding);
  state.encoding = state.decoder.encoding;
}

function Readable(options) {
  if (!(this instanceof Readable)) return new Readable(options);
  this._readableState = new ReadableState(options, this, false);
  adopt(this, options);
  FunctionPrototypeCall(Stream, this, options);
  construct(this, () => {
    if (this._readableState.needReadable) readMore(this, this._readableState);
  });
}
ObjectSetPrototypeOf(Readable.prototype, Stream.prototype);
ObjectSetPrototypeOf(Readable, Stream);
Readable.ReadableState = ReadableState;
Readable._fromList = take;
exports.Readable = Readable;
exports.ReadableState = ReadableState;

/** Takes methods from the options. */
function adopt(stream, options) {
  if (!options) return;
  if (typeof options.read === 'function') stream._read = options.read;
  if (typeof options.destroy === 'function') stream._destroy = options.destroy;
  if (typeof options.construct === 'function') stream._construct = options.construct;
  if (options.signal) use('node/internal/stream/abort').destroyOnAbort(options.signal, stream);
}

const { prototype } = Readable;
prototype.destroy = destroy;
prototype._undestroy = undestroy;
prototype._destroy = function _destroy(error, callback) {
  callback(error);
};
prototype[SymbolFor('nodejs.rejection')] = function onRejection(error) {
  this.destroy(error);
};
prototype[SymbolAsyncDispose] = function asyncDispose() {
  let error;
  if (!this.destroyed) {
    error = this.readableEnded ? null : new AbortError();
    this.destroy(error);
  }
  return new Promise((resolve, reject) => {
    use('node/internal/stream/finished').finished(this, (failure) =>
      failure && failure !== error ? reject(failure) : resolve(null),
    );
  });
};

// --- filling ---------------------------------------------------------------------------------------------------------

/** Adds a chunk at the end; false when it is better to wait for `_read`. null ends the stream. */
prototype.push = function push(chunk, encoding) {
  const state = this._readableState;
  return state.objectMode ? pushObject(this, state, chunk) : pushBytes(this, state, chunk, encoding);
};

/** Puts a chunk back at the front. */
prototype.unshift = function unshift(chunk, encoding) {
  const state = this._readableState;
  if (chunk === null) {
    state.reading = false;
    endOfInput(this, state);
    return false;
  }
  let own = chunk;
  if (!state.objectMode) {
    if (chunk === undefined) return hasRoom(state);
    own = unshiftable(state, chunk, encoding);
    if (own === undefined) {
      errorOrDestroy(this, wrongChunk(chunk));
      return false;
    }
    if (lengthOf(own) === 0) return hasRoom(state);
  }
  if (state.endEmitted) errorOrDestroy(this, ERR_STREAM_UNSHIFT_AFTER_END_EVENT());
  else if (state.destroyed || state.errored) return false;
  else addChunk(this, state, own, true);
  return hasRoom(state);
};

function wrongChunk(chunk) {
  return ERR_INVALID_ARG_TYPE('chunk', ['string', 'Buffer', 'TypedArray', 'DataView'], chunk);
}

/** The chunk as it is kept: text where there is a decoder, else bytes; undefined for what is neither. */
function unshiftable(state, chunk, encoding) {
  if (typeof chunk === 'string') {
    const from = encoding || state.defaultEncoding;
    if (state.encoding === from) return chunk;
    const bytes = Buffer.from(chunk, from);
    return state.encoding ? bytes.toString(state.encoding) : bytes;
  }
  if (chunk instanceof Buffer) return chunk;
  return isView(chunk) ? asBuffer(chunk) : undefined;
}

function pushBytes(stream, state, chunk, encoding) {
  if (chunk === null) {
    state.reading = false;
    endOfInput(stream, state);
    return false;
  }
  let own = chunk;
  let decoded = false; // it is text in the stream's own encoding
  if (typeof chunk === 'string') {
    const from = encoding || state.defaultEncoding;
    decoded = state.encoding === from;
    if (!decoded) own = Buffer.from(chunk, from);
  } else if (isView(chunk)) {
    if (!(chunk instanceof Buffer)) own = asBuffer(chunk);
  } else if (chunk !== undefined) {
    errorOrDestroy(stream, wrongChunk(chunk));
    return false;
  }
  if (own === undefined || lengthOf(own) === 0) {
    state.reading = false;
    readMore(stream, state);
    return hasRoom(state);
  }
  if (!accepts(stream, state)) return false;
  state.reading = false;
  if (state.decoder !== null && !decoded) {
    own = state.decoder.write(own);
    if (own.length === 0) {
      readMore(stream, state);
      return hasRoom(state);
    }
  }
  addChunk(stream, state, own, false);
  return hasRoom(state);
}

function pushObject(stream, state, chunk) {
  if (chunk === null) {
    state.reading = false;
    endOfInput(stream, state);
    return false;
  }
  if (!accepts(stream, state)) return false;
  state.reading = false;
  const own = state.decoder !== null && chunk ? state.decoder.write(chunk) : chunk;
  addChunk(stream, state, own, false);
  return hasRoom(state);
}

function accepts(stream, state) {
  if (state.ended) {
    errorOrDestroy(stream, ERR_STREAM_PUSH_AFTER_EOF());
    return false;
  }
  return !state.destroyed && !state.errored;
}

/** An empty stream takes a chunk of any size. */
function hasRoom(state) {
  return !state.ended && (state.length < state.highWaterMark || state.length === 0);
}

function addChunk(stream, state, chunk, first) {
  if (state.flowing && state.length === 0 && !state.sync && stream.listenerCount('data') > 0) {
    nobodyIsFull(state);
    state.dataEmitted = true;
    stream.emit('data', chunk);
  } else {
    state.length += state.objectMode ? 1 : lengthOf(chunk);
    if (!first) ArrayPrototypePush(state.buffer, chunk);
    else if (state.bufferIndex > 0) state.buffer[--state.bufferIndex] = chunk;
    else ArrayPrototypeUnshift(state.buffer, chunk);
    if (state.needReadable) announceReadable(stream);
  }
  readMore(stream, state);
}

/** A chunk was delivered: what was full before is asked again. */
function nobodyIsFull(state) {
  if (state.multiAwaitDrain) state.awaitDrainWriters.clear();
  else state.awaitDrainWriters = null;
}

function endOfInput(stream, state) {
  if (state.ended) return;
  if (state.decoder !== null) {
    const rest = state.decoder.end();
    if (rest && rest.length > 0) {
      ArrayPrototypePush(state.buffer, rest);
      state.length += state.objectMode ? 1 : rest.length;
    }
  }
  state.ended = true;
  if (state.sync) {
    announceReadable(stream);
  } else {
    state.needReadable = false;
    state.emittedReadable = true;
    emitReadable(stream);
  }
}

/** Reads ahead, from the next tick on, as long as there is room. */
function readMore(stream, state) {
  if (state.readingMore || !state.constructed) return;
  state.readingMore = true;
  process.nextTick(readAhead, stream, state);
}

function readAhead(stream, state) {
  while (
    !state.reading &&
    !state.ended &&
    (state.length < state.highWaterMark || (state.flowing && state.length === 0))
  ) {
    const before = state.length;
    stream.read(0);
    if (before === state.length) break; // it has nothing now
  }
  state.readingMore = false;
}

// --- reading ---------------------------------------------------------------------------------------------------------

/** How much read(count) gives now. */
function available(state, count) {
  if (count <= 0 || (state.length === 0 && state.ended)) return 0;
  if (state.objectMode) return 1;
  if (NumberIsNaN(count)) {
    // All there is; while flowing, chunk by chunk.
    return state.flowing && state.length > 0 ? lengthOf(state.buffer[state.bufferIndex]) : state.length;
  }
  if (count <= state.length) return count;
  return state.ended ? state.length : 0;
}

function raiseHighWaterMark(count) {
  if (count > MAX_HIGH_WATER_MARK) throw ERR_OUT_OF_RANGE('size', '<= 1GiB', count);
  let mark = 1;
  while (mark < count) mark *= 2;
  return mark;
}

/** Takes a chunk out: all that is buffered, or `size` bytes once there are as many; null when there is none (yet). */
prototype.read = function read(size) {
  let count = size;
  if (count === undefined) count = NaN;
  else if (!NumberIsInteger(count)) count = NumberParseInt(count, 10);
  const wanted = count;
  const state = this._readableState;
  if (count > state.highWaterMark) state.highWaterMark = raiseHighWaterMark(count);
  if (count !== 0) state.emittedReadable = false;

  if (count === 0 && state.needReadable) {
    const full = state.highWaterMark !== 0 ? state.length >= state.highWaterMark : state.length > 0;
    if (full || state.ended) {
      if (state.length === 0 && state.ended) endReadable(this);
      else announceReadable(this);
      return null;
    }
  }
  count = available(state, count);
  if (count === 0 && state.ended) {
    if (state.length === 0) endReadable(this);
    return null;
  }
  const low = state.needReadable || state.length === 0 || state.length - count < state.highWaterMark;
  if (low && !state.ended && !state.reading && !state.destroyed && !state.errored && state.constructed) {
    callRead(this, state);
    if (!state.reading) count = available(state, wanted); // it was pushed at once
  }
  const chunk = count > 0 ? take(state, count) : null;
  if (chunk === null) {
    if (state.length <= state.highWaterMark) state.needReadable = true;
    count = 0;
  } else {
    state.length -= count;
    nobodyIsFull(state);
  }
  if (state.length === 0) {
    if (!state.ended) state.needReadable = true;
    if (wanted !== count && state.ended) endReadable(this);
  }
  if (chunk !== null && !state.errorEmitted && !state.closeEmitted) {
    state.dataEmitted = true;
    this.emit('data', chunk);
  }
  return chunk;
};

function callRead(stream, state) {
  state.reading = true;
  state.sync = true;
  if (state.length === 0) state.needReadable = true;
  try {
    stream._read(state.highWaterMark);
  } catch (error) {
    errorOrDestroy(stream, error);
  }
  state.sync = false;
}

prototype._read = function _read() {
  throw ERR_METHOD_NOT_IMPLEMENTED('_read()');
};

/** Has 'readable' emitted in the next tick, once. */
function announceReadable(stream) {
  const state = stream._readableState;
  state.needReadable = false;
  if (state.emittedReadable) return;
  state.emittedReadable = true;
  process.nextTick(emitReadable, stream);
}

function emitReadable(stream) {
  const state = stream._readableState;
  if (!state.destroyed && !state.errored && (state.length > 0 || state.ended)) {
    stream.emit('readable');
    state.emittedReadable = false;
  }
  if (!state.flowing && !state.ended && state.length <= state.highWaterMark) state.needReadable = true;
  flow(stream);
}

function flow(stream) {
  const state = stream._readableState;
  while (state.flowing && stream.read() !== null);
}

function endReadable(stream) {
  const state = stream._readableState;
  if (state.endEmitted) return;
  state.ended = true;
  process.nextTick(emitEnd, state, stream);
}

function emitEnd(state, stream) {
  if (state.errored || state.closeEmitted || state.endEmitted || state.length > 0) return;
  state.endEmitted = true;
  stream.emit('end');
  if (stream.writable && stream.allowHalfOpen === false) {
    process.nextTick(endWritable, stream);
  } else if (state.autoDestroy) {
    const write = stream._writableState;
    if (!write || (write.autoDestroy && (write.finished || write.writable === false))) stream.destroy();
  }
}

function endWritable(stream) {
  if (stream.writable && !stream.writableEnded && !stream.destroyed) stream.end();
}

// --- pausing, flowing, listening -------------------------------------------------------------------------------------

prototype.isPaused = function isPaused() {
  return this._readableState[kPaused] === true || this._readableState.flowing === false;
};

prototype.resume = function resume() {
  const state = this._readableState;
  if (!state.flowing) {
    // A listener for 'readable' decides alone when is read.
    state.flowing = !state.readableListening;
    if (!state.resumeScheduled) {
      state.resumeScheduled = true;
      process.nextTick(resumeNow, this, state);
    }
  }
  state[kPaused] = false;
  return this;
};

function resumeNow(stream, state) {
  if (!state.reading) stream.read(0);
  state.resumeScheduled = false;
  stream.emit('resume');
  flow(stream);
  if (state.flowing && !state.reading) stream.read(0);
}

prototype.pause = function pause() {
  const state = this._readableState;
  if (state.flowing !== false) {
    state.flowing = false;
    this.emit('pause');
  }
  state[kPaused] = true;
  return this;
};

prototype.setEncoding = function setEncoding(encoding) {
  const state = this._readableState;
  setDecoder(state, encoding);
  let text = '';
  for (let index = state.bufferIndex; index < state.buffer.length; index++)
    text += state.decoder.write(state.buffer[index]);
  state.buffer.length = 0;
  state.bufferIndex = 0;
  if (text !== '') ArrayPrototypePush(state.buffer, text);
  state.length = text.length;
  return this;
};

prototype.on = function on(event, listener) {
  const result = FunctionPrototypeCall(Stream.prototype.on, this, event, listener);
  const state = this._readableState;
  if (event === 'data') {
    state.readableListening = this.listenerCount('readable') > 0;
    if (state.flowing !== false) this.resume();
  } else if (event === 'readable' && !state.endEmitted && !state.readableListening) {
    state.readableListening = true;
    state.needReadable = true;
    state.flowing = false;
    state.emittedReadable = false;
    if (state.length > 0) announceReadable(this);
    else if (!state.reading) process.nextTick(readNothing, this);
  }
  return result;
};
prototype.addListener = prototype.on;

function readNothing(stream) {
  stream.read(0);
}

prototype.removeListener = function removeListener(event, listener) {
  const result = FunctionPrototypeCall(Stream.prototype.removeListener, this, event, listener);
  // It may be a listener that takes itself away, and 'readable' is not over: the new state is looked at afterwards.
  if (event === 'readable') process.nextTick(lookAtListeners, this);
  return result;
};
prototype.off = prototype.removeListener;

prototype.removeAllListeners = function removeAllListeners(event) {
  const result = ReflectApply(Stream.prototype.removeAllListeners, this, arguments);
  if (event === 'readable' || event === undefined) process.nextTick(lookAtListeners, this);
  return result;
};

function lookAtListeners(stream) {
  const state = stream._readableState;
  state.readableListening = stream.listenerCount('readable') > 0;
  if (state.resumeScheduled && state[kPaused] === false) state.flowing = true;
  else if (stream.listenerCount('data') > 0) stream.resume();
  else if (!state.readableListening) state.flowing = null;
}

// --- onward: the other ways to read ----------------------------------------------------------------------------------

prototype.pipe = pipe;
prototype.unpipe = unpipe;

/** Reads from a stream of the oldest kind, which only has events. */
prototype.wrap = function wrap(stream) {
  return use('node/internal/stream/wrap').wrapInto(this, stream);
};

prototype[SymbolAsyncIterator] = function asyncIterator() {
  return use('node/internal/stream/iterate').iterate(this);
};

prototype.iterator = function iterator(options) {
  if (options !== undefined) validateObject(options, 'options');
  return use('node/internal/stream/iterate').iterate(this, options);
};

Readable.from = function from(iterable, options) {
  return use('node/internal/stream/from').readableFrom(Readable, iterable, options);
};

Readable.fromWeb = function fromWeb(readableStream, options) {
  return use('node/internal/stream/web_adapters').readableFromWeb(readableStream, options);
};

Readable.toWeb = function toWeb(streamReadable, options) {
  return use('node/internal/stream/web_adapters').readableToWeb(streamReadable, options);
};

Readable.wrap = function wrap(source, options) {
  return use('node/internal/stream/wrap').wrap(source, options);
};
use('node/internal/stream/operator_methods').defineOperators(prototype);

ObjectDefineProperties(prototype, readableFacts);

exports.readMore = readMore;
