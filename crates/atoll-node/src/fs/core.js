// Every operation of node:fs, once. `exports.x(...)` checks its arguments and returns what is to be done: a function
// without arguments, which the synchronous form calls at once and the others in a later turn. What it throws is the
// error of the call.
const {
  ArrayBufferIsView, ArrayPrototypePush, ArrayPrototypePushApply, DataViewPrototypeGetByteLength, MathFloor, MathRandom, StringPrototypeEndsWith,
  StringPrototypeIndexOf, StringPrototypeSlice, SymbolSpecies, TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetByteOffset, TypedArrayPrototypeGetSymbolToStringTag, TypedArrayPrototypeSet,
  TypedArrayPrototypeSubarray, Uint8Array, uncurryThis,
} = primordials;
const {
  ERR_FS_EISDIR, ERR_FS_FILE_TOO_LARGE, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE,
} = use('node/internal/errors');
const { validateBoolean, validateBuffer, validateInteger, validateOneOf, validateString } = use('node/internal/validators');
const {
  checkBuffers, checkRange, isUint8Array, throwIfAborted, toDescriptor, toFlags, toMode, toOptions, toPath, toPosition,
  toSeconds, toWritePosition,
} = use('node/internal/fs/arguments');
const { Dir, constants, direntsFrom, fieldsFor, statsFrom } = use('node/internal/fs/types');
const { Buffer } = use('node:buffer');

const { from: bufferFrom, alloc: bufferAlloc, [SymbolSpecies]: FastBuffer } = Buffer;
const toText = uncurryThis(Buffer.prototype.toString);

const CHUNK_BYTES = 64 * 1024; // read at once from a file that does not say its size
const MAX_FILE_BYTES = 2 ** 31 - 1; // of readFile, as in Node
const DEFAULT_READ_BYTES = 16 * 1024; // of the buffer that read() makes when it gets none, as in Node
const FILE_MODE = 0o666;
const DIRECTORY_MODE = 0o777;
const EISDIR = 21;
const MAX_TEMPORARY_NAMES = 100; // tries of mkdtemp; a guest's /tmp cannot hold so many that all of them collide
const TEMPORARY_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

const { S_IFDIR, S_IFMT, S_IFREG, O_RDONLY } = constants;
const KEEP_LINK = 1;
const BIG = 2;
const MAY_MISS = 4;

function byteLengthOf(view) {
  const isTyped = TypedArrayPrototypeGetSymbolToStringTag(view) !== undefined;
  return isTyped ? TypedArrayPrototypeGetByteLength(view) : DataViewPrototypeGetByteLength(view);
}

function asBuffer(bytes) {
  return new FastBuffer(TypedArrayPrototypeGetBuffer(bytes), TypedArrayPrototypeGetByteOffset(bytes), TypedArrayPrototypeGetByteLength(bytes));
}

/** Bytes of a name or a path, as the program wants them. */
function encoded(bytes, encoding) {
  const buffer = asBuffer(bytes);
  return encoding === 'buffer' ? buffer : toText(buffer, encoding || 'utf8');
}

function pathText(path) {
  return typeof path === 'string' ? path : toText(asBuffer(path), 'utf8');
}

function isUtf8(encoding) {
  return encoding === 'utf8' || encoding === 'utf-8';
}

// --- metadata --------------------------------------------------------------------------------------------------------

function statOf(path, options, flags) {
  const bigint = options.bigint === true;
  return () => (native.stat(path, fieldsFor(bigint), flags | (bigint ? BIG : 0)) ? statsFrom(bigint) : undefined);
}
const orThrow = (options) => (options.throwIfNoEntry === false ? MAY_MISS : 0);
exports.statSync = (path, options = {}) => statOf(toPath(path), options ?? {}, orThrow(options ?? {}));
exports.lstatSync = (path, options = {}) => statOf(toPath(path), options ?? {}, KEEP_LINK | orThrow(options ?? {}));
exports.stat = (path, options = {}) => statOf(toPath(path), options ?? {}, 0);
exports.lstat = (path, options = {}) => statOf(toPath(path), options ?? {}, KEEP_LINK);
exports.fstat = (fd, options = {}) => {
  toDescriptor(fd);
  const bigint = options?.bigint === true;
  return () => {
    native.fstat(fd, fieldsFor(bigint), bigint ? BIG : 0);
    return statsFrom(bigint);
  };
};

