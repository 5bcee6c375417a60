// stream.Writable: a queue of chunks that `_write` takes one by one, or `_writev` all at once.
const {
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  Error,
  FunctionPrototypeSymbolHasInstance,
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectSetPrototypeOf,
  FunctionPrototypeCall,
  Promise,
  StringPrototypeToLowerCase,
  Symbol,
  SymbolAsyncDispose,
  SymbolFor,
  SymbolHasInstance,
} = primordials;
const {
  AbortError,
  ERR_INVALID_ARG_TYPE,
  ERR_METHOD_NOT_IMPLEMENTED,
  ERR_MULTIPLE_CALLBACK,
  ERR_STREAM_ALREADY_FINISHED,
  ERR_STREAM_CANNOT_PIPE,
  ERR_STREAM_DESTROYED,
  ERR_STREAM_NULL_VALUES,
  ERR_STREAM_WRITE_AFTER_END,
  ERR_UNKNOWN_ENCODING,
} = use('node/internal/errors');
const { writableFacts } = use('node/internal/stream/facts');
const { Stream } = use('node/internal/stream/legacy');
const { dropFirst } = use('node/internal/stream/queue');
const { asBuffer, highWaterMarkFrom, isView, lengthOf } = use('node/internal/stream/state');
const { construct, destroy, errorOrDestroy, undestroy } = use('node/internal/stream/lifecycle');
const process = use('node:process').default;
const { Buffer } = use('node:buffer').default;

const GONE_CHUNKS = 256; // places at the front of the queue that may be empty, whatever its length
const kOnFinished = Symbol('kOnFinished');
const nothing = () => {};

/** What streams keep about their writable side; many packages look at its fields, so they have Node's names. */
function WritableState(options, stream, isDuplex) {
  this.objectMode = !!options?.objectMode || (isDuplex && !!options?.writableObjectMode);
  this.highWaterMark = highWaterMarkFrom(options, this.objectMode, 'writableHighWaterMark', isDuplex);
  this.finalCalled = false;
  this.needDrain = false;
  this.ending = false; // end() was called
  this.ended = false; // and has returned
  this.finished = false; // 'finish' was or is being emitted
  this.destroyed = false;
  this.decodeStrings = options?.decodeStrings !== false;
  this.defaultEncoding = options?.defaultEncoding ?? 'utf8';
  if (!Buffer.isEncoding(this.defaultEncoding)) throw ERR_UNKNOWN_ENCODING(this.defaultEncoding);
  this.length = 0; // of what is not written yet: chunks in object mode, else bytes or characters
  this.writing = false; // _write was called and has not answered
  this.corked = 0;
  this.sync = true; // within _write
  this.bufferProcessing = false;
  this.onwrite = (error) => onWritten(stream, this, error);
  this.writecb = null; // of the chunk that is being written
  this.writelen = 0;
  this.afterWriteTickInfo = null;
  forget(this);
  this.pendingcb = 0; // callbacks that 'finish' waits for
  this.constructed = true;
  this.prefinished = false;
  this.errorEmitted = false;
  this.emitClose = options?.emitClose !== false;
  this.autoDestroy = options?.autoDestroy !== false;
  this.errored = null;
  this.closed = false;
  this.closeEmitted = false;
  this[kOnFinished] = [];
}
ObjectDefineProperty(WritableState.prototype, 'getBuffer', {
  __proto__: null,
  value: function getBuffer() {
    return ArrayPrototypeSlice(this.buffered, this.bufferedIndex);
  },
  writable: true,
  configurable: true,
  enumerable: true,
});
ObjectDefineProperty(WritableState.prototype, 'bufferedRequestCount', {
  __proto__: null,
  get() {
    return this.buffered.length - this.bufferedIndex;
  },
});

function forget(state) {
  state.buffered = []; // { chunk, encoding, callback } from `bufferedIndex` on
  state.bufferedIndex = 0;
  state.allBuffers = true;
  state.allNoop = true;
}

function Writable(options) {
  if (!(this instanceof Writable)) return new Writable(options);
  this._writableState = new WritableState(options, this, false);
  if (options) {
    if (typeof options.write === 'function') this._write = options.write;
    if (typeof options.writev === 'function') this._writev = options.writev;
    if (typeof options.destroy === 'function') this._destroy = options.destroy;
    if (typeof options.final === 'function') this._final = options.final;
    if (typeof options.construct === 'function') this._construct = options.construct;
    if (options.signal) use('node/internal/stream/abort').destroyOnAbort(options.signal, this);
  }
  FunctionPrototypeCall(Stream, this, options);
  construct(this, () => goOn(this, this._writableState));
}
ObjectSetPrototypeOf(Writable.prototype, Stream.prototype);
ObjectSetPrototypeOf(Writable, Stream);
Writable.WritableState = WritableState;
exports.Writable = Writable;
exports.WritableState = WritableState;

