// node:fs: the synchronous functions and those with a callback. What they do is in core.js.
const {
  ArrayPrototypePop, ArrayPrototypeSlice, ObjectDefineProperties, ObjectDefineProperty, Promise, PromisePrototypeThen, ReflectApply,
  SymbolFor,
} = primordials;
const { ERR_INVALID_ARG_TYPE } = use('node/internal/errors');
const core = use('node/internal/fs/core');
const { callLater, run } = use('node/internal/fs/later');
const { Dir, Dirent, Stats, constants } = use('node/internal/fs/types');
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

/** The callback of a call with at most `count` other arguments is the last one passed; it is taken off `values`. */
function takeCallback(values, count, name) {
  const passed = values.length > count + 1 ? ArrayPrototypeSlice(values, 0, count + 1) : values;
  const callback = passed.length > (REQUIRED[name] ?? 1) ? ArrayPrototypePop(passed) : undefined;
  if (typeof callback !== 'function') throw ERR_INVALID_ARG_TYPE('cb', 'Function', callback);
  return { callback, passed };
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
      callLater(ReflectApply(operation, undefined, passed), callback);
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
  const { callback, passed } = takeCallback(values, 2, 'glob');
  callLater(core.realpathNative(passed[0], passed[1]), callback);
});

define('closeSync', core.closeSync, 1);
define(
  'close',
  (fd, callback = throwIt) => {
    const operation = core.close(fd);
    if (typeof callback !== 'function') throw ERR_INVALID_ARG_TYPE('cb', 'Function', callback);
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
    if (typeof callback !== 'function') throw ERR_INVALID_ARG_TYPE('cb', 'Function', callback);
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
    toCallback(use('node/internal/fs/copy').cp(passed[0], passed[1], passed[2]), callback);
  },
  4,
);
define('globSync', (pattern, options) => use('node/internal/fs/glob').globSync(pattern, options), 2);
define(
  'glob',
  (...values) => {
    const { callback, passed } = takeCallback(values, 2, 'glob');
    toCallback(use('node/internal/fs/glob').globAll(passed[0], passed[1]), callback);
  },
  3,
);
define('watch', (path, options, listener) => use('node/internal/fs/watch').watch(path, options, listener), 3);
define('watchFile', (path, options, listener) => use('node/internal/fs/watch_file').watchFile(path, options, listener), 3);
define('unwatchFile', (path, listener) => use('node/internal/fs/watch_file').unwatchFile(path, listener), 2);
define('openAsBlob', (path, options) => use('node:fs/promises').openAsBlob(path, options), 1);

defineSync('opendirSync', core.opendir, 2);
defineCallback('opendir', core.opendir, 2);

// --- classes and constants -------------------------------------------------------------------------------------------

use('node/internal/fs/stream_entry').addStreams(fs);
fs.Stats = Stats;
fs.Dirent = Dirent;
fs.Dir = Dir;
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