exports.access = (value, mode) => {
  const path = toPath(value);
  const wanted = mode ?? constants.F_OK;
  if (typeof wanted !== 'number') throw ERR_INVALID_ARG_TYPE('mode', 'integer', wanted);
  validateInteger(wanted, 'mode', 0, 7);
  return () => native.access(path, wanted);
};

/** Never throws: what is no path does not exist. */
exports.exists = (value) => {
  let path;
  try {
    path = toPath(value);
  } catch {
    return () => false;
  }
  return () => native.exists(path);
};

// --- descriptors -----------------------------------------------------------------------------------------------------

exports.open = (value, flags, mode) => {
  const path = toPath(value);
  const number = toFlags(flags);
  const permissions = toMode(mode, FILE_MODE);
  return () => native.open(path, number, permissions);
};

exports.close = (fd) => {
  toDescriptor(fd);
  return () => native.close(fd);
};

/** `(fd, buffer, offset, length, position)`, `(fd, buffer, { offset, length, position })` or `(fd, { buffer, … })`. */
exports.readRange = (fd, bufferOrOptions, offsetOrOptions, lengthValue, positionValue) => {
  toDescriptor(fd);
  let buffer = bufferOrOptions;
  let offset = offsetOrOptions;
  let length = lengthValue;
  let position = positionValue;
  if (!ArrayBufferIsView(buffer) && (buffer === undefined || buffer === null || typeof buffer === 'object')) {
    ({ buffer = bufferAlloc(DEFAULT_READ_BYTES), offset, length, position } = buffer ?? {});
  } else if (offset !== null && typeof offset === 'object') {
    ({ offset, length, position } = offset);
  }
  validateBuffer(buffer);
  const available = byteLengthOf(buffer);
  offset ??= 0;
  validateInteger(offset, 'offset', 0);
  length ??= available - offset;
  if (typeof length === 'bigint') throw ERR_INVALID_ARG_TYPE('length', 'number', length);
  length |= 0;
  if (length !== 0) {
    if (available === 0) throw ERR_INVALID_ARG_VALUE('buffer', buffer, 'is empty and cannot be written');
    if (offset > available) throw ERR_OUT_OF_RANGE('offset', `>= 0 && <= ${available}`, offset);
    checkRange(offset, length, available);
  }
  const place = toPosition(position);
  return { buffer, work: () => (length === 0 ? 0 : native.read(fd, buffer, offset, length, place)) };
};
exports.read = (fd, buffer, offset, length, position) => exports.readRange(fd, buffer, offset, length, position).work;

exports.readv = (fd, buffers, position) => {
  toDescriptor(fd);
  checkBuffers(buffers);
  let place = typeof position === 'number' ? toPosition(position) : -1;
  return () => {
    let total = 0;
    for (let index = 0; index < buffers.length; index++) {
      const length = byteLengthOf(buffers[index]);
      const count = length === 0 ? 0 : native.read(fd, buffers[index], 0, length, place);
      total += count;
      if (place >= 0) place += count;
      if (count < length) break;
    }
    return total;
  };
};

function writeBytes(fd, bytes, offset, length, place) {
  let written = 0;
  while (written < length) {
    written += native.write(fd, bytes, offset + written, length - written, place < 0 ? -1 : place + written);
  }
  return written;
}