/** Does what had to wait until the stream was constructed. */
function goOn(stream, state) {
  if (!state.writing) writeBuffered(stream, state);
  if (state.ending) finishIfDone(stream, state);
}
exports.goOn = goOn;

// Duplex streams are writable streams, too, although their class has another parent.
ObjectDefineProperty(Writable, SymbolHasInstance, {
  __proto__: null,
  value: function hasInstance(value) {
    if (FunctionPrototypeSymbolHasInstance(this, value)) return true;
    return this === Writable && !!value && value._writableState instanceof WritableState;
  },
});

const { prototype } = Writable;

prototype.pipe = function pipe() {
  errorOrDestroy(this, ERR_STREAM_CANNOT_PIPE());
};

// --- writing ---------------------------------------------------------------------------------------------------------

/** Takes a chunk in; the error if it cannot be taken, else whether there is room for more. */
function take(stream, given, encodingOrCallback, givenCallback) {
  const state = stream._writableState;
  let callback = givenCallback;
  let encoding = encodingOrCallback;
  if (typeof encoding === 'function') {
    callback = encoding;
    encoding = null;
  }
  if (typeof callback !== 'function') callback = nothing;
  let chunk = given;
  if (chunk === null) throw ERR_STREAM_NULL_VALUES();
  if (!state.objectMode) {
    if (!encoding) encoding = state.defaultEncoding;
    else if (encoding !== 'buffer' && !Buffer.isEncoding(encoding)) throw ERR_UNKNOWN_ENCODING(encoding);
    if (typeof chunk === 'string') {
      if (state.decodeStrings !== false) {
        chunk = Buffer.from(chunk, encoding);
        encoding = 'buffer';
      }
    } else if (isView(chunk)) {
      if (!(chunk instanceof Buffer)) chunk = asBuffer(chunk);
      encoding = 'buffer';
    } else {
      throw ERR_INVALID_ARG_TYPE('chunk', ['string', 'Buffer', 'TypedArray', 'DataView'], chunk);
    }
  }
  let error;
  if (state.ending) error = ERR_STREAM_WRITE_AFTER_END();
  else if (state.destroyed) error = ERR_STREAM_DESTROYED('write');
  if (error !== undefined) {
    process.nextTick(callback, error);
    errorOrDestroy(stream, error, true);
    return error;
  }
  state.pendingcb++;
  return writeOrKeep(stream, state, chunk, encoding, callback);
}

prototype.write = function write(chunk, encoding, callback) {
  return take(this, chunk, encoding, callback) === true;
};

function writeOrKeep(stream, state, chunk, encoding, callback) {
  const length = state.objectMode ? 1 : lengthOf(chunk);
  state.length += length;
  if (state.writing || state.corked || state.errored || !state.constructed) {
    ArrayPrototypePush(state.buffered, { chunk, encoding, callback });
    if (encoding !== 'buffer') state.allBuffers = false;
    if (callback !== nothing) state.allNoop = false;
  } else {
    callWrite(stream, state, length, chunk, encoding, callback);
  }
  // What was written at once counts no more.
  const room = state.length < state.highWaterMark || state.length === 0;
  if (!room) state.needDrain = true;
  return room && !state.errored && !state.destroyed;
}

function startWrite(state, length, callback) {
  state.writelen = length;
  state.writecb = callback;
  state.writing = true;
  state.sync = true;
}

function callWrite(stream, state, length, chunk, encoding, callback) {
  startWrite(state, length, callback);
  if (state.destroyed) state.onwrite(ERR_STREAM_DESTROYED('write'));
  else stream._write(chunk, encoding, state.onwrite);
  state.sync = false;
}

prototype._write = function _write(chunk, encoding, callback) {
  if (!this._writev) throw ERR_METHOD_NOT_IMPLEMENTED('_write()');
  this._writev([{ chunk, encoding }], callback);
};
prototype._writev = null;

/** `_write` or `_writev` has answered. */
function onWritten(stream, state, error) {
  const { sync, writecb: callback } = state;
  if (typeof callback !== 'function') {
    errorOrDestroy(stream, ERR_MULTIPLE_CALLBACK());
    return;
  }
  state.writing = false;
  state.writecb = null;
  state.length -= state.writelen;
  state.writelen = 0;
  if (error) {
    state.errored ??= error;
    if (stream._readableState && !stream._readableState.errored) stream._readableState.errored = error;
    if (sync) process.nextTick(failWrite, stream, state, error, callback);
    else failWrite(stream, state, error, callback);
    return;
  }
  if (state.buffered.length > state.bufferedIndex) writeBuffered(stream, state);
  if (sync) answerLater(stream, state, callback);
  else answer(stream, state, 1, callback);
}

