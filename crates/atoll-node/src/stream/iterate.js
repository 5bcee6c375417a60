// Reading a stream with `for await`.
const { Promise } = primordials;
const { finished } = use('node/internal/stream/finished');
const { destroyAny, mergeErrors } = use('node/internal/stream/lifecycle');

const nothing = () => {};

/** An async iterator over the chunks; `destroyOnReturn: false` keeps the stream alive when the loop is left. */
exports.iterate = (given, options) => {
  const stream =
    typeof given.read === 'function'
      ? given
      : use('node/internal/stream/wrap').wrap(given, { __proto__: null, objectMode: true });
  const iterator = chunksOf(stream, options);
  iterator.stream = stream;
  return iterator;
};

async function* chunksOf(stream, options) {
  let wake = nothing;
  // With a function, sets who is woken; as listener, wakes.
  function onReadable() {
    const woken = wake;
    wake = nothing;
    woken();
  }
  stream.on('readable', onReadable);
  let outcome; // undefined while there is more to come, null at the end, else the error
  const stopWatching = finished(stream, { __proto__: null, writable: false }, (error) => {
    outcome = error ? mergeErrors(outcome, error) : null;
    onReadable();
  });
  try {
    for (;;) {
      const chunk = stream.destroyed ? null : stream.read();
      if (chunk !== null) yield chunk;
      else if (outcome) throw outcome;
      else if (outcome === null) return;
      else await new Promise((resolve) => (wake = resolve));
    }
  } catch (error) {
    outcome = mergeErrors(outcome, error);
    throw outcome;
  } finally {
    const ended = outcome !== undefined;
    if ((outcome || options?.destroyOnReturn !== false) && (!ended || stream._readableState.autoDestroy)) {
      destroyAny(stream, null);
    } else {
      stream.off('readable', onReadable);
      stopWatching();
    }
  }
}
