// Every operation of node:fs, once. `exports.x(...)` checks its arguments and returns the operation (`later.js`), which the
// synchronous form does at once and the others later. What is done most often has a synchronous form of its own here
// (`…Sync`), which makes no object on its way. What these throw is the error of the call.
const {
  ArrayBufferIsView, ArrayPrototypePush, Boolean, DataViewPrototypeGetBuffer, DataViewPrototypeGetByteLength,
  DataViewPrototypeGetByteOffset, StringPrototypeCharCodeAt, StringPrototypeToLowerCase, SymbolSpecies, TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetByteOffset, TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSet, TypedArrayPrototypeSubarray, Uint8Array, uncurryThis,
} = primordials;
const {
  ERR_FS_FILE_TOO_LARGE, ERR_FS_INVALID_SYMLINK_TYPE, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE,
} = use('node/internal/errors');
const { validateBoolean, validateBuffer, validateInteger, validateObject } = use('node/internal/validators');
const {
  checkBuffers, checkRange, systemError, throwIfAborted, toDescriptor, toFlags, toMode, toOptions, toPath, toOwner,
  toPosition, toSeconds, toWritePosition,
} = use('node/internal/fs/arguments');
const { kind, operation } = use('node/internal/fs/later');
const { constants, direntsFrom, fieldsFor, statFsFrom, statsFrom } = use('node/internal/fs/types');
const { Buffer } = use('node:buffer');

const { from: bufferFrom, alloc: bufferAlloc, isEncoding, [SymbolSpecies]: FastBuffer } = Buffer;
const toText = uncurryThis(Buffer.prototype.toString);

const DEFAULT_READ_BYTES = 16 * 1024; // of the buffer that read() makes when it gets none, as in Node
const MAX_WRITE_BYTES = 2 ** 31 - 1; // of one call, as in Node
const FILE_MODE = 0o666;
const DIRECTORY_MODE = 0o777;

const { O_RDONLY } = constants;
const KEEP_LINK = 1;
const BIG = 2;
const MAY_MISS = 4;

// Kinds of operations, made when they are first wanted.
const kinds = { __proto__: null };
function of(name) {
  return (kinds[name] ??= kind(name, inPlace[name] ?? native[name]));
}

function byteLengthOf(view) {
  const isTyped = TypedArrayPrototypeGetSymbolToStringTag(view) !== undefined;
  return isTyped ? TypedArrayPrototypeGetByteLength(view) : DataViewPrototypeGetByteLength(view);
}

/** The bytes of any view. */
function bytesOf(view) {
  if (TypedArrayPrototypeGetSymbolToStringTag(view) !== undefined) {
    return new Uint8Array(TypedArrayPrototypeGetBuffer(view), TypedArrayPrototypeGetByteOffset(view), TypedArrayPrototypeGetByteLength(view));
  }
  return new Uint8Array(DataViewPrototypeGetBuffer(view), DataViewPrototypeGetByteOffset(view), DataViewPrototypeGetByteLength(view));
}

function asBuffer(bytes) {
  return new FastBuffer(TypedArrayPrototypeGetBuffer(bytes), TypedArrayPrototypeGetByteOffset(bytes), TypedArrayPrototypeGetByteLength(bytes));
}

/** A name or a path, text or bytes, as the program wants it. */
function encoded(name, encoding) {
  if (typeof name === 'string') {
    if (!encoding || isUtf8(encoding)) return name;
    const buffer = bufferFrom(name);
    return encoding === 'buffer' ? buffer : toText(buffer, encoding);
  }
  const buffer = asBuffer(name);
  return encoding === 'buffer' ? buffer : toText(buffer, encoding || 'utf8');
}
exports.encoded = encoded;
const encodedAs = (encoding) => (!encoding || isUtf8(encoding) ? (name) => encoded(name) : (name) => encoded(name, encoding));

function pathText(path) {
  return typeof path === 'string' ? path : toText(asBuffer(path), 'utf8');
}

