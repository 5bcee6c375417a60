// What the calls of node:fs return beside JavaScript's own types, and the constants.
const {
  ArrayPrototypePush, BigInt64Array, Date, Float64Array, FunctionPrototypeCall, MathRound, Number, ObjectDefineProperties,
  ObjectDefineProperty, ObjectFreeze, ObjectSetPrototypeOf, StringPrototypeCharCodeAt, Symbol,
} = primordials;

// --- constants: Linux's, on every host -------------------------------------------------------------------------------

const constants = {
  __proto__: null,
  UV_FS_SYMLINK_DIR: 1,
  UV_FS_SYMLINK_JUNCTION: 2,
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  UV_DIRENT_UNKNOWN: 0,
  UV_DIRENT_FILE: 1,
  UV_DIRENT_DIR: 2,
  UV_DIRENT_LINK: 3,
  UV_DIRENT_FIFO: 4,
  UV_DIRENT_SOCKET: 5,
  UV_DIRENT_CHAR: 6,
  UV_DIRENT_BLOCK: 7,
  EXTENSIONLESS_FORMAT_JAVASCRIPT: 0,
  EXTENSIONLESS_FORMAT_WASM: 1,
  S_IFMT: 0o170000,
  S_IFREG: 0o100000,
  S_IFDIR: 0o040000,
  S_IFCHR: 0o020000,
  S_IFBLK: 0o060000,
  S_IFIFO: 0o010000,
  S_IFLNK: 0o120000,
  S_IFSOCK: 0o140000,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  UV_FS_O_FILEMAP: 0,
  O_NOCTTY: 0o400,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_DIRECTORY: 0o200000,
  O_NOATIME: 0o1000000,
  O_NOFOLLOW: 0o400000,
  O_SYNC: 0o4010000,
  O_DSYNC: 0o10000,
  O_DIRECT: 0o40000,
  O_NONBLOCK: 0o4000,
  S_IRWXU: 0o700,
  S_IRUSR: 0o400,
  S_IWUSR: 0o200,
  S_IXUSR: 0o100,
  S_IRWXG: 0o070,
  S_IRGRP: 0o040,
  S_IWGRP: 0o020,
  S_IXGRP: 0o010,
  S_IRWXO: 0o007,
  S_IROTH: 0o004,
  S_IWOTH: 0o002,
  S_IXOTH: 0o001,
  F_OK: 0,
  R_OK: 4,
  W_OK: 2,
  X_OK: 1,
  UV_FS_COPYFILE_EXCL: 1,
  COPYFILE_EXCL: 1,
  UV_FS_COPYFILE_FICLONE: 2,
  COPYFILE_FICLONE: 2,
  UV_FS_COPYFILE_FICLONE_FORCE: 4,
  COPYFILE_FICLONE_FORCE: 4,
};
exports.constants = ObjectFreeze(constants);

const { S_IFMT } = constants;
// method of Stats and Dirent → [type in a mode, type in a directory entry]
const KINDS = {
  __proto__: null,
  isDirectory: [constants.S_IFDIR, constants.UV_DIRENT_DIR],
  isFile: [constants.S_IFREG, constants.UV_DIRENT_FILE],
  isBlockDevice: [constants.S_IFBLK, constants.UV_DIRENT_BLOCK],
  isCharacterDevice: [constants.S_IFCHR, constants.UV_DIRENT_CHAR],
  isSymbolicLink: [constants.S_IFLNK, constants.UV_DIRENT_LINK],
  isFIFO: [constants.S_IFIFO, constants.UV_DIRENT_FIFO],
  isSocket: [constants.S_IFSOCK, constants.UV_DIRENT_SOCKET],
};

function defineMethod(prototype, name, value) {
  ObjectDefineProperty(value, 'name', { __proto__: null, value: name, configurable: true });
  ObjectDefineProperty(prototype, name, { __proto__: null, value, configurable: true, enumerable: false, writable: true });
}

// --- Stats -----------------------------------------------------------------------------------------------------------

function StatsBase(dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks) {
  this.dev = dev;
  this.mode = mode;
  this.nlink = nlink;
  this.uid = uid;
  this.gid = gid;
  this.rdev = rdev;
  this.blksize = blksize;
  this.ino = ino;
  this.size = size;
  this.blocks = blocks;
}
for (const name in KINDS) {
  const type = KINDS[name][0];
  defineMethod(StatsBase.prototype, name, function () {
    return (Number(this.mode) & S_IFMT) === type;
  });
}

/** A time as `Date`, made when it is first asked for. */
function lazyTime(name) {
  return {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      const value = new Date(MathRound(Number(this[`${name}Ms`])));
      this[name] = value;
      return value;
    },
    set(value) {
      ObjectDefineProperty(this, name, { __proto__: null, value, configurable: true, enumerable: true, writable: true });
    },
  };
}
const lazyTimes = {
  __proto__: null,
  atime: lazyTime('atime'),
  mtime: lazyTime('mtime'),
  ctime: lazyTime('ctime'),
  birthtime: lazyTime('birthtime'),
};

