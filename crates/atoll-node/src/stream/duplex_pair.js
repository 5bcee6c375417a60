// stream.duplexPair: two duplex streams, each of which is the other's far end.
const { Symbol } = primordials;
const { Duplex } = use('node/internal/stream/duplex');
const process = use('node:process').default;

const kOther = Symbol('kOther');
const kCallback = Symbol('kCallback'); // of a write to the other end, until it is read here

class DuplexSide extends Duplex {
  constructor(options) {
    super(options);
    this[kCallback] = null;
    this[kOther] = null;
  }

  _read() {
    const callback = this[kCallback];
    if (!callback) return;
    this[kCallback] = null;
    callback();
  }

  _write(chunk, encoding, callback) {
    const other = this[kOther];
    if (chunk.length === 0) {
      process.nextTick(callback);
      return;
    }
    other.push(chunk);
    other[kCallback] = callback;
  }

  _final(callback) {
    this[kOther].on('end', callback);
    this[kOther].push(null);
  }
}

exports.duplexPair = (options) => {
  const one = new DuplexSide(options);
  const other = new DuplexSide(options);
  one[kOther] = other;
  other[kOther] = one;
  return [one, other];
};