function isUtf8(encoding) {
  return encoding === 'utf8' || encoding === 'utf-8';
}

// --- metadata --------------------------------------------------------------------------------------------------------

function statNow(path, options, flags) {
  if (options === undefined || options === null) {
    native.stat(path, fieldsFor(false), flags);
    return statsFrom(false, fieldsFor(false), 0);
  }
  const bigint = options.bigint === true;
  const mayMiss = options.throwIfNoEntry === false ? MAY_MISS : 0;
  const fields = fieldsFor(bigint);
  return native.stat(path, fields, flags | mayMiss | (bigint ? BIG : 0)) ? statsFrom(bigint, fields, 0) : undefined;
}
// Those whose native function works in place when it is called at once.
const inPlace = {
  __proto__: null,
  stat: (path, link, bigint) => statNow(path, { __proto__: null, bigint }, link ? KEEP_LINK : 0),
};
exports.statSync = (path, options) => statNow(toPath(path), options, 0);
exports.lstatSync = (path, options) => statNow(toPath(path), options, KEEP_LINK);
exports.stat = (path, options) => operation(of('stat'), undefined, toPath(path), false, options?.bigint === true);
exports.lstat = (path, options) => operation(of('stat'), undefined, toPath(path), true, options?.bigint === true);
exports.fstatSync = (fd, options) => {
  toDescriptor(fd);
  const bigint = options?.bigint === true;
  const fields = fieldsFor(bigint);
  native.fstat(fd, fields, bigint ? BIG : 0);
  return statsFrom(bigint, fields, 0);
};
exports.fstat = (fd, options) => operation(of('fstat'), undefined, toDescriptor(fd), options?.bigint === true, options?.bigint === true);

function toAccess(mode) {
  const wanted = mode ?? constants.F_OK;
  if (typeof wanted !== 'number') throw ERR_INVALID_ARG_TYPE('mode', 'integer', wanted);
  validateInteger(wanted, 'mode', 0, 7);
  return wanted;
}
exports.accessSync = (path, mode) => native.access(toPath(path), mode === undefined ? 0 : toAccess(mode));
exports.access = (path, mode) => operation(of('access'), undefined, toPath(path), toAccess(mode));

/** Never throws: what is no path does not exist. */
exports.existsSync = (value) => {
  let path;
  try {
    path = toPath(value);
  } catch {
    return false;
  }
  return native.exists(path);
};
exports.exists = (value) => {
  let path = '';
  try {
    path = toPath(value);
  } catch {
    // The empty path is none either.
  }
  return operation(of('exists'), undefined, path);
};

// --- descriptors -----------------------------------------------------------------------------------------------------

exports.openSync = (path, flags, mode) => native.open(toPath(path), toFlags(flags), toMode(mode, FILE_MODE));
exports.open = (path, flags, mode) => operation(of('open'), undefined, toPath(path), toFlags(flags), toMode(mode, FILE_MODE));

exports.closeSync = (fd) => native.close(toDescriptor(fd));
exports.close = (fd) => operation(of('close'), undefined, toDescriptor(fd));

/** Checks what a read was asked for; `length` is 0 where there is nothing to do. */
function readRange(buffer, offsetValue, lengthValue, position) {
  validateBuffer(buffer);
  const available = byteLengthOf(buffer);
  const offset = offsetValue ?? 0;
  validateInteger(offset, 'offset', 0);
  let length = lengthValue === undefined ? available - offset : lengthValue;
  if (typeof length === 'bigint') throw ERR_INVALID_ARG_TYPE('length', 'number', length);
  length |= 0;
  if (length === 0) return { buffer, offset, length, place: -1 };
  if (available === 0) throw ERR_INVALID_ARG_VALUE('buffer', buffer, 'is empty and cannot be written');
  checkRange(offset, length, available);
  return { buffer, offset, length, place: toPosition(position) };
}

