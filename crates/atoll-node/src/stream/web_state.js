// What can be said of, and done to, the platform's own web streams without locking them.
const { PromisePrototypeThen, ReflectApply, SymbolFor } = primordials;
const { ERR_INVALID_ARG_TYPE } = use('node/internal/errors');
const { abortError, onAbort } = use('node/internal/stream/abort');
const process = use('node:process').default;

const nothing = () => {};

// A builtin that was never evaluated has made no stream.
const readableState = (stream) => use.loaded('web/streams/readable')?.getReadableState(stream);
const writableState = (stream) => use.loaded('web/streams/writable')?.getWritableState(stream);

/** As the marks of Node's streams (see state.js); undefined for what is no web stream of ours. */
exports.marksOf = (stream) => {
  const readable = readableState(stream);
  if (readable !== undefined) {
    const { ERRORED, READABLE } = use('web/streams/core');
    return {
      __proto__: null,
      [SymbolFor('nodejs.stream.disturbed')]: readable.disturbed,
      [SymbolFor('nodejs.stream.errored')]: readable.status === ERRORED,
      [SymbolFor('nodejs.stream.readable')]: readable.status === READABLE,
    };
  }
  const writable = writableState(stream);
  if (writable === undefined) return undefined;
  const { ERRORED, WRITABLE } = use('web/streams/writable');
  return {
    __proto__: null,
    [SymbolFor('nodejs.stream.errored')]: writable.status === ERRORED,
    [SymbolFor('nodejs.stream.writable')]: writable.status === WRITABLE,
  };
};

/** Puts a stream into the state that its own controller's error() would. */
exports.failStream = (stream, error) => {
  const readable = readableState(stream);
  if (readable !== undefined) readable.controller.error(error);
  else writableState(stream)?.controller.errorIfNeeded(error);
};

/** stream.finished of a web stream; the arguments have been checked. */
exports.finishedWeb = (stream, options, given) => {
  const readable = readableState(stream);
  const whenOver = readable === undefined ? writableState(stream)?.whenOver : use('web/streams/core').overOf(readable);
  if (whenOver === undefined) {
    throw ERR_INVALID_ARG_TYPE('stream', ['ReadableStream', 'WritableStream', 'Stream'], stream);
  }
  let callback = given;
  let aborted = false;
  const { signal } = options;
  if (signal) {
    const abort = () => {
      aborted = true;
      ReflectApply(given, stream, [abortError(signal)]);
    };
    if (signal.aborted) {
      process.nextTick(abort);
    } else {
      const stop = onAbort(signal, abort);
      callback = (...values) => {
        stop();
        ReflectApply(given, stream, values);
      };
    }
  }
  const tell = (value) => {
    if (!aborted) process.nextTick(() => ReflectApply(callback, stream, [value]));
  };
  PromisePrototypeThen(whenOver, tell, tell);
  return nothing;
};
