// stream.compose: a chain of streams as one duplex stream.
const { ArrayPrototypeSlice } = primordials;
const { AbortError, ERR_INVALID_ARG_VALUE, ERR_MISSING_ARGS } = use('node/internal/errors');
const { Duplex } = use('node/internal/stream/duplex');
const { finished } = use('node/internal/stream/finished');
const { run } = use('node/internal/stream/pipeline');
const { destroyAny } = use('node/internal/stream/lifecycle');
const { Waiting, relayReads, relayWrites } = use('node/internal/stream/relay');
const { isNodeStream, isReadable, isReadableStream, isTransformStream, isWebStream, isWritable, isWritableStream } =
  use('node/internal/stream/state');

const canRead = (stream) => !!(isReadable(stream) || isReadableStream(stream) || isTransformStream(stream));
const canWrite = (stream) => !!(isWritable(stream) || isWritableStream(stream) || isTransformStream(stream));

exports.compose = function compose(...given) {
  if (given.length === 0) throw ERR_MISSING_ARGS('streams');
  if (given.length === 1) return Duplex.from(given[0]);
  const streams = ArrayPrototypeSlice(given);
  const last = streams.length - 1;
  if (typeof streams[0] === 'function') streams[0] = Duplex.from(streams[0]);
  if (typeof streams[last] === 'function') streams[last] = Duplex.from(streams[last]);
  for (let index = 0; index <= last; index++) {
    const stream = streams[index];
    if (!isNodeStream(stream) && !isWebStream(stream)) continue;
    if (index < last && !canRead(stream)) {
      throw ERR_INVALID_ARG_VALUE(`streams[${index}]`, given[index], 'must be readable');
    }
    if (index > 0 && !canWrite(stream)) {
      throw ERR_INVALID_ARG_VALUE(`streams[${index}]`, given[index], 'must be writable');
    }
  }

  const drained = new Waiting();
  const written = new Waiting();
  const arrived = new Waiting();
  let onClose; // null once the chain is over
  const onOver = (error) => {
    const callback = onClose;
    onClose = null;
    if (callback) callback(error);
    else if (error) composed.destroy(error);
    else if (!readable && !writable) composed.destroy();
  };
  const head = streams[0];
  const tail = run(streams, onOver);
  const writable = canWrite(head);
  const readable = canRead(tail);
  const composed = new Duplex({
    __proto__: null,
    writableObjectMode: !!head?.writableObjectMode,
    readableObjectMode: !!tail?.readableObjectMode,
    writable,
    readable,
  });
  if (writable) {
    relayWrites(composed, head, drained, written);
    finished(isTransformStream(tail) ? tail.readable : tail, () => written.call());
  }
  if (readable) relayReads(composed, tail, arrived);

  composed._destroy = (given, callback) => {
    const error = !given && onClose !== null ? new AbortError() : given;
    arrived.forget();
    drained.forget();
    written.forget();
    if (isNodeStream(tail)) destroyAny(tail, error);
    if (onClose === null) callback(error);
    else onClose = callback;
  };
  return composed;
};
