// The streams among the functions of node:fs. Their classes are there from the start, and loaded when something is done
// with one: programs that only read files would pay for all of node:stream.
const {
  ObjectDefineProperty,
  Proxy,
  ReflectApply,
  ReflectConstruct,
  ReflectDefineProperty,
  ReflectDeleteProperty,
  ReflectGet,
  ReflectGetOwnPropertyDescriptor,
  ReflectGetPrototypeOf,
  ReflectHas,
  ReflectOwnKeys,
  ReflectSet,
  ReflectSetPrototypeOf,
} = primordials;

/** The loaded classes; what stands for them is their instances' `constructor`. */
function load() {
  const streams = use('node/internal/fs/streams');
  const { ReadStream, WriteStream } = streams;
  if (ReadStream.prototype.constructor === ReadStream) ReadStream.prototype.constructor = LazyReadStream;
  if (WriteStream.prototype.constructor === WriteStream) WriteStream.prototype.constructor = LazyWriteStream;
  return streams;
}

/** What stands for a class until it is used, and for good: all that is done with it is done with the class. */
function lazyClass(name) {
  const target = function (path, options) {}; // has the properties that cannot be taken from a class
  ObjectDefineProperty(target, 'name', { __proto__: null, value: name, configurable: true });
  const itself = new Proxy(target, {
    __proto__: null,
    apply: (_, receiver, values) => ReflectApply(load()[name], receiver, values),
    construct: (_, values, NewTarget) => ReflectConstruct(load()[name], values, NewTarget),
    defineProperty: (_, key, descriptor) => ReflectDefineProperty(load()[name], key, descriptor),
    deleteProperty: (_, key) => ReflectDeleteProperty(load()[name], key),
    get: (_, key) => ReflectGet(load()[name], key),
    getOwnPropertyDescriptor: (_, key) => ReflectGetOwnPropertyDescriptor(load()[name], key),
    getPrototypeOf: () => ReflectGetPrototypeOf(load()[name]),
    has: (_, key) => ReflectHas(load()[name], key),
    ownKeys: () => ReflectOwnKeys(load()[name]),
    set: (_, key, value, receiver) => {
      const Class = load()[name];
      return ReflectSet(Class, key, value, receiver === itself ? Class : receiver);
    },
    setPrototypeOf: (_, prototype) => ReflectSetPrototypeOf(load()[name], prototype),
  });
  return itself;
}
const LazyReadStream = lazyClass('ReadStream');
const LazyWriteStream = lazyClass('WriteStream');

function createReadStream(path, options) {
  return new (load().ReadStream)(path, options);
}
function createWriteStream(path, options) {
  return new (load().WriteStream)(path, options);
}

/** Adds the streams to the exports of node:fs. */
exports.addStreams = (fs) => {
  const { close, fsync, open, read, write, writev } = fs;
  exports.originals = { __proto__: null, close, fsync, open, read, write, writev };
  fs.createReadStream = createReadStream;
  fs.createWriteStream = createWriteStream;
  fs.ReadStream = LazyReadStream;
  fs.WriteStream = LazyWriteStream;
  fs.FileReadStream = LazyReadStream; // their names of old
  fs.FileWriteStream = LazyWriteStream;
};

// What FileHandle has of streams; `this` is the handle.
const handleMethods = {
  __proto__: null,
  createReadStream(options = undefined) {
    return createReadStream(undefined, { __proto__: null, ...options, fd: this });
  },
  createWriteStream(options = undefined) {
    return createWriteStream(undefined, { __proto__: null, ...options, fd: this });
  },
  readLines(options = undefined) {
    const { createInterface } = use('node:readline').default;
    return createInterface({ __proto__: null, input: this.createReadStream(options), crlfDelay: Infinity });
  },
  readableWebStream(options = undefined) {
    return use('node/internal/fs/web_stream').readableWebStream(this, options);
  },
};

/** Adds the streams to the class FileHandle. */
exports.addHandleStreams = (prototype) => {
  for (const name in handleMethods) {
    const value = handleMethods[name];
    ObjectDefineProperty(prototype, name, {
      __proto__: null,
      value,
      writable: true,
      configurable: true,
      enumerable: false,
    });
  }
};
