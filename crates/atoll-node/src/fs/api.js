// node:fs: the synchronous functions and those with a callback. What they do is in core.js.
const {
  ArrayPrototypePop, ArrayPrototypeSlice, ObjectDefineProperties, ObjectDefineProperty, Promise, ReflectApply,
  SymbolFor,
} = primordials;
const { ERR_INVALID_ARG_TYPE } = use('node/internal/errors');
const core = use('node/internal/fs/core');
const { Dir, Dirent, Stats, constants } = use('node/internal/fs/types');
const { setImmediate } = use('web/timers');

const PROMISIFY = SymbolFor('nodejs.util.promisify.custom');
const ARGUMENT_NAMES = SymbolFor('nodejs.util.promisify.customArgs');

const fs = {};

/**
 * Runs `work` in a turn of the event loop and `callback` in the one after, in the order of the calls: what the program
 * has put off before comes first, as it does while Node waits for the disk.
 */
function later(work, callback) {
  setImmediate(() => {
    let result;
    try {
      result = work();
    } catch (error) {
      setImmediate(() => callback(error));
      return;
    }
    setImmediate(() => (result === undefined ? callback(null) : callback(null, result)));
  });
}
exports.later = later;

function define(name, value, length) {
  ObjectDefineProperties(value, {
    __proto__: null,
    name: { __proto__: null, value: name, configurable: true },
    length: { __proto__: null, value: length, configurable: true },
  });
  fs[name] = value;
}

/** The callback of a call with at most `count` other arguments is the last one passed; it is taken off `values`. */
function takeCallback(values, count) {
  const passed = values.length > count + 1 ? ArrayPrototypeSlice(values, 0, count + 1) : values;
  const callback = ArrayPrototypePop(passed);
  if (typeof callback !== 'function') throw ERR_INVALID_ARG_TYPE('cb', 'Function', callback);
  return { callback, passed };
}

function defineSync(name, operation, length) {
  define(name, (...values) => ReflectApply(operation, undefined, values)(), length);
}

function defineCallback(name, operation, count) {
  define(
    name,
    (...values) => {
      const { callback, passed } = takeCallback(values, count);
      later(ReflectApply(operation, undefined, passed), callback);
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
  copyFile: 3,
  fchmod: 2,
  fsync: 1,
  ftruncate: 2,
  futimes: 3,
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
  symlink: 3,
  truncate: 2,
  unlink: 1,
  utimes: 3,
  writeFile: 3,
};
for (const name in OPERATIONS) {
  defineSync(`${name}Sync`, core[name], OPERATIONS[name]);
  defineCallback(name, core[name], OPERATIONS[name]);
}
defineSync('fdatasyncSync', core.fsync, 1);
defineCallback('fdatasync', core.fsync, 1);

defineSync('statSync', core.statSync, 2);
defineSync('lstatSync', core.lstatSync, 2);
defineSync('fstatSync', core.fstat, 2);
defineCallback('stat', core.stat, 2);
defineCallback('lstat', core.lstat, 2);
defineCallback('fstat', core.fstat, 2);

defineSync('realpathSync', core.realpath, 2);
defineCallback('realpath', core.realpath, 2);
function defineNative(of, operation) {
  ObjectDefineProperty(operation, 'name', { __proto__: null, value: 'native', configurable: true });
  of.native = operation;
}
defineNative(fs.realpathSync, (path, options) => core.realpathNative(path, options)());
defineNative(fs.realpath, (...values) => {
  const { callback, passed } = takeCallback(values, 2);
  later(core.realpathNative(passed[0], passed[1]), callback);
});

define('closeSync', (fd) => core.close(fd)(), 1);
define(
  'close',
  (fd, callback = throwIt) => {
    const work = core.close(fd);
    if (typeof callback !== 'function') throw ERR_INVALID_ARG_TYPE('cb', 'Function', callback);
    later(work, callback);
  },
  1,
);
function throwIt(error) {
  if (error) throw error;
}

define('existsSync', (path) => core.exists(path)(), 1);
define(
  'exists',
  (path, callback) => {
    if (typeof callback !== 'function') throw ERR_INVALID_ARG_TYPE('cb', 'Function', callback);
    later(core.exists(path), (_, found) => callback(found));
  },
  2,
);
ObjectDefineProperty(fs.exists, PROMISIFY, {
  __proto__: null,
  value: (path) => new Promise((resolve) => fs.exists(path, resolve)),
  enumerable: false,
});

// --- reading and writing a part: the callback gets the buffer, too ---------------------------------------------------

function definePartial(name, range, count, names) {
  define(
    name,
    (...values) => {
      const { callback, passed } = takeCallback(values, count);
      const { buffer, work } = ReflectApply(range, undefined, passed);
      later(work, (error, result) => callback(error, result ?? 0, buffer));
    },
    count + 1,
  );
  ObjectDefineProperty(fs[name], ARGUMENT_NAMES, { __proto__: null, value: names, enumerable: false });
}
const withBuffers = (operation) => (fd, buffers, position) => ({ buffer: buffers, work: operation(fd, buffers, position) });
definePartial('read', core.readRange, 5, ['bytesRead', 'buffer']);
definePartial('readv', withBuffers(core.readv), 3, ['bytesRead', 'buffers']);
definePartial('write', core.writeRange, 5, ['bytesWritten', 'buffer']);
definePartial('writev', withBuffers(core.writev), 3, ['bytesWritten', 'buffers']);
defineSync('readSync', core.read, 5);
defineSync('readvSync', core.readv, 3);
defineSync('writeSync', core.write, 5);
defineSync('writevSync', core.writev, 3);

define('opendirSync', (path, options) => core.opendir(path, options, later)(), 2);
define(
  'opendir',
  (...values) => {
    const { callback, passed } = takeCallback(values, 2);
    later(core.opendir(passed[0], passed[1], later), callback);
  },
  3,
);

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
