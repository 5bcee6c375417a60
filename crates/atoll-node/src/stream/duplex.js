// stream.Duplex: readable and writable at once, with a buffer for each side.
const {
  FunctionPrototypeCall,
  ObjectDefineProperties,
  ObjectGetOwnPropertyDescriptor,
  ObjectSetPrototypeOf,
} = primordials;
const { Stream } = use('node/internal/stream/legacy');
const { Readable, ReadableState, readMore } = use('node/internal/stream/readable');
const { Writable, WritableState, goOn } = use('node/internal/stream/writable');
const { construct } = use('node/internal/stream/lifecycle');

// options → methods
const METHODS = {
  __proto__: null,
  read: '_read',
  write: '_write',
  writev: '_writev',
  destroy: '_destroy',
  final: '_final',
  construct: '_construct',
};

function Duplex(options) {
  if (!(this instanceof Duplex)) return new Duplex(options);
  const read = new ReadableState(options, this, true);
  const write = new WritableState(options, this, true);
  this._readableState = read;
  this._writableState = write;
  this.allowHalfOpen = options?.allowHalfOpen !== false;
  if (options) {
    if (options.readable === false) {
      read.readable = false;
      read.ended = true;
      read.endEmitted = true;
    }
    if (options.writable === false) {
      write.writable = false;
      write.ending = true;
      write.ended = true;
      write.finished = true;
    }
    for (const name in METHODS) if (typeof options[name] === 'function') this[METHODS[name]] = options[name];
    if (options.signal) use('node/internal/stream/abort').destroyOnAbort(options.signal, this);
  }
  FunctionPrototypeCall(Stream, this, options);
  construct(this, () => {
    if (read.needReadable) readMore(this, read);
    goOn(this, write);
  });
}
ObjectSetPrototypeOf(Duplex.prototype, Readable.prototype);
ObjectSetPrototypeOf(Duplex, Readable);

const { prototype } = Duplex;
const methods = ['write', 'cork', 'uncork', 'setDefaultEncoding', '_write', '_writev', 'end', 'destroy'];
for (let index = 0; index < methods.length; index++) prototype[methods[index]] = Writable.prototype[methods[index]];

const ofWritable = (name) => {
  const descriptor = ObjectGetOwnPropertyDescriptor(Writable.prototype, name);
  return { __proto__: null, get: descriptor.get, set: descriptor.set, configurable: descriptor.configurable };
};
ObjectDefineProperties(prototype, {
  __proto__: null,
  writable: ofWritable('writable'),
  writableHighWaterMark: ofWritable('writableHighWaterMark'),
  writableObjectMode: ofWritable('writableObjectMode'),
  writableBuffer: ofWritable('writableBuffer'),
  writableLength: ofWritable('writableLength'),
  writableFinished: ofWritable('writableFinished'),
  writableCorked: ofWritable('writableCorked'),
  writableEnded: ofWritable('writableEnded'),
  writableNeedDrain: ofWritable('writableNeedDrain'),
  writableAborted: ofWritable('writableAborted'),
  destroyed: {
    __proto__: null,
    get() {
      const { _readableState: read, _writableState: write } = this;
      return read !== undefined && write !== undefined && read.destroyed && write.destroyed;
    },
    set(value) {
      const { _readableState: read, _writableState: write } = this;
      if (!read || !write) return;
      read.destroyed = value;
      write.destroyed = value;
    },
  },
});

Duplex.fromWeb = function fromWeb(pair, options) {
  return use('node/internal/stream/web_adapters').duplexFromWeb(pair, options);
};
Duplex.toWeb = function toWeb(duplex) {
  return use('node/internal/stream/web_adapters').duplexToWeb(duplex);
};
Duplex.from = function from(body) {
  return use('node/internal/stream/duplex_from').duplexFrom(body, 'body');
};

exports.Duplex = Duplex;