/** `(fd, buffer, offset, length, position)`, `(fd, buffer, options)` or `(fd, string, position, encoding)`. */
exports.writeRange = (fd, data, offsetOrOptions, lengthValue, positionValue) => {
  toDescriptor(fd);
  if (ArrayBufferIsView(data)) {
    let offset = offsetOrOptions;
    let length = lengthValue;
    let position = positionValue;
    if (offset !== null && typeof offset === 'object') ({ offset, length, position } = offset);
    const available = byteLengthOf(data);
    offset ??= 0;
    validateInteger(offset, 'offset', 0);
    if (typeof length !== 'number') length = available - offset;
    if (offset > available) throw ERR_OUT_OF_RANGE('offset', `<= ${available}`, offset);
    checkRange(offset, length, available);
    const place = toWritePosition(position);
    return { buffer: data, work: () => (length === 0 ? 0 : native.write(fd, data, offset, length, place)) };
  }
  if (typeof data !== 'string') throw ERR_INVALID_ARG_TYPE('buffer', ['string', 'Buffer', 'TypedArray', 'DataView'], data);
  if (lengthValue !== undefined && lengthValue !== null) validateEncoding(data, lengthValue);
  const bytes = bufferFrom(data, lengthValue ?? 'utf8');
  const length = byteLengthOf(bytes);
  const place = toWritePosition(offsetOrOptions);
  return { buffer: data, work: () => (length === 0 ? 0 : native.write(fd, bytes, 0, length, place)) };
};
exports.write = (fd, data, offset, length, position) => exports.writeRange(fd, data, offset, length, position).work;

function validateEncoding(data, encoding) {
  validateString(encoding, 'encoding');
  if (encoding === 'hex' && data.length % 2 !== 0) {
    throw ERR_INVALID_ARG_VALUE('encoding', encoding, `is invalid for data of length ${data.length}`);
  }
}

exports.writev = (fd, buffers, position) => {
  toDescriptor(fd);
  checkBuffers(buffers);
  let place = toWritePosition(position);
  return () => {
    let total = 0;
    for (let index = 0; index < buffers.length; index++) {
      const count = writeBytes(fd, buffers[index], 0, byteLengthOf(buffers[index]), place);
      total += count;
      if (place >= 0) place += count;
    }
    return total;
  };
};

exports.ftruncate = (fd, length = 0) => {
  toDescriptor(fd);
  validateInteger(length ?? 0, 'len');
  const bytes = length > 0 ? length : 0;
  return () => native.ftruncate(fd, bytes);
};
exports.fsync = (fd) => {
  toDescriptor(fd);
  return () => native.fsync(fd);
};
exports.fchmod = (fd, mode) => {
  toDescriptor(fd);
  const permissions = toMode(mode);
  return () => native.fchmod(fd, permissions);
};
exports.futimes = (fd, accessed, modified) => {
  toDescriptor(fd);
  const from = toSeconds(accessed, 'atime');
  const to = toSeconds(modified, 'mtime');
  return () => native.futimes(fd, from, to);
};

// --- whole files -----------------------------------------------------------------------------------------------------

/** All bytes from a file's position to its end, as Buffer. */
function readRest(fd, signal) {
  const fields = fieldsFor(false);
  native.fstat(fd, fields, 0);
  const regular = (fields[1] & S_IFMT) === S_IFREG;
  const size = regular ? fields[8] : 0;
  if (size > MAX_FILE_BYTES) throw ERR_FS_FILE_TOO_LARGE(size);
  if (size > 0) {
    const bytes = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      throwIfAborted(signal);
      const count = native.read(fd, bytes, filled, size - filled, -1);
      if (count === 0) break;
      filled += count;
    }
    return new FastBuffer(TypedArrayPrototypeGetBuffer(bytes), 0, filled);
  }
  const chunks = [];
  let total = 0;
  for (;;) {
    throwIfAborted(signal);
    const chunk = new Uint8Array(CHUNK_BYTES);
    const count = native.read(fd, chunk, 0, CHUNK_BYTES, -1);
    if (count === 0) break;
    total += count;
    if (total > MAX_FILE_BYTES) throw ERR_FS_FILE_TOO_LARGE(total);
    ArrayPrototypePush(chunks, TypedArrayPrototypeSubarray(chunk, 0, count));
  }
  const bytes = new Uint8Array(total);
  for (let index = 0, at = 0; index < chunks.length; index++) {
    TypedArrayPrototypeSet(bytes, chunks[index], at);
    at += TypedArrayPrototypeGetByteLength(chunks[index]);
  }
  return asBuffer(bytes);
}

