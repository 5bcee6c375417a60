// node:fs: the synchronous functions and those with a callback. What they do is in core.js.
const {
  ArrayPrototypePop, ArrayPrototypeSlice, ObjectDefineProperties, ObjectDefineProperty, Promise, PromisePrototypeThen, ReflectApply,
  SymbolFor,
} = primordials;
const { AbortError, ERR_INVALID_ARG_TYPE } = use('node/internal/errors');
const { toSeconds } = use('node/internal/fs/arguments');
const core = use('node/internal/fs/core');
const { callLater, run } = use('node/internal/fs/later');
const { Dirent, Stats, constants } = use('node/internal/fs/types');
const { setImmediate } = use('web/timers');

const PROMISIFY = SymbolFor('nodejs.util.promisify.custom');
const ARGUMENT_NAMES = SymbolFor('nodejs.util.promisify.customArgs');

const fs = {};

function define(name, value, length) {
  ObjectDefineProperties(value, {
    __proto__: null,
    name: { __proto__: null, value: name, configurable: true },
    length: { __proto__: null, value: length, configurable: true },
  });
  fs[name] = value;
}

// name → how many arguments come before the callback at least, where it is more than one
const REQUIRED = {
  __proto__: null,
  appendFile: 2, chmod: 2, chown: 3, copyFile: 2, cp: 2, fchmod: 2, fchown: 3, futimes: 3, lchown: 3, link: 2, lutimes: 3,
  readv: 2, rename: 2, symlink: 2, utimes: 3, write: 2, writeFile: 2, writev: 2,
};

const MAY_LACK_LENGTH = { __proto__: null, ftruncate: true, truncate: true };

/** The callback of a call with at most `count` other arguments is the last one passed; it is taken off `values`. */
function takeCallback(values, count, name) {
  const passed = values.length > count + 1 ? ArrayPrototypeSlice(values, 0, count + 1) : values;
  const { length } = passed;
  if (length <= (REQUIRED[name] ?? 1)) return { callback: undefined, passed };
  // Whatever else stands there in place of a length is one that is wrong.
  if (MAY_LACK_LENGTH[name] && length < 3 && typeof passed[length - 1] !== 'function') return { callback: undefined, passed };
  return { callback: ArrayPrototypePop(passed), passed };
}

/** Asked when the other arguments have been looked at: what is wrong with these is told first, as in Node. */
function requireCallback(callback, name) {
  if (typeof callback !== 'function') throw ERR_INVALID_ARG_TYPE(name === 'opendir' ? 'callback' : 'cb', 'Function', callback);
}

/** A synchronous form with up to five arguments. */
function defineSync(name, operation, length) {
  define(name, (a, b, c, d, e) => run(operation(a, b, c, d, e)), length);
}

function defineCallback(name, operation, count) {
  define(
    name,
    (...values) => {
      const { callback, passed } = takeCallback(values, count, name);
      let prepared;
      try {
        prepared = ReflectApply(operation, undefined, passed);
      } catch (error) {
        if (!(error instanceof AbortError) || typeof callback !== 'function') throw error;
        callback(error); // at once, as in Node
        return;
      }
      requireCallback(callback, name);
      callLater(prepared, callback);
    },
    count + 1,
  );
}

// name → how many arguments it takes beside the callback
const OPERATIONS = {
  __proto__: null,
  access: 2,
  appendFile: 3,
  chmod: 2,
  chown: 3,
  copyFile: 3,
  fchmod: 2,
  fchown: 3,
  fdatasync: 1,
  fsync: 1,
  ftruncate: 2,
  futimes: 3,
  lchown: 3,
  link: 2,
  lutimes: 3,
  mkdir: 2,
  mkdtemp: 2,
  open: 3,
  readFile: 2,
  readdir: 2,
  readlink: 2,
  rename: 2,
  rm: 2,
  rmdir: 2,
  statfs: 2,
  symlink: 3,
  truncate: 2,
  unlink: 1,
  utimes: 3,
  writeFile: 3,
};
for (const name in OPERATIONS) {
  const now = core[`${name}Sync`];
  if (now === undefined) defineSync(`${name}Sync`, core[name], name === 'ftruncate' || name === 'statfs' ? 1 : OPERATIONS[name]);
  else define(`${name}Sync`, now, OPERATIONS[name]);
  defineCallback(name, core[name], OPERATIONS[name]);
}

