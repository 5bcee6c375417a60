// node:fs/promises: the promises and FileHandle. What the functions do is in core.js.
const {
  ArrayBufferIsView, Error, ErrorCaptureStackTrace, ObjectDefineProperty, Promise, PromisePrototypeThen, PromiseResolve,
  ReflectApply, SymbolAsyncDispose, SymbolAsyncIterator, SymbolIterator, TypeError,
} = primordials;
const { ERR_INVALID_ARG_TYPE } = use('node/internal/errors');
const core = use('node/internal/fs/core');
const { constants } = use('node/internal/fs/types');
const { later } = use('node:fs');
const EventEmitter = use('node:events').default;

const promises = {};

/** What `operation(...values)` comes to, in a later turn. A mistake in the arguments is a rejection, too. */
function promised(operation, values) {
  return new Promise((resolve, reject) => {
    const work = ReflectApply(operation, undefined, values);
    later(work, (error, result) => (error ? reject(error) : resolve(result)));
  });
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

  /** Runs an operation on the descriptor, which is looked at when the operation's turn comes. */
  #on(syscall, operation) {
    return promised(() => {
      const work = operation(handleOf(this, syscall));
      return () => {
        handleOf(this, syscall);
        return work();
      };
    }, []);
  }

  appendFile(data, options) {
    return this.#on('appendFile', (fd) => core.appendFile(fd, data, options));
  }

  chmod(mode) {
    return this.#on('fchmod', (fd) => core.fchmod(fd, mode));
  }

  datasync() {
    return this.#on('fdatasync', core.fsync);
  }

  sync() {
    return this.#on('fsync', core.fsync);
  }

  read(buffer, offset, length, position) {
    return this.#on('read', (fd) => {
      const range = core.readRange(fd, buffer, offset, length, position);
      return () => ({ __proto__: null, bytesRead: range.work(), buffer: range.buffer });
    });
  }

  readv(buffers, position) {
    return this.#on('readv', (fd) => {
      const work = core.readv(fd, buffers, position);
      return () => ({ __proto__: null, bytesRead: work(), buffers });
    });
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
    return this.#on('write', (fd) => {
      const range = core.writeRange(fd, data, offset, length, position);
      return () => ({ __proto__: null, bytesWritten: range.work(), buffer: range.buffer });
    });
  }

  writev(buffers, position) {
    return this.#on('writev', (fd) => {
      const work = core.writev(fd, buffers, position);
      return () => ({ __proto__: null, bytesWritten: work(), buffers });
    });
  }

  writeFile(data, options) {
    return writeTo(this, data, options, core.writeFile);
  }

  close() {
    if (this.#fd === -1) return PromiseResolve(undefined);
    this.#closing ??= PromisePrototypeThen(
      this.#on('close', (fd) => {
        const work = core.close(fd);
        return () => {
          this.#fd = -1;
          this.#closing = undefined;
          work();
        };
      }),
      () => {
        this.emit('close');
      },
    );
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
  access: 2,
  chmod: 2,
  copyFile: 3,
  link: 2,
  lstat: 2,
  lutimes: 3,
  mkdir: 2,
  mkdtemp: 2,
  readdir: 2,
  readlink: 2,
  rename: 2,
  rm: 2,
  rmdir: 2,
  stat: 2,
  symlink: 3,
  truncate: 2,
  unlink: 1,
  utimes: 3,
};
for (const name in OPERATIONS) {
  const operation = core[name];
  define(name, (...values) => promised(operation, values), OPERATIONS[name]);
}
define('realpath', (path, options) => promised(core.realpathNative, [path, options]), 2);
define('opendir', (path, options) => promised(core.opendir, [path, options, later]), 2);

function openHandle(path, flags, mode) {
  return promised(() => {
    const work = core.open(path, flags, mode);
    return () => new FileHandle(work(), promises);
  }, []);
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
  if (!isHandle(target)) return promised(operation, [target, data, options]);
  return promised(() => {
    const work = operation(handleOf(target, 'write'), data, options);
    return () => {
      handleOf(target, 'write');
      return work();
    };
  }, []);
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

ObjectDefineProperty(promises, 'constants', { __proto__: null, value: constants, enumerable: true, configurable: false, writable: false });

exports.FileHandle = FileHandle;
exports.default = promises;