function Stats(dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks, atimeMs, mtimeMs, ctimeMs, birthtimeMs) {
  this.dev = dev;
  this.mode = mode;
  this.nlink = nlink;
  this.uid = uid;
  this.gid = gid;
  this.rdev = rdev;
  this.blksize = blksize;
  this.ino = ino;
  this.size = size;
  this.blocks = blocks;
  this.atimeMs = atimeMs;
  this.mtimeMs = mtimeMs;
  this.ctimeMs = ctimeMs;
  this.birthtimeMs = birthtimeMs;
}
ObjectSetPrototypeOf(Stats, StatsBase);
ObjectSetPrototypeOf(Stats.prototype, StatsBase.prototype);
ObjectDefineProperties(Stats.prototype, lazyTimes);
defineMethod(Stats.prototype, 'toJSON', function () {
  const { atime, mtime, ctime, birthtime } = this;
  return { ...this, atime, mtime, ctime, birthtime };
});
exports.Stats = Stats;

function BigIntStats(dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks, atimeNs, mtimeNs, ctimeNs, birthtimeNs) {
  FunctionPrototypeCall(StatsBase, this, dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks);
  this.atimeMs = atimeNs / 1000000n;
  this.mtimeMs = mtimeNs / 1000000n;
  this.ctimeMs = ctimeNs / 1000000n;
  this.birthtimeMs = birthtimeNs / 1000000n;
  this.atimeNs = atimeNs;
  this.mtimeNs = mtimeNs;
  this.ctimeNs = ctimeNs;
  this.birthtimeNs = birthtimeNs;
}
ObjectSetPrototypeOf(BigIntStats, StatsBase);
ObjectSetPrototypeOf(BigIntStats.prototype, StatsBase.prototype);
ObjectDefineProperties(BigIntStats.prototype, lazyTimes);

const FIELDS = 18; // ten numbers, then seconds and nanoseconds of four times
// One array each, filled by the native function and read at once.
const fields = new Float64Array(FIELDS);
const bigFields = new BigInt64Array(FIELDS);
exports.fieldsFor = (bigint) => (bigint ? bigFields : fields);

/** The object for the result at `index` of an array of results, such as `fieldsFor(bigint)` has been filled with. */
exports.statsFrom = (bigint, f, index) => {
  const at = index * FIELDS;
  if (bigint) {
    const time = (field) => f[at + field] * 1000000000n + f[at + field + 1];
    return new BigIntStats(
      f[at], f[at + 1], f[at + 2], f[at + 3], f[at + 4], f[at + 5], f[at + 6], f[at + 7], f[at + 8], f[at + 9],
      time(10), time(12), time(14), time(16),
    );
  }
  return new Stats(
    f[at], f[at + 1], f[at + 2], f[at + 3], f[at + 4], f[at + 5], f[at + 6], f[at + 7], f[at + 8], f[at + 9],
    f[at + 10] * 1000 + f[at + 11] / 1000000, f[at + 12] * 1000 + f[at + 13] / 1000000,
    f[at + 14] * 1000 + f[at + 15] / 1000000, f[at + 16] * 1000 + f[at + 17] / 1000000,
  );
};

// --- StatFs ----------------------------------------------------------------------------------------------------------

class StatFs {
  constructor(type, bsize, blocks, bfree, bavail, files, ffree) {
    this.type = type;
    this.bsize = bsize;
    this.blocks = blocks;
    this.bfree = bfree;
    this.bavail = bavail;
    this.files = files;
    this.ffree = ffree;
  }
}

/** From an array of BigInts, as the native function returns it. */
exports.statFsFrom = (bigint, fields) => {
  const { 0: type, 1: size, 2: blocks, 3: free, 4: available, 5: files, 6: freeFiles } = fields;
  if (bigint) return new StatFs(type, size, blocks, free, available, files, freeFiles);
  return new StatFs(
    Number(type), Number(size), Number(blocks), Number(free), Number(available), Number(files), Number(freeFiles),
  );
};

// --- directories -----------------------------------------------------------------------------------------------------

const KIND = Symbol('type');

class Dirent {
  constructor(name, path, kind) {
    this.name = name;
    this.parentPath = path;
    this.path = path;
    this[KIND] = kind;
  }
}
for (const name in KINDS) {
  const kind = KINDS[name][1];
  defineMethod(Dirent.prototype, name, function () {
    return this[KIND] === kind;
  });
}
exports.Dirent = Dirent;

/** Entries for a part of `names` and `kinds`, which lie side by side as the native function returns them. */
exports.direntsFrom = (names, kinds, path, start, end, into) => {
  for (let index = start; index < end; index++) {
    ArrayPrototypePush(into, new Dirent(names[index], path, StringPrototypeCharCodeAt(kinds, index)));
  }
  return into;
};