/** `(fd, buffer, offset, length, position)` or `(fd, buffer, { offset, length, position })`. */
exports.readSync = function (fd, buffer, offsetOrOptions, lengthValue, positionValue) {
  toDescriptor(fd);
  validateBuffer(buffer);
  let offset = offsetOrOptions;
  let length = lengthValue;
  let position = positionValue;
  if (arguments.length <= 3 || typeof offset === 'object') {
    if (offset !== undefined && offset !== null) validateObject(offset, 'options');
    ({ offset = 0, length, position } = offset ?? {});
  } else {
    length ??= 0;
  }
  const range = readRange(buffer, offset, length, position);
  return range.length === 0 ? 0 : native.read(fd, buffer, range.offset, range.length, range.place);
};

/** As `readSync`, or `(fd, { buffer, … })`. The operation, whose result is a count, and the buffer. */
exports.read = function (fd, bufferOrOptions, offsetOrOptions, lengthValue, positionValue) {
  toDescriptor(fd);
  if (arguments.length >= 4) return readPart(fd, bufferOrOptions, offsetOrOptions, lengthValue, positionValue);
  let buffer = bufferOrOptions;
  let options = offsetOrOptions;
  if (arguments.length < 3 && !ArrayBufferIsView(buffer)) {
    options = buffer;
    if (options !== undefined && options !== null) validateObject(options, 'options');
    ({ buffer = bufferAlloc(DEFAULT_READ_BYTES) } = options ?? {});
  } else if (options !== undefined && options !== null) {
    validateObject(options, 'options');
  }
  const { offset, length, position } = options ?? {};
  return readPart(fd, buffer, offset, length, position);
};

/** As `read`, by the rules of FileHandle: which form it is does not depend on the number of arguments, and no length is all. */
exports.readHandle = (fd, bufferOrOptions, offsetOrOptions, lengthValue, positionValue) => {
  let buffer = bufferOrOptions;
  let offset = offsetOrOptions;
  let length = lengthValue;
  let position = positionValue;
  if (!ArrayBufferIsView(buffer)) {
    if (buffer !== undefined && buffer !== null) validateObject(buffer, 'options');
    ({ buffer = bufferAlloc(DEFAULT_READ_BYTES), offset, length, position } = buffer ?? {});
  } else if (offset !== null && typeof offset === 'object') {
    ({ offset, length, position } = offset);
  }
  return readPart(fd, buffer, offset, length ?? undefined, position);
};

function readPart(fd, buffer, offset, length, position) {
  const range = readRange(buffer, offset, length, position);
  const finish = (bytes) => {
    const count = TypedArrayPrototypeGetByteLength(bytes);
    if (count > 0) TypedArrayPrototypeSet(bytesOf(buffer), bytes, range.offset);
    return count;
  };
  return { buffer, operation: operation(of('read'), finish, fd, range.length, range.place, range.length === 0) };
}

/** The buffers, in an array that no program can get at. */
function ownBuffers(buffers) {
  checkBuffers(buffers);
  const own = [];
  for (let index = 0; index < buffers.length; index++) ArrayPrototypePush(own, buffers[index]);
  return own;
}

exports.readvSync = (fd, buffers, position) => {
  toDescriptor(fd);
  return native.readv(fd, ownBuffers(buffers), typeof position === 'number' ? toPosition(position) : -1);
};

exports.readv = (fd, buffers, position) => {
  toDescriptor(fd);
  const own = ownBuffers(buffers);
  let length = 0;
  for (let index = 0; index < own.length; index++) length += byteLengthOf(own[index]);
  const finish = (bytes) => {
    const count = TypedArrayPrototypeGetByteLength(bytes);
    for (let index = 0, at = 0; at < count; index++) {
      const end = at + byteLengthOf(own[index]);
      TypedArrayPrototypeSet(bytesOf(own[index]), TypedArrayPrototypeSubarray(bytes, at, end < count ? end : count));
      at = end;
    }
    return count;
  };
  const place = typeof position === 'number' ? toPosition(position) : -1;
  return { buffer: buffers, operation: operation(of('read'), finish, fd, length, place, own.length > 0 && length === 0) };
};