/** Answers in the next tick: once for many writes with the same callback in a row, not at all where nobody listens. */
function answerLater(stream, state, callback) {
  const info = state.afterWriteTickInfo;
  if (info !== null && info.callback === callback) {
    info.count++;
    return;
  }
  const drains = state.needDrain && state.length === 0;
  if (callback === nothing && !drains && !state.destroyed && !state.objectMode) {
    state.pendingcb--;
    if (state.ending) finishIfDone(stream, state, true);
    return;
  }
  state.afterWriteTickInfo = { count: 1, callback };
  process.nextTick(answerNoted, stream, state, state.afterWriteTickInfo);
}

function answerNoted(stream, state, info) {
  if (state.afterWriteTickInfo === info) state.afterWriteTickInfo = null;
  answer(stream, state, info.count, info.callback);
}

function answer(stream, state, count, callback) {
  if (!state.ending && !stream.destroyed && state.length === 0 && state.needDrain) {
    state.needDrain = false;
    stream.emit('drain');
  }
  for (let left = count; left > 0; left--) {
    state.pendingcb--;
    callback(null);
  }
  if (state.destroyed) failBuffered(state);
  finishIfDone(stream, state, true);
}

function failWrite(stream, state, error, callback) {
  state.pendingcb--;
  callback(error);
  failBuffered(state);
  errorOrDestroy(stream, error);
}

/** Whoever still waits gets an error. */
function failBuffered(state) {
  if (state.writing) return;
  for (let index = state.bufferedIndex; index < state.buffered.length; index++) {
    const { chunk, callback } = state.buffered[index];
    state.length -= state.objectMode ? 1 : lengthOf(chunk);
    callback(state.errored ?? ERR_STREAM_DESTROYED('write'));
  }
  tellFinished(state, state.errored ?? ERR_STREAM_DESTROYED('end'));
  forget(state);
}

/** Calls the callbacks of end(). */
function tellFinished(state, error) {
  const callbacks = state[kOnFinished];
  state[kOnFinished] = [];
  for (let index = 0; index < callbacks.length; index++) callbacks[index](error);
}

/** Writes what was kept, until a write has to be waited for. */
function writeBuffered(stream, state) {
  if (state.corked || state.bufferProcessing || state.destroyed || !state.constructed) return;
  const { buffered, bufferedIndex, objectMode } = state;
  const count = buffered.length - bufferedIndex;
  if (count === 0) return;
  state.bufferProcessing = true;
  if (count > 1 && stream._writev) {
    writeAll(stream, state, buffered, bufferedIndex);
  } else {
    let index = bufferedIndex;
    do {
      const { chunk, encoding, callback } = buffered[index];
      buffered[index++] = null;
      callWrite(stream, state, objectMode ? 1 : lengthOf(chunk), chunk, encoding, callback);
    } while (index < buffered.length && !state.writing);
    if (index === buffered.length) {
      forget(state);
    } else if (index > GONE_CHUNKS && index * 2 > buffered.length) {
      dropFirst(buffered, index);
      state.bufferedIndex = 0;
    } else {
      state.bufferedIndex = index;
    }
  }
  state.bufferProcessing = false;
}

function writeAll(stream, state, buffered, from) {
  state.pendingcb -= buffered.length - from - 1; // one callback stands for all
  const callback = state.allNoop
    ? nothing
    : (error) => {
        for (let index = from; index < buffered.length; index++) buffered[index].callback(error);
      };
  const chunks = state.allNoop && from === 0 ? buffered : ArrayPrototypeSlice(buffered, from);
  chunks.allBuffers = state.allBuffers;
  startWrite(state, state.length, callback);
  if (state.destroyed) state.onwrite(ERR_STREAM_DESTROYED('write'));
  else stream._writev(chunks, state.onwrite);
  state.sync = false;
  forget(state);
}

prototype.cork = function cork() {
  this._writableState.corked++;
};

prototype.uncork = function uncork() {
  const state = this._writableState;
  if (!state.corked) return;
  state.corked--;
  if (!state.writing) writeBuffered(this, state);
};

prototype.setDefaultEncoding = function setDefaultEncoding(encoding) {
  const name = typeof encoding === 'string' ? StringPrototypeToLowerCase(encoding) : encoding;
  if (!Buffer.isEncoding(name)) throw ERR_UNKNOWN_ENCODING(name);
  this._writableState.defaultEncoding = name;
  return this;
};

// --- the end ---------------------------------------------------------------------------------------------------------

