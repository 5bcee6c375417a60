// The properties of streams that tell of their state.

/** One of a side whose state is under `key`; `absent` of what has no such state. */
function factOf(key, get, absent, set) {
  return {
    __proto__: null,
    get() {
      return this[key] ? get(this[key]) : absent;
    },
    set:
      set &&
      function (value) {
        if (this[key]) set(this[key], value);
      },
  };
}
const read = (get, absent = undefined, set = undefined) => factOf('_readableState', get, absent, set);
const write = (get, absent = undefined, set = undefined) => factOf('_writableState', get, absent, set);

exports.readableFacts = {
  __proto__: null,
  readable: read(
    (state) => state.readable !== false && !state.destroyed && !state.errorEmitted && !state.endEmitted,
    false,
    (state, value) => (state.readable = !!value), // programs of old do so
  ),
  readableDidRead: read((state) => state.dataEmitted),
  readableAborted: read(
    (state) => state.readable !== false && (state.destroyed || !!state.errored) && !state.endEmitted,
  ),
  readableHighWaterMark: read((state) => state.highWaterMark),
  readableBuffer: read((state) => state.buffer),
  readableFlowing: read(
    (state) => state.flowing,
    undefined,
    (state, value) => (state.flowing = value),
  ),
  readableLength: read((state) => state.length),
  readableObjectMode: read((state) => state.objectMode, false),
  readableEncoding: read((state) => state.encoding, null),
  errored: read((state) => state.errored, null),
  closed: read((state) => state.closed, false),
  destroyed: read(
    (state) => state.destroyed,
    false,
    (state, value) => (state.destroyed = value),
  ),
  readableEnded: read((state) => state.endEmitted, false),
};

exports.writableFacts = {
  __proto__: null,
  closed: write((state) => state.closed, false),
  destroyed: write(
    (state) => state.destroyed,
    false,
    (state, value) => (state.destroyed = value),
  ),
  writable: write(
    (state) => state.writable !== false && !state.destroyed && !state.errored && !state.ending && !state.ended,
    false,
    (state, value) => (state.writable = !!value),
  ),
  writableFinished: write((state) => state.finished, false),
  writableObjectMode: write((state) => state.objectMode, false),
  writableBuffer: write((state) => state.getBuffer()),
  writableEnded: write((state) => state.ending, false),
  writableNeedDrain: write((state) => !state.destroyed && !state.ending && state.needDrain, false),
  writableHighWaterMark: write((state) => state.highWaterMark),
  writableCorked: write((state) => state.corked, 0),
  writableLength: write((state) => state.length),
  errored: write((state) => state.errored, null),
  writableAborted: write(
    (state) => state.writable !== false && (state.destroyed || !!state.errored) && !state.finished,
  ),
};
