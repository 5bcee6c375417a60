// node:fs/promises: the promises and FileHandle. What the functions do is in core.js.
const {
  ArrayBufferIsView, Error, ErrorCaptureStackTrace, FinalizationRegistry, FinalizationRegistryPrototypeRegister,
  FinalizationRegistryPrototypeUnregister, ObjectDefineProperty, Promise, PromiseResolve, PromiseWithResolvers,
  ReflectApply, SymbolAsyncDispose, SymbolAsyncIterator, SymbolIterator, TypeError,
} = primordials;
const { ERR_INTERNAL_ASSERTION, ERR_INVALID_ARG_TYPE, ERR_METHOD_NOT_IMPLEMENTED } = use('node/internal/errors');
const core = use('node/internal/fs/core');
const { constants } = use('node/internal/fs/types');
const { throwIfAborted } = use('node/internal/fs/arguments');
const { promiseLater, run } = use('node/internal/fs/later');
const EventEmitter = use('node:events').default;
const { requestIsOver, setImmediate } = use('web/timers');

const promises = {};

/** What `operation(...values)` comes to, in a later turn. A mistake in the arguments is a rejection, too. */
function promised(operation, values) {
  return promiseLater(() => ReflectApply(operation, undefined, values));
}

/**
 * A file is read in one go, however soon that is over; in Node it takes several turns. What is aborted in the turn that follows
 * the call is aborted here, too.
 */
function unlessAborted(reading, signal) {
  return signal === undefined || signal === null ? reading : checkedLater(reading, signal);
}

async function checkedLater(reading, signal) {
  const content = await reading;
  // A request that is over gets no more turns.
  if (!requestIsOver()) await new Promise((resolve) => setImmediate(resolve));
  throwIfAborted(signal);
  return content;
}

// --- FileHandle ------------------------------------------------------------------------------------------------------

let isHandle;
let handleOf;
let retain;
let release;

// Handles that nobody can close any more.
let forgotten;
let isWarned = false;

function closeForgotten(fd) {
  run(core.close(fd));
  const process = use('node:process').default;
  process.emitWarning(`Closing file descriptor ${fd} on garbage collection`);
  if (isWarned) return;
  isWarned = true;
  process.emitWarning(
    'Closing a FileHandle object on garbage collection is deprecated. Please close FileHandle objects explicitly using '
      + 'FileHandle.prototype.close(). In the future, an error will be thrown if a file descriptor is closed during garbage collection.',
    'DeprecationWarning',
    'DEP0137',
  );
}

/** Has an operation done on a handle's descriptor. */
function on(handle, syscall, prepare) {
  return promiseLater(() => prepare(handleOf(handle, syscall)));
}

/** As `on`, for an operation on a part, whose count is told beside its buffer. */
function onPart(handle, syscall, prepare, name, bufferName) {
  return promiseLater(() => {
    const { buffer, operation } = prepare(handleOf(handle, syscall));
    const { finish } = operation;
    operation.finish = (value) => {
      const count = finish === undefined ? value : finish(value);
      return { __proto__: null, [name]: count, [bufferName]: buffer };
    };
    return operation;
  });
}

class FileHandle extends EventEmitter {
  #fd;
  #closing; // the promise of its closing, when that is wanted
  #uses = 1; // its owner's, and those of streams: it is open until the last one is over

  constructor(fd, guard) {
    if (guard !== promises) throw new TypeError('Illegal constructor');
    super();
    this.#fd = fd;
    forgotten ??= new FinalizationRegistry(closeForgotten);
    FinalizationRegistryPrototypeRegister(forgotten, this, fd, this);
  }

  static {
    isHandle = (value) => typeof value === 'object' && value !== null && #fd in value;
    retain = (handle) => handle.#uses++;
    release = (handle) => handle.#release();
    handleOf = (value, syscall) => {
      if (!isHandle(value)) throw ERR_INTERNAL_ASSERTION('handle must be an instance of FileHandle');
      if (value.#fd === -1) {
        const error = new Error('file closed');
        ErrorCaptureStackTrace(error, handleOf);
        error.code = 'EBADF';
        error.syscall = syscall;
        throw error;
      }
      return value.#fd;
    };
  }

  get fd() {
    return this.#fd;
  }

  appendFile(data, options) {
    return on(this, 'appendFile', (fd) => core.appendFile(fd, data, options));
  }

  chmod(mode) {
    return on(this, 'fchmod', (fd) => core.fchmod(fd, mode));
  }

  chown(uid, gid) {
    return on(this, 'fchown', (fd) => core.fchown(fd, uid, gid));
  }

  datasync() {
    return on(this, 'fdatasync', core.fdatasync);
  }

  sync() {
    return on(this, 'fsync', core.fsync);
  }

  read(buffer, offset, length, position) {
    return onPart(this, 'read', (fd) => core.readHandle(fd, buffer, offset, length, position), 'bytesRead', 'buffer');
  }

  readv(buffers, position) {
    return onPart(this, 'readv', (fd) => core.readv(fd, buffers, position), 'bytesRead', 'buffers');
  }

  readFile(options) {
    return unlessAborted(on(this, 'readFile', (fd) => core.readFile(fd, options)), options?.signal);
  }

  stat(options) {
    return on(this, 'fstat', (fd) => core.fstat(fd, options));
  }

  truncate(length = 0) {
    return on(this, 'ftruncate', (fd) => core.ftruncate(fd, length));
  }

  utimes(accessed, modified) {
    return on(this, 'futime', (fd) => core.futimes(fd, accessed, modified));
  }