// What is to be on its device before a write is over goes through the program's own `fsync` and `fsyncSync`, if it has
// replaced them.
const { appendFile, appendFileSync, fsync, fsyncSync, writeFile, writeFileSync } = fs;

function defineFlushing(name, flag, now, later) {
  define(
    `${name}Sync`,
    (target, data, options) => {
      if (options?.flush !== true || fs.fsyncSync === fsyncSync) return now(target, data, options);
      const isOpen = typeof target === 'number';
      const fd = isOpen ? target : fs.openSync(target, options.flag || flag, options.mode);
      try {
        now(fd, data, { __proto__: null, ...options, flush: false });
        fs.fsyncSync(fd);
      } finally {
        if (!isOpen) fs.closeSync(fd);
      }
      return undefined;
    },
    3,
  );
  define(
    name,
    (...values) => {
      const { 0: target, 1: data, 2: options } = values;
      const { callback } = takeCallback(ArrayPrototypeSlice(values), 3, name);
      if (typeof callback !== 'function' || options?.flush !== true || fs.fsync === fsync) return ReflectApply(later, fs, values);
      const isOpen = typeof target === 'number';
      const end = (fd, failure) => {
        if (isOpen) callback(failure ?? null);
        else fs.close(fd, (error) => callback(failure ?? error ?? null));
      };
      const write = (fd) =>
        later(fd, data, { __proto__: null, ...options, flush: false }, (failure) => {
          if (failure) end(fd, failure);
          else fs.fsync(fd, (error) => end(fd, error));
        });
      if (isOpen) write(target);
      else fs.open(target, options.flag || flag, options.mode, (error, fd) => (error ? callback(error) : write(fd)));
      return undefined;
    },
    4,
  );
}
defineFlushing('writeFile', 'w', writeFileSync, writeFile);
defineFlushing('appendFile', 'a', appendFileSync, appendFile);

define('statSync', core.statSync, 1);
define('lstatSync', core.lstatSync, 1);
define('fstatSync', core.fstatSync, 1);
defineCallback('stat', core.stat, 2);
defineCallback('lstat', core.lstat, 2);
defineCallback('fstat', core.fstat, 2);

defineSync('realpathSync', core.realpath, 2);
defineCallback('realpath', core.realpath, 2);
function defineNative(of, operation) {
  ObjectDefineProperty(operation, 'name', { __proto__: null, value: 'native', configurable: true });
  of.native = operation;
}
defineNative(fs.realpathSync, (path, options) => run(core.realpathNative(path, options)));
defineNative(fs.realpath, (...values) => {
  const { callback, passed } = takeCallback(values, 2, 'realpath');
  const operation = core.realpathNative(passed[0], passed[1]);
  requireCallback(callback, 'realpath');
  callLater(operation, callback);
});

define('closeSync', core.closeSync, 1);
define(
  'close',
  (fd, callback = throwIt) => {
    const operation = core.close(fd);
    requireCallback(callback, 'close');
    callLater(operation, callback);
  },
  1,
);
function throwIt(error) {
  if (error) throw error;
}

define('existsSync', core.existsSync, 1);
define(
  'exists',
  (path, callback) => {
    requireCallback(callback, 'exists');
    callLater(core.exists(path), (_, found) => callback(found));
  },
  2,
);
ObjectDefineProperty(fs.exists, PROMISIFY, {
  __proto__: null,
  value: (path) => new Promise((resolve) => fs.exists(path, resolve)),
  enumerable: false,
});

