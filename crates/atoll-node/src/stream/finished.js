// stream.finished: calls back when a stream can do nothing more, however that came about.
const { ObjectDefineProperty, Promise, ReflectApply, SymbolFor } = primordials;
const { ERR_INVALID_ARG_TYPE, ERR_STREAM_PREMATURE_CLOSE } = use('node/internal/errors');
const { validateAbortSignal, validateBoolean, validateFunction, validateObject } = use('node/internal/validators');
const { abortError, onAbort } = use('node/internal/stream/abort');
const {
  erroredOf,
  isClosed,
  isNodeStream,
  isReadable,
  isReadableFinished,
  isReadableNodeStream,
  isReadableStream,
  isRequest,
  isWritable,
  isWritableFinished,
  isWritableNodeStream,
  isWritableStream,
  willEmitClose,
} = use('node/internal/stream/state');
const process = use('node:process').default;

const nothing = () => {};

function once(callback) {
  let called = false;
  return function (...values) {
    if (called) return;
    called = true;
    ReflectApply(callback, this, values);
  };
}

/** Returns what takes the listeners away; 'error' events are swallowed until then. */
function finished(stream, givenOptions, givenCallback) {
  let options = givenOptions;
  let callback = givenCallback;
  if (arguments.length === 2) {
    callback = options;
    options = {};
  } else if (options === undefined || options === null) {
    options = {};
  } else {
    validateObject(options, 'options');
  }
  validateFunction(callback, 'callback');
  validateAbortSignal(options.signal, 'options.signal');
  callback = once(callback);
  if (isReadableStream(stream) || isWritableStream(stream)) {
    return use('node/internal/stream/web_state').finishedWeb(stream, options, callback);
  }
  if (!isNodeStream(stream)) {
    throw ERR_INVALID_ARG_TYPE('stream', ['ReadableStream', 'WritableStream', 'Stream'], stream);
  }
  return watch(stream, options, callback);
}

function watch(stream, options, givenCallback) {
  let callback = givenCallback;
  const readable = options.readable ?? isReadableNodeStream(stream);
  const writable = options.writable ?? isWritableNodeStream(stream);
  const { _readableState: read, _writableState: write } = stream;
  const tell = (error) =>
    error === undefined ? ReflectApply(callback, stream, []) : ReflectApply(callback, stream, [error]);

  // Streams that close themselves are waited for until they have; but only if all of the stream is looked at.
  let closes =
    willEmitClose(stream) && isReadableNodeStream(stream) === readable && isWritableNodeStream(stream) === writable;
  let writeOver = isWritableFinished(stream, false);
  let readOver = isReadableFinished(stream, false);
  let closed = isClosed(stream);

  const onFinish = () => {
    writeOver = true;
    if (stream.destroyed) closes = false; // destroyed by hand before it was over
    if (closes && (!stream.writable || readable)) return;
    if (!readable || readOver) tell();
  };
  const onEnd = () => {
    readOver = true;
    if (stream.destroyed) closes = false;
    if (closes && (!stream.readable || writable)) return;
    if (!writable || writeOver) tell();
  };
  const onOldFinish = () => {
    if (!stream.writable) onFinish();
  };
  const onError = (error) => tell(error);
  const onClose = () => {
    closed = true;
    const errored = erroredOf(stream);
    if (errored && typeof errored !== 'boolean') return tell(errored);
    const readsOn = readable && !readOver && isReadableNodeStream(stream, true) && !isReadableFinished(stream, false);
    const writesOn = writable && !writeOver && !isWritableFinished(stream, false);
    return readsOn || writesOn ? tell(ERR_STREAM_PREMATURE_CLOSE()) : tell();
  };
  const onAlreadyClosed = () => {
    closed = true;
    const errored = erroredOf(stream);
    return errored && typeof errored !== 'boolean' ? tell(errored) : tell();
  };
  const onRequest = () => stream.req.on('finish', onFinish);

  const request = isRequest(stream);
  if (request) {
    stream.on('complete', onFinish);
    if (!closes) stream.on('abort', onClose);
    if (stream.req) onRequest();
    else stream.on('request', onRequest);
  } else if (writable && !write) {
    stream.on('end', onOldFinish);
    stream.on('close', onOldFinish);
  }
  if (!closes && typeof stream.aborted === 'boolean') stream.on('aborted', onClose);
  stream.on('end', onEnd);
  stream.on('finish', onFinish);
  if (options.error !== false) stream.on('error', onError);
  stream.on('close', onClose);

  if (closed) {
    process.nextTick(onClose);
  } else if (write?.errorEmitted || read?.errorEmitted) {
    if (!closes) process.nextTick(onAlreadyClosed);
  } else if (
    !readable &&
    (!closes || isReadable(stream)) &&
    (writeOver || isWritable(stream) === false) &&
    !write?.pendingcb
  ) {
    process.nextTick(onAlreadyClosed);
  } else if (!writable && (!closes || isWritable(stream)) && (readOver || isReadable(stream) === false)) {
    process.nextTick(onAlreadyClosed);
  } else if (read && stream.req && stream.aborted) {
    process.nextTick(onAlreadyClosed);
  }

  const cleanUp = () => {
    callback = nothing;
    stream.removeListener('aborted', onClose);
    stream.removeListener('complete', onFinish);
    stream.removeListener('abort', onClose);
    stream.removeListener('request', onRequest);
    if (stream.req) stream.req.removeListener('finish', onFinish);
    stream.removeListener('end', onOldFinish);
    stream.removeListener('close', onOldFinish);
    stream.removeListener('finish', onFinish);
    stream.removeListener('end', onEnd);
    stream.removeListener('error', onError);
    stream.removeListener('close', onClose);
  };

  const { signal } = options;
  if (signal && !closed) {
    const abort = () => {
      const last = callback; // cleaning up forgets it
      cleanUp();
      ReflectApply(last, stream, [abortError(signal)]);
    };
    if (signal.aborted) {
      process.nextTick(abort);
    } else {
      const stop = onAbort(signal, abort);
      const original = callback;
      callback = once((...values) => {
        stop();
        ReflectApply(original, stream, values);
      });
    }
  }
  return cleanUp;
}

/** The same as a promise; `cleanup: true` takes the listeners away when it settles. */
function finishedPromise(stream, options) {
  let autoCleanup = false;
  const given = options === null || options === undefined ? {} : options;
  if (given.cleanup) {
    validateBoolean(given.cleanup, 'cleanup');
    autoCleanup = given.cleanup;
  }
  return new Promise((resolve, reject) => {
    const cleanUp = finished(stream, given, (error) => {
      if (autoCleanup) cleanUp();
      if (error) reject(error);
      else resolve();
    });
  });
}
ObjectDefineProperty(finishedPromise, 'name', { __proto__: null, value: 'finished', configurable: true });
ObjectDefineProperty(finished, SymbolFor('nodejs.util.promisify.custom'), {
  __proto__: null,
  enumerable: true,
  get: () => finishedPromise,
});

exports.finished = finished;
exports.finishedPromise = finishedPromise;
exports.once = once;