/** `(fd, buffer, offset, length, position)`, `(fd, buffer, options)` or `(fd, string, position, encoding)`. */
function writeRange(fd, data, offsetOrOptions, lengthValue, positionValue) {
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
    validateInteger(length, 'length', 0, MAX_WRITE_BYTES);
    return { bytes: data, offset, length, place: toWritePosition(position) };
  }
  if (typeof data !== 'string') throw ERR_INVALID_ARG_TYPE('buffer', ['string', 'Buffer', 'TypedArray', 'DataView'], data);
  const encoding = isEncoding(lengthValue) ? lengthValue : 'utf8'; // as Node takes what is no encoding
  if (isHex(encoding) && data.length % 2 !== 0) {
    throw ERR_INVALID_ARG_VALUE('encoding', encoding, `is invalid for data of length ${data.length}`);
  }
  const bytes = bufferFrom(data, encoding);
  return { bytes, offset: 0, length: byteLengthOf(bytes), place: toWritePosition(offsetOrOptions) };
}

exports.writeSync = (fd, data, offsetOrOptions, lengthValue, positionValue) => {
  if (typeof data === 'string' && (lengthValue === undefined || lengthValue === null || isUtf8(lengthValue))) {
    toDescriptor(fd);
    return data === '' ? 0 : native.writeText(fd, data, toWritePosition(offsetOrOptions));
  }
  const { bytes, offset, length, place } = writeRange(fd, data, offsetOrOptions, lengthValue, positionValue);
  return length === 0 ? 0 : native.write(fd, bytes, offset, length, place);
};

exports.write = (fd, data, offsetOrOptions, lengthValue, positionValue) => {
  const { bytes, offset, length, place } = writeRange(fd, data, offsetOrOptions, lengthValue, positionValue);
  return { buffer: data, operation: operation(of('write'), undefined, fd, bytes, offset, length, place) };
};

const isHex = (encoding) => StringPrototypeToLowerCase(encoding) === 'hex';

exports.writevSync = (fd, buffers, position) => {
  toDescriptor(fd);
  return native.writev(fd, ownBuffers(buffers), toWritePosition(position));
};

exports.writev = (fd, buffers, position) => {
  toDescriptor(fd);
  const own = ownBuffers(buffers);
  let length = 0;
  for (let index = 0; index < own.length; index++) length += byteLengthOf(own[index]);
  const bytes = new Uint8Array(length);
  for (let index = 0, at = 0; index < own.length; index++) {
    TypedArrayPrototypeSet(bytes, bytesOf(own[index]), at);
    at += byteLengthOf(own[index]);
  }
  return { buffer: buffers, operation: operation(of('write'), undefined, fd, bytes, 0, length, toWritePosition(position)) };
};

function toLength(length) {
  validateInteger(length, 'len');
  return length > 0 ? length : 0;
}
exports.ftruncate = (fd, length = 0) => operation(of('ftruncate'), undefined, toDescriptor(fd), toLength(length));
exports.fsync = (fd) => operation(of('fsync'), undefined, toDescriptor(fd));
exports.fchmod = (fd, mode) => operation(of('fchmod'), undefined, toDescriptor(fd), toMode(mode));
exports.fdatasync = (fd) => operation(of('fdatasync'), undefined, toDescriptor(fd));
exports.fchown = (fd, uid, gid) => operation(of('fchown'), undefined, toDescriptor(fd), toOwner(uid, 'uid'), toOwner(gid, 'gid'));
exports.futimes = (fd, accessed, modified) =>
  operation(of('futimes'), undefined, toDescriptor(fd), toSeconds(accessed, 'atime'), toSeconds(modified, 'mtime'));

// --- whole files -----------------------------------------------------------------------------------------------------

