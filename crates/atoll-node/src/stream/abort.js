// addAbortSignal: a stream that an AbortSignal destroys.
const { AbortError, ERR_INVALID_ARG_TYPE } = use('node/internal/errors');
const { isNodeStream, isWebStream } = use('node/internal/stream/state');

function abortError(signal) {
  return new AbortError(undefined, { cause: signal?.reason });
}
exports.abortError = abortError;

/** Calls `listener` when the signal aborts; returns what takes that back. */
function onAbort(signal, listener) {
  signal.addEventListener('abort', listener, { __proto__: null, once: true });
  return () => signal.removeEventListener('abort', listener);
}
exports.onAbort = onAbort;

/** Ties a stream to a signal, both of which have been checked. */
function destroyOnAbort(signal, stream) {
  const abort = () => {
    if (isNodeStream(stream)) stream.destroy(abortError(signal));
    else use('node/internal/stream/web_state').failStream(stream, abortError(signal));
  };
  if (signal.aborted) abort();
  else use('node/internal/stream/finished').finished(stream, onAbort(signal, abort));
  return stream;
}
exports.destroyOnAbort = destroyOnAbort;

exports.addAbortSignal = function addAbortSignal(signal, stream) {
  if (typeof signal !== 'object' || signal === null || !('aborted' in signal)) {
    throw ERR_INVALID_ARG_TYPE('signal', 'AbortSignal', signal);
  }
  if (!isNodeStream(stream) && !isWebStream(stream)) {
    throw ERR_INVALID_ARG_TYPE('stream', ['ReadableStream', 'WritableStream', 'Stream'], stream);
  }
  return destroyOnAbort(signal, stream);
};