  write(data, offset, length, position) {
    return onPart(this, 'write', (fd) => core.write(fd, data, offset, length, position), 'bytesWritten', 'buffer');
  }

  writev(buffers, position) {
    return onPart(this, 'writev', (fd) => core.writev(fd, buffers, position), 'bytesWritten', 'buffers');
  }

  writeFile(data, options) {
    return writeTo(this, data, options, core.writeFile);
  }

  close() {
    if (this.#fd === -1) return PromiseResolve(undefined);
    if (this.#closing !== undefined) return this.#closing.promise;
    this.#closing = PromiseWithResolvers();
    const { promise } = this.#closing;
    this.#release();
    this.emit('close');
    return promise;
  }

  /** Takes back one use; the last one closes it. */
  #release() {
    this.#uses--;
    if (this.#uses > 0) return;
    const { resolve } = this.#closing;
    FinalizationRegistryPrototypeUnregister(forgotten, this);
    resolve(on(this, 'close', core.close));
    this.#fd = -1;
  }

  [SymbolAsyncDispose]() {
    return this.close();
  }
}

// For streams: a handle that one has retained is open until it is released, whoever closes it meanwhile.
exports.retain = (handle) => retain(handle);
exports.release = (handle) => release(handle);

use('node/internal/fs/stream_entry').addHandleStreams(FileHandle.prototype);

// --- functions -------------------------------------------------------------------------------------------------------

function define(name, value, length) {
  ObjectDefineProperty(value, 'name', { __proto__: null, value: name, configurable: true });
  ObjectDefineProperty(value, 'length', { __proto__: null, value: length, configurable: true });
  promises[name] = value;
}

// name → how many arguments it takes
const OPERATIONS = {
  __proto__: null,
  access: 1,
  chmod: 2,
  chown: 3,
  copyFile: 3,
  lchown: 3,
  link: 2,
  lstat: 1,
  lutimes: 3,
  mkdir: 2,
  mkdtemp: 2,
  readdir: 2,
  readlink: 2,
  rename: 2,
  rm: 2,
  rmdir: 2,
  stat: 1,
  statfs: 1,
  symlink: 3,
  truncate: 1,
  unlink: 1,
  utimes: 3,
};
for (const name in OPERATIONS) {
  const operation = core[name];
  define(name, (...values) => promised(operation, values), OPERATIONS[name]);
}
define('realpath', (path, options) => promised(core.realpathNative, [path, options]), 2);
define('opendir', (path, options) => promised(core.opendir, [path, options]), 3);

define(
  'lchmod',
  async () => {
    throw ERR_METHOD_NOT_IMPLEMENTED('lchmod()'); // which Linux does not have
  },
  2,
);

function openHandle(path, flags, mode) {
  return promiseLater(() => {
    const operation = core.open(path, flags, mode);
    operation.finish = (fd) => new FileHandle(fd, promises);
    return operation;
  });
}
define('open', openHandle, 3);

define(
  'readFile',
  (path, options) => (isHandle(path) ? path.readFile(options) : unlessAborted(promised(core.readFile, [path, options]), options?.signal)),
  2,
);
define('writeFile', (path, data, options) => writeTo(path, data, options, core.writeFile), 3);
define('appendFile', (path, data, options) => writeTo(path, data, options, core.appendFile), 3);

/** Writes what `data` is or gives: bytes, text, or an iterable of them. */
function writeTo(target, data, options, operation) {
  const whole = typeof data === 'string' || ArrayBufferIsView(data);
  const method = whole ? undefined : data?.[SymbolAsyncIterator] ?? data?.[SymbolIterator];
  if (typeof method === 'function') return writeEach(target, data, options, operation);
  return promiseLater(() => operation(isHandle(target) ? handleOf(target, 'write') : target, data, options));
}

async function writeEach(target, parts, options, operation) {
  const own = !isHandle(target);
  const signal = options?.signal;
  throwIfAborted(signal);
  const flag = options?.flag || (operation === core.appendFile ? 'a' : 'w');
  const handle = own ? await openHandle(target, flag, options?.mode) : target;
  try {
    throwIfAborted(signal);
    for await (const part of parts) {
      if (typeof part !== 'string' && !ArrayBufferIsView(part)) {
        throw ERR_INVALID_ARG_TYPE('data', ['string', 'Buffer', 'TypedArray', 'DataView'], part);
      }
      await promised(core.writeFile, [handleOf(handle, 'write'), part, options]);
    }
  } finally {
    if (own) await handle.close();
  }
}

define('cp', async (from, to, options) => use('node/internal/fs/copy').cp(from, to, options), 3);
define(
  'glob',
  async function* (pattern, options) {
    const found = await use('node/internal/fs/glob').globAll(pattern, options);
    for (let index = 0; index < found.length; index++) yield found[index];
  },
  2,
);

define('watch', (path, options) => use('node/internal/fs/watch').watchAsync(path, options), 1);

/** A Blob with a file's content, which is read at once: it does not change with the file. */
exports.openAsBlob = async (path, options = {}) => {
  if (options === null || typeof options !== 'object') throw ERR_INVALID_ARG_TYPE('options', 'Object', options);
  const content = await promised(core.readFile, [path]);
  return new (use('web/blob').Blob)([content], { type: options.type ?? '' });
};

ObjectDefineProperty(promises, 'constants', { __proto__: null, value: constants, enumerable: true, configurable: false, writable: false });

exports.FileHandle = FileHandle;
exports.default = promises;