function tooLarge(size) {
  throw ERR_FS_FILE_TOO_LARGE(size);
}

/** What has been read, as the program wants it. A number is the size of a file that is too long. */
function readResult(content, encoding) {
  if (typeof content === 'string') return content;
  if (typeof content === 'number') tooLarge(content);
  const buffer = asBuffer(content);
  return encoding && encoding !== 'buffer' ? toText(buffer, encoding) : buffer;
}

function toTarget(pathOrFd) {
  return typeof pathOrFd === 'number' && pathOrFd >= 0 && pathOrFd === (pathOrFd | 0) ? pathOrFd : toPath(pathOrFd);
}

exports.readFileSync = (pathOrFd, value) => {
  if (value === 'utf8' || value === 'utf-8') return readResult(native.readText(toTarget(pathOrFd), O_RDONLY, FILE_MODE));
  if (value === undefined) return readResult(native.readFile(toTarget(pathOrFd), O_RDONLY, FILE_MODE, false));
  const { encoding, flag } = toOptions(value, { flag: 'r' });
  const target = toTarget(pathOrFd);
  const flags = typeof target === 'number' ? O_RDONLY : toFlags(flag, 'options.flag');
  if (isUtf8(encoding)) return readResult(native.readText(target, flags, FILE_MODE));
  return readResult(native.readFile(target, flags, FILE_MODE, false), encoding);
};

exports.readFile = (pathOrFd, value) => {
  const { encoding, flag, signal } = toOptions(value, { flag: 'r' });
  throwIfAborted(signal);
  const target = toTarget(pathOrFd);
  const flags = typeof target === 'number' ? O_RDONLY : toFlags(flag, 'options.flag');
  const finish = (content) => {
    throwIfAborted(signal);
    return readResult(content, encoding);
  };
  return operation(of('readFile'), finish, target, flags, FILE_MODE, isUtf8(encoding));
};

const WRITE_OPTIONS = { __proto__: null, encoding: 'utf8', mode: FILE_MODE, flush: false };

/** Calls `use(target, content, flags, mode, flush, signal)` with the checked arguments of writeFile and appendFile. */
function withWhole(use, pathOrFd, data, value, flag) {
  const options = toOptions(value, { ...WRITE_OPTIONS, flag });
  if (options.flush !== undefined && options.flush !== null) validateBoolean(options.flush, 'options.flush');
  let content = data;
  if (typeof data === 'string') {
    const encoding = options.encoding || 'utf8';
    if (!isUtf8(encoding)) content = bufferFrom(data, encoding);
  } else if (!ArrayBufferIsView(data)) {
    throw ERR_INVALID_ARG_TYPE('data', ['string', 'Buffer', 'TypedArray', 'DataView'], data);
  }
  throwIfAborted(options.signal);
  const target = toTarget(pathOrFd);
  const flags = typeof target === 'number' ? 0 : toFlags(options.flag || flag, 'options.flag');
  return use(target, content, flags, toMode(options.mode, FILE_MODE), options.flush === true, options.signal);
}

const writeNow = (target, content, flags, mode, flush) => native.writeFile(target, content, flags, mode, flush);
exports.writeFileSync = (path, data, options) => withWhole(writeNow, path, data, options, 'w');
exports.appendFileSync = (path, data, options) => withWhole(writeNow, path, data, options, 'a');

const writeOperation = (target, content, flags, mode, flush, signal) =>
  operation(of('writeFile'), signal && (() => throwIfAborted(signal)), target, content, flags, mode, flush);
exports.writeFile = (path, data, options) => withWhole(writeOperation, path, data, options, 'w');
exports.appendFile = (path, data, options) => withWhole(writeOperation, path, data, options, 'a');

exports.truncate = (value, length = 0) => {
  if (typeof value === 'number') {
    const advice = 'Using fs.truncate with a file descriptor is deprecated. Please use fs.ftruncate with a file descriptor instead.';
    warnOnce(advice, 'DeprecationWarning', 'DEP0081');
    return exports.ftruncate(value, length);
  }
  return operation(of('truncate'), undefined, toPath(value), toLength(length));
};