function readAndClose(fd, signal) {
  try {
    return readRest(fd, signal);
  } finally {
    native.close(fd);
  }
}

exports.readFile = (pathOrFd, value) => {
  const options = toOptions(value, { flag: 'r' });
  const { encoding, signal } = options;
  const finish = (buffer) => (encoding && encoding !== 'buffer' ? toText(buffer, encoding) : buffer);
  throwIfAborted(signal);
  if (typeof pathOrFd === 'number') {
    toDescriptor(pathOrFd);
    return () => finish(readRest(pathOrFd, signal));
  }
  const path = toPath(pathOrFd);
  const flags = toFlags(options.flag, 'options.flag');
  if (flags !== O_RDONLY) {
    return () => finish(readAndClose(native.open(path, flags, FILE_MODE), signal));
  }
  if (isUtf8(encoding)) {
    return () => {
      throwIfAborted(signal);
      const text = native.readText(path);
      return typeof text === 'string' ? text : finish(readAndClose(text, signal));
    };
  }
  return () => {
    throwIfAborted(signal);
    const bytes = native.readFile(path);
    return finish(typeof bytes === 'number' ? readAndClose(bytes, signal) : asBuffer(bytes));
  };
};

function writeWhole(pathOrFd, data, value, flag) {
  const options = toOptions(value, { encoding: 'utf8', mode: FILE_MODE, flag, flush: false });
  const { signal } = options;
  if (options.flush !== undefined && options.flush !== null) validateBoolean(options.flush, 'options.flush');
  const flush = options.flush === true;
  let bytes = data;
  if (!ArrayBufferIsView(data)) {
    if (typeof data !== 'string') throw ERR_INVALID_ARG_TYPE('data', ['string', 'Buffer', 'TypedArray', 'DataView'], data);
    bytes = bufferFrom(data, options.encoding || 'utf8');
  }
  const length = byteLengthOf(bytes);
  throwIfAborted(signal);
  if (typeof pathOrFd === 'number') {
    toDescriptor(pathOrFd);
    return () => {
      writeBytes(pathOrFd, bytes, 0, length, -1);
      if (flush) native.fsync(pathOrFd);
    };
  }
  const path = toPath(pathOrFd);
  const flags = toFlags(options.flag, 'options.flag');
  const mode = toMode(options.mode, FILE_MODE);
  return () => {
    throwIfAborted(signal);
    const fd = native.open(path, flags, mode);
    try {
      writeBytes(fd, bytes, 0, length, -1);
      if (flush) native.fsync(fd);
    } finally {
      native.close(fd);
    }
  };
}
exports.writeFile = (path, data, options) => writeWhole(path, data, options, 'w');
exports.appendFile = (path, data, options) => writeWhole(path, data, options, 'a');

exports.truncate = (value, length = 0) => {
  if (typeof value === 'number') return exports.ftruncate(value, length);
  const path = toPath(value);
  validateInteger(length ?? 0, 'len');
  const bytes = length > 0 ? length : 0;
  return () => {
    const fd = native.open(path, constants.O_RDWR, FILE_MODE);
    try {
      native.ftruncate(fd, bytes);
    } finally {
      native.close(fd);
    }
  };
};

exports.copyFile = (source, destination, mode) => {
  const from = toPath(source, 'src');
  const to = toPath(destination, 'dest');
  validateInteger(mode ?? 0, 'mode', 0, 7);
  return () => native.copyFile(from, to, mode ?? 0);
};

// --- directories -----------------------------------------------------------------------------------------------------

/** Names of one directory in the wanted encoding, with what they are. */
function list(path, encoding, opened = false) {
  const raw = encoding !== undefined && encoding !== null && !isUtf8(encoding);
  const { 0: names, 1: kinds } = native.readDir(path, raw, opened);
  if (raw) for (let index = 0; index < names.length; index++) names[index] = encoded(names[index], encoding);
  return { names, kinds };
}

