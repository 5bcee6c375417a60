// node:fs/promises: the promises and FileHandle. What the functions do is in core.js.
const {
  ArrayBufferIsView, Error, ErrorCaptureStackTrace, ObjectDefineProperty, PromisePrototypeThen, PromiseResolve,
  ReflectApply, SymbolAsyncDispose, SymbolAsyncIterator, SymbolIterator, TypeError,
} = primordials;
const { ERR_INVALID_ARG_TYPE } = use('node/internal/errors');
const core = use('node/internal/fs/core');
const { constants } = use('node/internal/fs/types');
const { promiseLater } = use('node/internal/fs/later');
const EventEmitter = use('node:events').default;

const promises = {};

/** What `operation(...values)` comes to, in a later turn. A mistake in the arguments is a rejection, too. */
function promised(operation, values) {
  return promiseLater(() => ReflectApply(operation, undefined, values));
}

// --- FileHandle ------------------------------------------------------------------------------------------------------

let isHandle;
let handleOf;

class FileHandle extends EventEmitter {
  #fd;
  #closing;

  constructor(fd, guard) {
    if (guard !== promises) throw new TypeError('Illegal constructor');
    super();
    this.#fd = fd;
  }

  static {
    isHandle = (value) => typeof value === 'object' && value !== null && #fd in value;
    handleOf = (value, syscall) => {
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

  /** Has an operation done on the descriptor. */
  #on(syscall, prepare) {
    return promiseLater(() => prepare(handleOf(this, syscall)));
  }

  /** As `#on`, for an operation on a part, whose count is told beside its buffer. */
  #onPart(syscall, prepare, name, bufferName) {
    return promiseLater(() => {
      const { buffer, operation } = prepare(handleOf(this, syscall));
      const { finish } = operation;
      operation.finish = (value) => {
        const count = finish === undefined ? value : finish(value);
        return { __proto__: null, [name]: count, [bufferName]: buffer };
      };
      return operation;
    });
  }

  appendFile(data, options) {
    return this.#on('appendFile', (fd) => core.appendFile(fd, data, options));
  }

  chmod(mode) {
    return this.#on('fchmod', (fd) => core.fchmod(fd, mode));
  }

  chown(uid, gid) {
    return this.#on('fchown', (fd) => core.fchown(fd, uid, gid));
  }

  datasync() {
    return this.#on('fdatasync', core.fdatasync);
  }

  sync() {
    return this.#on('fsync', core.fsync);
  }

  read(buffer, offset, length, position) {
    return this.#onPart('read', (fd) => core.read(fd, buffer, offset, length, position), 'bytesRead', 'buffer');
  }

  readv(buffers, position) {
    return this.#onPart('readv', (fd) => core.readv(fd, buffers, position), 'bytesRead', 'buffers');
  }

  readFile(options) {
    return this.#on('readFile', (fd) => core.readFile(fd, options));
  }

  stat(options) {
    return this.#on('fstat', (fd) => core.fstat(fd, options));
  }

  truncate(length = 0) {
    return this.#on('ftruncate', (fd) => core.ftruncate(fd, length));
  }

  utimes(accessed, modified) {
    return this.#on('futime', (fd) => core.futimes(fd, accessed, modified));
  }

  write(data, offset, length, position) {
    return this.#onPart('write', (fd) => core.write(fd, data, offset, length, position), 'bytesWritten', 'buffer');
  }

  writev(buffers, position) {
    return this.#onPart('writev', (fd) => core.writev(fd, buffers, position), 'bytesWritten', 'buffers');
  }

  writeFile(data, options) {
    return writeTo(this, data, options, core.writeFile);
  }

  close() {
    if (this.#fd === -1 && this.#closing === undefined) return PromiseResolve(undefined);
    if (this.#closing !== undefined) return this.#closing;
    const closed = this.#on('close', core.close);
    this.#fd = -1;
    this.#closing = PromisePrototypeThen(closed, () => {
      this.#closing = undefined;
      this.emit('close');
    });
    return this.#closing;
  }

  [SymbolAsyncDispose]() {
    return this.close();
  }
}

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
  (path, options) => (isHandle(path) ? path.readFile(options) : promised(core.readFile, [path, options])),
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
  const flag = options?.flag ?? (operation === core.appendFile ? 'a' : 'w');
  const handle = own ? await openHandle(target, flag, options?.mode) : target;
  try {
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