exports.copyFile = (source, destination, mode) => {
  const from = toPath(source, 'src');
  const to = toPath(destination, 'dest');
  validateInteger(mode ?? 0, 'mode', 0, 7);
  return operation(of('copyFile'), undefined, from, to, mode ?? 0);
};

// --- directories -----------------------------------------------------------------------------------------------------

/** Entries of a directory and all below it, breadth first, from what the native function returns. */
function direntsOfTree(tree, base) {
  const { 0: folders, 1: counts, 2: names, 3: types } = tree;
  const { join } = use('node:path').default;
  const entries = [];
  for (let index = 0, at = 0; index < folders.length; index++) {
    const path = folders[index] === '' ? base : join(base, folders[index]);
    direntsFrom(names, types, path, at, at + counts[index], entries);
    at += counts[index];
  }
  return entries;
}

/** An operation for readdir, or one with a `result` where the native function's is the program's. */
exports.readdir = (value, options) => {
  if (options === undefined) return operation(of('readNames'), undefined, toPath(value));
  const { encoding, recursive, withFileTypes } = toOptions(options);
  const path = toPath(value);
  if (recursive !== undefined && recursive !== null) validateBoolean(recursive, 'options.recursive');
  const plain = !encoding || isUtf8(encoding);
  if (recursive) {
    const base = pathText(path);
    if (withFileTypes) return operation(of('listTree'), (tree) => direntsOfTree(tree, base), path, true);
    return operation(of('listTree'), plain ? undefined : (names) => encodedAll(names, encoding), path, false);
  }
  if (plain && !withFileTypes) return operation(of('readNames'), undefined, path);
  const finish = (listing) => {
    const { 0: names, 1: types } = listing;
    if (!plain) encodedAll(names, encoding);
    return withFileTypes ? direntsFrom(names, types, typeof path === 'string' ? path : asBuffer(path), 0, names.length, []) : names;
  };
  return operation(of('readDir'), finish, path, !plain);
};

function encodedAll(names, encoding) {
  for (let index = 0; index < names.length; index++) names[index] = encoded(names[index], encoding);
  return names;
}

/** The path and the options of opendir. */
function toDirectory(value, options) {
  const { encoding, recursive, bufferSize } = toOptions(options, { encoding: 'utf8', bufferSize: 32 });
  const path = toPath(value);
  validateInteger(bufferSize, 'options.bufferSize', 1, 2 ** 32 - 1);
  return { path, options: { __proto__: null, encoding, recursive: Boolean(recursive), bufferSize } };
}

exports.opendir = (value, given) => {
  const { path, options } = toDirectory(value, given);
  const finish = (number) => new (use('node/internal/fs/dir').Dir)(number, pathText(path), options);
  return operation(of('openDir'), finish, path);
};
exports.openDirectory = (path) => operation(of('openDir'), undefined, path);
exports.closeDirectory = (number) => operation(of('closeDir'), undefined, number);

/** Up to `most` further entries of an open directory, which lies at `path`. */
exports.readDirectory = (number, path, most, encoding) => {
  const plain = !encoding || isUtf8(encoding);
  const finish = (listing) => {
    const { 0: names, 1: types } = listing;
    if (!plain) encodedAll(names, encoding);
    return direntsFrom(names, types, path, 0, names.length, []);
  };
  return operation(of('readDirPart'), finish, number, most, !plain);
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
  return operation(of(recursive ? 'makeDirs' : 'makeDir'), undefined, toPath(value), mode);
};

exports.mkdtemp = (prefix, options) => {
  const { encoding } = toOptions(options);
  const path = toPath(prefix, 'prefix');
  const last = typeof path === 'string' ? StringPrototypeCharCodeAt(path, path.length - 1) : path[byteLengthOf(path) - 1];
  if (last === LETTER_X) warnOnce('mkdtemp() templates ending with X are not portable. For details see: https://nodejs.org/api/fs.html');
  return operation(of('makeTemporary'), encodedAs(encoding), path);
};