function joined(directory, name) {
  return StringPrototypeEndsWith(directory, '/') ? directory + name : `${directory}/${name}`;
}

/** Names of a directory and all below it, breadth first; links to directories are listed and not entered. */
function listAll(base, withTypes) {
  const results = [];
  const directories = [''];
  for (let index = 0; index < directories.length; index++) {
    const below = directories[index];
    const path = below === '' ? base : joined(base, below);
    const { names, kinds } = list(path, 'utf8');
    for (let at = 0; at < names.length; at++) {
      const relative = below === '' ? names[at] : `${below}/${names[at]}`;
      if (kinds[at] === constants.UV_DIRENT_DIR) ArrayPrototypePush(directories, relative);
      if (!withTypes) ArrayPrototypePush(results, relative);
    }
    if (withTypes) ArrayPrototypePushApply(results, direntsFrom(names, kinds, path));
  }
  return results;
}

exports.readdir = (value, options) => {
  const { encoding, recursive, withFileTypes } = toOptions(options);
  const path = toPath(value);
  if (recursive !== undefined && recursive !== null) validateBoolean(recursive, 'options.recursive');
  if (recursive) {
    const base = pathText(path);
    return () => {
      const results = listAll(base, withFileTypes);
      if (withFileTypes || !encoding || isUtf8(encoding)) return results;
      for (let index = 0; index < results.length; index++) results[index] = encoded(bufferFrom(results[index]), encoding);
      return results;
    };
  }
  return () => {
    const { names, kinds } = list(path, encoding);
    return withFileTypes ? direntsFrom(names, kinds, encoding === 'buffer' ? bufferFrom(path) : pathText(path)) : names;
  };
};

exports.opendir = (value, options, later) => {
  const { encoding, recursive } = toOptions(options, { encoding: 'utf8' });
  const path = toPath(value);
  const base = pathText(path);
  return () => {
    if (recursive) return new Dir(base, listAll(base, true), later);
    const { names, kinds } = list(path, encoding, true);
    return new Dir(base, direntsFrom(names, kinds, base), later);
  };
};

exports.mkdir = (value, options) => {
  let mode = DIRECTORY_MODE;
  let recursive = false;
  if (typeof options === 'number' || typeof options === 'string') {
    mode = toMode(options);
  } else if (options) {
    if (options.recursive !== undefined) {
      recursive = options.recursive;
      validateBoolean(recursive, 'options.recursive');
    }
    if (options.mode !== undefined) mode = toMode(options.mode, DIRECTORY_MODE, 'options.mode');
  }
  const path = toPath(value);
  return () => (recursive ? native.makeDirs(path, mode) : native.makeDir(path, mode));
};

exports.mkdtemp = (prefix, options) => {
  const { encoding } = toOptions(options);
  const base = pathText(toPath(prefix, 'prefix'));
  return () => {
    for (let attempt = 1; ; attempt++) {
      let path = base;
      for (let index = 0; index < 6; index++) path += TEMPORARY_CHARACTERS[MathFloor(MathRandom() * TEMPORARY_CHARACTERS.length)];
      try {
        native.makeDir(path, 0o700);
        return encoding && !isUtf8(encoding) ? encoded(bufferFrom(path), encoding) : path;
      } catch (error) {
        if (error.code !== 'EEXIST' || attempt === MAX_TEMPORARY_NAMES) {
          error.message = `${StringPrototypeSlice(error.message, 0, StringPrototypeIndexOf(error.message, ', mkdir '))}, mkdtemp '${base}XXXXXX'`;
          error.syscall = 'mkdtemp';
          error.path = `${base}XXXXXX`;
          throw error;
        }
      }
    }
  };
};