// --- reading and writing a part: the callback gets the buffer, too ---------------------------------------------------

function definePartial(name, partial, count, names) {
  define(
    name,
    (...values) => {
      const { callback, passed } = takeCallback(values, count, name);
      const { buffer, operation } = ReflectApply(partial, undefined, passed);
      requireCallback(callback, name);
      callLater(operation, (error, result) => callback(error, result ?? 0, buffer));
    },
    count + 1,
  );
  ObjectDefineProperty(fs[name], ARGUMENT_NAMES, { __proto__: null, value: names, enumerable: false });
}
definePartial('read', core.read, 5, ['bytesRead', 'buffer']);
definePartial('readv', core.readv, 3, ['bytesRead', 'buffers']);
definePartial('write', core.write, 5, ['bytesWritten', 'buffer']);
definePartial('writev', core.writev, 3, ['bytesWritten', 'buffers']);
define('readSync', core.readSync, 5);
define('readvSync', core.readvSync, 3);
define('writeSync', core.writeSync, 5);
define('writevSync', core.writevSync, 3);

// --- what is made of many operations: used by few, so evaluated when it is first called -----------------------------

/** A promise's outcome for a callback, in a turn of its own: what the callback throws is uncaught. */
function toCallback(promise, callback) {
  PromisePrototypeThen(
    promise,
    (value) => setImmediate(() => (value === undefined ? callback(null) : callback(null, value))),
    (error) => setImmediate(() => callback(error)),
  );
}

define('cpSync', (from, to, options) => use('node/internal/fs/copy').cpSync(from, to, options), 3);
define(
  'cp',
  (...values) => {
    const { callback, passed } = takeCallback(values, 3, 'cp');
    requireCallback(callback, 'cp');
    toCallback(use('node/internal/fs/copy').cp(passed[0], passed[1], passed[2]), callback);
  },
  4,
);
define('globSync', (pattern, options) => use('node/internal/fs/glob').globSync(pattern, options), 2);
define(
  'glob',
  (...values) => {
    const { callback, passed } = takeCallback(values, 2, 'glob');
    requireCallback(callback, 'glob');
    toCallback(use('node/internal/fs/glob').globAll(passed[0], passed[1]), callback);
  },
  3,
);
define('watch', (path, options, listener) => use('node/internal/fs/watch').watch(path, options, listener), 3);
define('watchFile', (path, options, listener) => use('node/internal/fs/watch_file').watchFile(path, options, listener), 3);
define('unwatchFile', (path, listener) => use('node/internal/fs/watch_file').unwatchFile(path, listener), 2);
define('openAsBlob', (path, options) => use('node:fs/promises').openAsBlob(path, options), 1);

fs._toUnixTimestamp = toSeconds;
fs.lchmod = undefined; // which Linux does not have
fs.lchmodSync = undefined;

defineSync('opendirSync', core.opendir, 2);
defineCallback('opendir', core.opendir, 2);

// --- classes and constants -------------------------------------------------------------------------------------------

use('node/internal/fs/stream_entry').addStreams(fs);
fs.Stats = Stats;
fs.Dirent = Dirent;
// Loaded when it is first asked for: few programs open directories.
ObjectDefineProperty(fs, 'Dir', {
  __proto__: null,
  configurable: true,
  enumerable: true,
  get: () => use('node/internal/fs/dir').Dir,
  set: (value) => ObjectDefineProperty(fs, 'Dir', { __proto__: null, configurable: true, enumerable: true, writable: true, value }),
});
fs.F_OK = constants.F_OK;
fs.R_OK = constants.R_OK;
fs.W_OK = constants.W_OK;
fs.X_OK = constants.X_OK;
ObjectDefineProperties(fs, {
  __proto__: null,
  constants: { __proto__: null, value: constants, enumerable: true, configurable: false, writable: false },
  promises: {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      return use('node:fs/promises').default;
    },
  },
});

exports.default = fs;