prototype.end = function end(chunkOrCallback, encodingOrCallback, givenCallback) {
  const state = this._writableState;
  let chunk = chunkOrCallback;
  let encoding = encodingOrCallback;
  let callback = givenCallback;
  if (typeof chunk === 'function') {
    callback = chunk;
    chunk = null;
    encoding = null;
  } else if (typeof encoding === 'function') {
    callback = encoding;
    encoding = null;
  }
  let error;
  if (chunk !== null && chunk !== undefined) {
    const taken = take(this, chunk, encoding);
    if (taken instanceof Error) error = taken;
  }
  if (state.corked) {
    state.corked = 1;
    this.uncork();
  }
  if (error !== undefined) {
    // The last chunk was refused, and that error is told.
  } else if (!state.errored && !state.ending) {
    state.ending = true;
    finishIfDone(this, state, true);
    state.ended = true;
  } else if (state.finished) {
    error = ERR_STREAM_ALREADY_FINISHED('end');
  } else if (state.destroyed) {
    error = ERR_STREAM_DESTROYED('end');
  }
  if (typeof callback === 'function') {
    if (error !== undefined) process.nextTick(callback, error);
    else if (state.errored) process.nextTick(callback, state.errored);
    else if (state.finished) process.nextTick(callback, null);
    else ArrayPrototypePush(state[kOnFinished], callback);
  }
  return this;
};

function canFinish(state) {
  return (
    state.ending &&
    !state.destroyed &&
    state.constructed &&
    state.length === 0 &&
    !state.errored &&
    state.buffered.length === 0 &&
    !state.finished &&
    !state.writing &&
    !state.errorEmitted &&
    !state.closeEmitted
  );
}

/** Goes on to the end if all is written; `later` when a call of the program's is on the stack. */
function finishIfDone(stream, state, later = false) {
  if (!canFinish(state)) return;
  prefinish(stream, state);
  if (state.pendingcb !== 0) return;
  if (later) {
    state.pendingcb++;
    process.nextTick(finishStill, stream, state);
  } else if (canFinish(state)) {
    state.pendingcb++;
    finish(stream, state);
  }
}

function finishStill(stream, state) {
  if (canFinish(state)) finish(stream, state);
  else state.pendingcb--;
}

function prefinish(stream, state) {
  if (state.prefinished || state.finalCalled) return;
  if (typeof stream._final === 'function' && !state.destroyed) {
    state.finalCalled = true;
    callFinal(stream, state);
  } else {
    state.prefinished = true;
    stream.emit('prefinish');
  }
}

function callFinal(stream, state) {
  let called = false;
  const done = (error) => {
    if (called) {
      errorOrDestroy(stream, error ?? ERR_MULTIPLE_CALLBACK());
      return;
    }
    called = true;
    state.pendingcb--;
    if (error) {
      tellFinished(state, error);
      errorOrDestroy(stream, error, state.sync);
    } else if (canFinish(state)) {
      state.prefinished = true;
      stream.emit('prefinish');
      state.pendingcb++;
      process.nextTick(finish, stream, state);
    }
  };
  state.sync = true;
  state.pendingcb++;
  try {
    stream._final(done);
  } catch (error) {
    done(error);
  }
  state.sync = false;
}

function finish(stream, state) {
  state.pendingcb--;
  state.finished = true;
  tellFinished(state, null);
  stream.emit('finish');
  if (!state.autoDestroy) return;
  const read = stream._readableState;
  if (!read || (read.autoDestroy && (read.endEmitted || read.readable === false))) stream.destroy();
}

prototype.destroy = function destroyWritable(error, callback) {
  const state = this._writableState;
  if (!state.destroyed && (state.bufferedIndex < state.buffered.length || state[kOnFinished].length > 0)) {
    process.nextTick(failBuffered, state);
  }
  FunctionPrototypeCall(destroy, this, error, callback);
  return this;
};
ObjectDefineProperty(prototype.destroy, 'name', { __proto__: null, value: 'destroy', configurable: true });
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
    error = this.writableFinished ? null : new AbortError();
    this.destroy(error);
  }
  return new Promise((resolve, reject) => {
    use('node/internal/stream/finished').finished(this, (failure) =>
      failure && failure.name !== 'AbortError' ? reject(failure) : resolve(null),
    );
  });
};

Writable.fromWeb = function fromWeb(writableStream, options) {
  return use('node/internal/stream/web_adapters').writableFromWeb(writableStream, options);
};
Writable.toWeb = function toWeb(streamWritable) {
  return use('node/internal/stream/web_adapters').writableToWeb(streamWritable);
};

ObjectDefineProperties(prototype, writableFacts);