const LETTER_X = 88;

const warned = { __proto__: null };
function warnOnce(message, type = undefined, code = undefined) {
  if (warned[message]) return;
  warned[message] = true;
  use('node:process').default.emitWarning(message, type, code);
}

exports.rmdir = (value, options) => {
  const path = toPath(value);
  const recursive = options?.recursive ?? false;
  validateBoolean(recursive, 'options.recursive');
  if (recursive) {
    const advice = 'In future versions of Node.js, fs.rmdir(path, { recursive: true }) will be removed. Use fs.rm(path, { recursive: true }) instead';
    warnOnce(advice, 'DeprecationWarning', 'DEP0147');
  }
  return operation(of(recursive ? 'removeDirAll' : 'removeDir'), undefined, path);
};

exports.rm = (value, options) => {
  const path = toPath(value);
  if (options !== undefined && (options === null || typeof options !== 'object')) throw ERR_INVALID_ARG_TYPE('options', 'Object', options);
  const { force = false, recursive = false, retryDelay = 100, maxRetries = 0 } = options ?? {};
  validateBoolean(force, 'options.force');
  validateBoolean(recursive, 'options.recursive');
  validateInteger(retryDelay, 'options.retryDelay', 0, 2 ** 31 - 1);
  validateInteger(maxRetries, 'options.maxRetries', 0, 2 ** 32 - 1);
  const finish = (wantsRecursive) => {
    if (wantsRecursive) throw systemError('ERR_FS_EISDIR', 'rm', 'EISDIR', 'is a directory', pathText(path));
  };
  return operation(of('remove'), finish, path, force, recursive);
};

// --- names -----------------------------------------------------------------------------------------------------------

exports.unlink = (path) => operation(of('unlink'), undefined, toPath(path));
exports.rename = (from, to) => operation(of('rename'), undefined, toPath(from, 'oldPath'), toPath(to, 'newPath'));
exports.link = (from, to) => operation(of('link'), undefined, toPath(from, 'existingPath'), toPath(to, 'newPath'));

exports.symlink = (value, place, type) => {
  const target = toPath(value, 'target');
  const path = toPath(place);
  if (typeof type === 'string' && type !== 'dir' && type !== 'file' && type !== 'junction') throw ERR_FS_INVALID_SYMLINK_TYPE(type);
  return operation(of('symlink'), undefined, target, path);
};

const setOwner = (link) => (path, uid, gid) =>
  operation(of('chown'), undefined, toPath(path), toOwner(uid, 'uid'), toOwner(gid, 'gid'), link);
exports.chown = setOwner(false);
exports.lchown = setOwner(true);

exports.statfs = (path, options) => {
  const bigint = options?.bigint === true;
  return operation(of('statfs'), (fields) => statFsFrom(bigint, fields), toPath(path));
};

exports.chmod = (path, mode) => operation(of('chmod'), undefined, toPath(path), toMode(mode));

const setTimes = (link) => (path, accessed, modified) =>
  operation(of('utimes'), undefined, toPath(path), toSeconds(accessed), toSeconds(modified), link);
exports.utimes = setTimes(false);
exports.lutimes = setTimes(true);

exports.readlink = (path, options) => operation(of('readLink'), encodedAs(toOptions(options).encoding), toPath(path));
exports.realpathNative = (path, options) => operation(of('realPath'), encodedAs(toOptions(options).encoding), toPath(path));

/** Node's own walk: `..` goes up in the text, and errors name the part of the path that is missing. */
exports.realpath = (value, options) => {
  const { encoding } = toOptions(options);
  const path = use('node:path').default.resolve(pathText(toPath(value)));
  return operation(of('walkedPath'), encodedAs(encoding), path);
};