exports.rmdir = (value, options) => {
  const path = toPath(value);
  const recursive = options?.recursive ?? false;
  validateBoolean(recursive, 'options.recursive');
  return () => {
    if (!recursive) return native.removeDir(path);
    const fields = fieldsFor(false);
    native.stat(path, fields, KEEP_LINK);
    return (fields[1] & S_IFMT) === S_IFDIR ? native.removeTree(path) : native.removeDir(path);
  };
};

function isDirectory(path) {
  const error = ERR_FS_EISDIR(`rm returned EISDIR (is a directory) ${path}`);
  error.errno = EISDIR;
  error.syscall = 'rm';
  error.path = path;
  return error;
}

exports.rm = (value, options) => {
  const path = toPath(value);
  if (options !== undefined && (options === null || typeof options !== 'object')) throw ERR_INVALID_ARG_TYPE('options', 'Object', options);
  const { force = false, recursive = false } = options ?? {};
  validateBoolean(force, 'options.force');
  validateBoolean(recursive, 'options.recursive');
  return () => {
    const fields = fieldsFor(false);
    if (!native.stat(path, fields, KEEP_LINK | (force ? MAY_MISS : 0))) return;
    const directory = (fields[1] & S_IFMT) === S_IFDIR;
    if (directory && !recursive) throw isDirectory(pathText(path));
    if (directory) native.removeTree(path);
    else native.unlink(path);
  };
};

// --- names -----------------------------------------------------------------------------------------------------------

const onPath = (name) => (value) => {
  const path = toPath(value);
  return () => native[name](path);
};
exports.unlink = onPath('unlink');

const onTwoPaths = (name, first, second) => (source, destination) => {
  const from = toPath(source, first);
  const to = toPath(destination, second);
  return () => native[name](from, to);
};
exports.rename = onTwoPaths('rename', 'oldPath', 'newPath');
exports.link = onTwoPaths('link', 'existingPath', 'newPath');

exports.symlink = (value, place, type) => {
  const target = toPath(value, 'target');
  const path = toPath(place);
  if (typeof type === 'string') validateOneOf(type, 'type', ['dir', 'file', 'junction']);
  return () => native.symlink(target, path);
};

exports.chmod = (value, mode) => {
  const path = toPath(value);
  const permissions = toMode(mode);
  return () => native.chmod(path, permissions);
};

const setTimes = (link) => (value, accessed, modified) => {
  const path = toPath(value);
  const from = toSeconds(accessed, 'atime');
  const to = toSeconds(modified, 'mtime');
  return () => native.utimes(path, from, to, link);
};
exports.utimes = setTimes(false);
exports.lutimes = setTimes(true);

exports.readlink = (value, options) => {
  const { encoding } = toOptions(options);
  const path = toPath(value);
  return () => encoded(native.readLink(path), encoding);
};

exports.realpathNative = (value, options) => {
  const { encoding } = toOptions(options);
  const path = toPath(value);
  return () => encoded(native.realPath(path), encoding);
};

/** Node's own walk: `..` goes up in the text, and errors name the part of the path that is missing. */
exports.realpath = (value, options) => {
  const { encoding } = toOptions(options);
  const path = toPath(value);
  return () => {
    const absolute = use('node:path').default.resolve(pathText(path));
    try {
      return encoded(native.realPath(absolute), encoding);
    } catch (error) {
      blamePart(absolute);
      throw error;
    }
  };
};

/** Throws what the first part of a path that cannot be followed says. */
function blamePart(path) {
  const fields = fieldsFor(false);
  let here = '';
  for (let start = 1; start > 0; ) {
    const slash = StringPrototypeIndexOf(path, '/', start);
    here += `/${slash === -1 ? StringPrototypeSlice(path, start) : StringPrototypeSlice(path, start, slash)}`;
    start = slash + 1;
    native.stat(here, fields, KEEP_LINK);
    if ((fields[1] & S_IFMT) !== constants.S_IFLNK) continue;
    native.stat(here, fields, 0);
    here = toText(asBuffer(native.realPath(here)), 'utf8');
    if (here === '/') here = '';
  }
}

exports.asBuffer = asBuffer;
exports.isUint8Array = isUint8Array;
