// How a stream comes up (`_construct`), and how it goes down: destroy(), and the errors that end it. A duplex stream
// goes through both once, for both of its sides.
const { AggregateError, ArrayIsArray, ArrayPrototypePush, Symbol, SymbolIterator } = primordials;
const { AbortError, ERR_MULTIPLE_CALLBACK } = use('node/internal/errors');
const { isDestroyed, isFinished, isServerRequest, kDestroyed } = use('node/internal/stream/state');
const process = use('node:process').default;

// Events that nobody else listens for: what waits until a stream is constructed.
const kConstruct = Symbol('kConstruct');
const kDestroy = Symbol('kDestroy');
/** A method of streams that can do at once what their destruction waits for. */
const kHurry = Symbol('kHurry');
exports.kHurry = kHurry;

/** An iterable of two values, whatever has become of the iterators of arrays. */
function pairOf(one, other) {
  let given = 0;
  return {
    __proto__: null,
    [SymbolIterator]() {
      return this;
    },
    next() {
      given++;
      return { __proto__: null, value: given === 1 ? one : other, done: given > 2 };
    },
  };
}

/** Two errors as one; the later one leads. */
function mergeErrors(first, later) {
  if (!first || !later || first === later) return first || later;
  if (ArrayIsArray(later.errors)) {
    ArrayPrototypePush(later.errors, first);
    return later;
  }
  const merged = new AggregateError(pairOf(later, first), later.message);
  merged.code = later.code;
  return merged;
}

function noteError(stream, error) {
  if (!error) return;
  const { _readableState: read, _writableState: write } = stream;
  if (write && !write.errored) write.errored = error;
  if (read && !read.errored) read.errored = error;
}

// --- going down ------------------------------------------------------------------------------------------------------

function destroy(error, callback) {
  const { _readableState: read, _writableState: write } = this;
  if (read?.destroyed || write?.destroyed) {
    if (typeof callback === 'function') callback();
    return this;
  }
  noteError(this, error);
  if (write) write.destroyed = true;
  if (read) read.destroyed = true;
  if ((write || read).constructed) {
    tearDown(this, error, callback);
  } else {
    this.once(kDestroy, (constructError) => tearDown(this, mergeErrors(constructError, error), callback));
    this[kHurry]?.();
  }
  return this;
}

/** Calls `_destroy`, which may take its time, then tells of it. */
function tearDown(stream, error, callback) {
  let done = false;
  const finish = (failure) => {
    if (done) return;
    done = true;
    const { _readableState: read, _writableState: write } = stream;
    noteError(stream, failure);
    if (write) write.closed = true;
    if (read) read.closed = true;
    if (typeof callback === 'function') callback(failure);
    if (failure) process.nextTick(emitErrorAndClose, stream, failure);
    else process.nextTick(emitClose, stream);
  };
  try {
    stream._destroy(error || null, finish);
  } catch (thrown) {
    finish(thrown);
  }
}

function emitErrorAndClose(stream, error) {
  emitError(stream, error);
  emitClose(stream);
}

function emitClose(stream) {
  const { _readableState: read, _writableState: write } = stream;
  if (write) write.closeEmitted = true;
  if (read) read.closeEmitted = true;
  if (write?.emitClose || read?.emitClose) stream.emit('close');
}

function emitError(stream, error) {
  const { _readableState: read, _writableState: write } = stream;
  if (write?.errorEmitted || read?.errorEmitted) return;
  if (write) write.errorEmitted = true;
  if (read) read.errorEmitted = true;
  stream.emit('error', error);
}

/** Makes a destroyed stream one that has not begun: for those that are used again. */
function undestroy() {
  const { _readableState: read, _writableState: write } = this;
  if (read) {
    read.constructed = true;
    read.closed = false;
    read.closeEmitted = false;
    read.destroyed = false;
    read.errored = null;
    read.errorEmitted = false;
    read.reading = false;
    read.ended = read.readable === false;
    read.endEmitted = read.readable === false;
  }
  if (write) {
    write.constructed = true;
    write.destroyed = false;
    write.closed = false;
    write.closeEmitted = false;
    write.errored = null;
    write.errorEmitted = false;
    write.finalCalled = false;
    write.prefinished = false;
    write.ended = write.writable === false;
    write.ending = write.writable === false;
    write.finished = write.writable === false;
  }
}

/**
 * Ends the stream with an error that it met itself: destroys it, or, where it is not destroyed by itself, only tells of
 * the error; `later` puts that off, since the caller is still in a call of the program's.
 */
function errorOrDestroy(stream, error, later = false) {
  const { _readableState: read, _writableState: write } = stream;
  if (write?.destroyed || read?.destroyed) return;
  if (read?.autoDestroy || write?.autoDestroy) {
    stream.destroy(error);
  } else if (error) {
    noteError(stream, error);
    if (later) process.nextTick(emitError, stream, error);
    else emitError(stream, error);
  }
}

/** Destroys a stream of any make; without an error, one that is not finished gets an AbortError. */
function destroyAny(stream, given) {
  if (!stream || isDestroyed(stream)) return;
  const error = !given && !isFinished(stream) ? new AbortError() : given;
  if (isServerRequest(stream)) {
    stream.socket = null;
    stream.destroy(error);
  } else if (typeof stream.abort === 'function' && stream.setHeader) {
    stream.abort();
  } else if (typeof stream.req?.abort === 'function' && stream.req.setHeader) {
    stream.req.abort();
  } else if (typeof stream.destroy === 'function') {
    stream.destroy(error);
  } else if (typeof stream.close === 'function') {
    stream.close();
  }
  if (!stream.destroyed) stream[kDestroyed] = true;
}

// --- coming up -------------------------------------------------------------------------------------------------------

/** Has `_construct` called in the next tick, and `callback` when it is done; without one, the stream is up already. */
function construct(stream, callback) {
  if (typeof stream._construct !== 'function') return;
  const { _readableState: read, _writableState: write } = stream;
  if (read) read.constructed = false;
  if (write) write.constructed = false;
  stream.once(kConstruct, callback);
  if (stream.listenerCount(kConstruct) > 1) return; // the other side of a duplex stream was here
  process.nextTick(callConstruct, stream);
}

function callConstruct(stream) {
  let called = false;
  const finish = (error) => {
    if (called) {
      errorOrDestroy(stream, error ?? ERR_MULTIPLE_CALLBACK());
      return;
    }
    called = true;
    const { _readableState: read, _writableState: write } = stream;
    if (read) read.constructed = true;
    if (write) write.constructed = true;
    if ((write || read).destroyed) stream.emit(kDestroy, error);
    else if (error) errorOrDestroy(stream, error, true);
    else stream.emit(kConstruct);
  };
  try {
    stream._construct((error) => process.nextTick(finish, error));
  } catch (error) {
    process.nextTick(finish, error);
  }
}

exports.construct = construct;
exports.destroy = destroy;
exports.destroyAny = destroyAny;
exports.errorOrDestroy = errorOrDestroy;
exports.mergeErrors = mergeErrors;
exports.undestroy = undestroy;
