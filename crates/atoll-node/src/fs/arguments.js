// Checks of what is passed to node:fs, with Node's error for each.
const {
  ArrayBufferIsView, ArrayIsArray, DateNow, DatePrototypeGetTime, Error, ErrorCaptureStackTrace, Number,
  NumberIsFinite, ObjectDefineProperty,
  StringPrototypeIncludes, TypedArrayPrototypeGetSymbolToStringTag, TypedArrayPrototypeIncludes,
} = primordials;
const { AbortError, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE } = use('node/internal/errors');
const { parseFileMode, validateAbortSignal, validateInt32, validateInteger } = use('node/internal/validators');
const { Buffer } = use('node:buffer');
const { constants } = use('node/internal/fs/types');

const { isEncoding } = Buffer;

const isUint8Array = (value) => ArrayBufferIsView(value) && TypedArrayPrototypeGetSymbolToStringTag(value) === 'Uint8Array';
exports.isUint8Array = isUint8Array;

/** A string, or the bytes of a path that need not be UTF-8. */
exports.toPath = (value, name = 'path') => {
  let path = value;
  if (typeof value === 'object' && value !== null && typeof value.href === 'string' && typeof value.protocol === 'string' && value.auth === undefined) {
    path = use('node:url').default.fileURLToPath(value);
  }
  const text = typeof path === 'string';
  if (!text && !isUint8Array(path)) throw ERR_INVALID_ARG_TYPE(name, ['string', 'Buffer', 'URL'], value);
  if (text ? StringPrototypeIncludes(path, '\u0000') : TypedArrayPrototypeIncludes(path, 0)) {
    throw ERR_INVALID_ARG_VALUE(name, value, 'must be a string, Uint8Array, or URL without null bytes');
  }
  return path;
};

exports.toDescriptor = (value, name = 'fd') => {
  validateInt32(value, name, 0);
  return value;
};

const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_SYNC, O_TRUNC, O_WRONLY } = constants;
const FLAGS = {
  __proto__: null,
  r: O_RDONLY,
  rs: O_RDONLY | O_SYNC,
  sr: O_RDONLY | O_SYNC,
  'r+': O_RDWR,
  'rs+': O_RDWR | O_SYNC,
  'sr+': O_RDWR | O_SYNC,
  w: O_TRUNC | O_CREAT | O_WRONLY,
  wx: O_TRUNC | O_CREAT | O_WRONLY | O_EXCL,
  xw: O_TRUNC | O_CREAT | O_WRONLY | O_EXCL,
  'w+': O_TRUNC | O_CREAT | O_RDWR,
  'wx+': O_TRUNC | O_CREAT | O_RDWR | O_EXCL,
  'xw+': O_TRUNC | O_CREAT | O_RDWR | O_EXCL,
  a: O_APPEND | O_CREAT | O_WRONLY,
  ax: O_APPEND | O_CREAT | O_WRONLY | O_EXCL,
  xa: O_APPEND | O_CREAT | O_WRONLY | O_EXCL,
  as: O_APPEND | O_CREAT | O_WRONLY | O_SYNC,
  sa: O_APPEND | O_CREAT | O_WRONLY | O_SYNC,
  'a+': O_APPEND | O_CREAT | O_RDWR,
  'ax+': O_APPEND | O_CREAT | O_RDWR | O_EXCL,
  'xa+': O_APPEND | O_CREAT | O_RDWR | O_EXCL,
  'as+': O_APPEND | O_CREAT | O_RDWR | O_SYNC,
  'sa+': O_APPEND | O_CREAT | O_RDWR | O_SYNC,
};

exports.toFlags = (flags, name = 'flags') => {
  if (typeof flags === 'number') {
    validateInt32(flags, name);
    return flags >>> 0;
  }
  if (flags === undefined || flags === null) return O_RDONLY;
  const number = typeof flags === 'string' ? FLAGS[flags] : undefined;
  if (number === undefined) throw ERR_INVALID_ARG_VALUE('flags', flags);
  return number;
};

exports.toMode = (mode, byDefault, name = 'mode') => parseFileMode(mode, name, byDefault);

function checkEncoding(encoding) {
  if (encoding && encoding !== 'buffer' && !isEncoding(encoding)) {
    throw ERR_INVALID_ARG_VALUE('encoding', encoding, 'is invalid encoding');
  }
}

/** Options as object: a string is the encoding, a missing one (or the callback in its place) gives the defaults. */
exports.toOptions = (options, defaults = {}) => {
  if (options === undefined || options === null || typeof options === 'function') return defaults;
  if (typeof options === 'string') {
    checkEncoding(options);
    return { __proto__: null, ...defaults, encoding: options };
  }
  if (typeof options !== 'object') throw ERR_INVALID_ARG_TYPE('options', ['string', 'Object'], options);
  if (options.encoding !== 'buffer') checkEncoding(options.encoding);
  if (options.signal !== undefined) validateAbortSignal(options.signal, 'options.signal');
  const copy = { __proto__: null, ...defaults };
  for (const name in options) copy[name] = options[name]; // what is inherited, too, as in Node
  return copy;
};

const SYSTEM_ERRORS = {
  __proto__: null,
  ERR_FS_CP_DIR_TO_NON_DIR: 'Cannot overwrite non-directory with directory',
  ERR_FS_CP_EEXIST: 'Target already exists',
  ERR_FS_CP_EINVAL: 'Invalid src or dest',
  ERR_FS_CP_FIFO_PIPE: 'Cannot copy a FIFO pipe',
  ERR_FS_CP_NON_DIR_TO_DIR: 'Cannot overwrite directory with non-directory',
  ERR_FS_CP_SOCKET: 'Cannot copy a socket file',
  ERR_FS_CP_SYMLINK_TO_SUBDIRECTORY: 'Cannot overwrite symlink in subdirectory of self',
  ERR_FS_CP_UNKNOWN: 'Cannot copy an unknown file type',
  ERR_FS_EISDIR: 'Path is a directory',
};
const NUMBERS = { __proto__: null, EEXIST: 17, EISDIR: 21, EINVAL: 22, ENOTDIR: 20 };

/** Node's `SystemError`: what `syscall` would have returned, and why. */
exports.systemError = (key, syscall, code, why, path) => {
  const error = new Error(`${SYSTEM_ERRORS[key]}: ${syscall} returned ${code} (${why}) ${path}`);
  const name = { __proto__: null, value: `SystemError [${key}]`, configurable: true, enumerable: false, writable: true };
  ObjectDefineProperty(error, 'name', name);
  ErrorCaptureStackTrace(error, exports.systemError);
  void error.stack; // V8 words the first line when the stack is first read
  ObjectDefineProperty(error, 'name', { ...name, value: 'SystemError' });
  error.code = key;
  error.info = { code, message: why, path, syscall, errno: NUMBERS[code] };
  error.errno = NUMBERS[code];
  error.syscall = syscall;
  error.path = path;
  return error;
};

/** What a proxy stands for: one of a signal is as good as the signal, as in Node, though it has no state of its own. */
function behindProxies(value) {
  const { proxyDetails, tagOf } = use('node/internal/util/types');
  let target = value;
  while (tagOf(target) === 'Proxy') target = proxyDetails(target)[0];
  return target;
}

exports.throwIfAborted = (given) => {
  if (given === undefined || given === null) return;
  const signal = behindProxies(given);
  if (signal?.aborted) throw new AbortError(undefined, { cause: signal.reason });
};

/** The number of a user or a group; -1 leaves what is. */
exports.toOwner = (value, name) => {
  validateInteger(value, name, -1, 2 ** 32 - 1);
  return value;
};

const MAX_POSITION = 2n ** 63n - 1n; // of the kernel
const LAST_NUMBER = 2n ** 53n - 1n; // that natives take; no file is as long

/** A place in a file; -1 for the file's own position. */
exports.toPosition = (value, name = 'position') => {
  if (value === undefined || value === null) return -1;
  if (typeof value === 'number') {
    validateInteger(value, name, -1);
    return value;
  }
  if (typeof value === 'bigint') {
    if (value < -MAX_POSITION - 1n || value > MAX_POSITION) {
      throw ERR_OUT_OF_RANGE(name, `>= ${-MAX_POSITION - 1n} && <= ${MAX_POSITION}`, value);
    }
    if (value < 0n) return -1;
    return value > LAST_NUMBER ? Number(LAST_NUMBER) : Number(value);
  }
  throw ERR_INVALID_ARG_TYPE(name, ['integer', 'bigint'], value);
};

/** Where writes take their place from: what is no number is the file's own position, as in Node. */
exports.toWritePosition = (value) => (typeof value === 'number' && value >= 0 ? value : -1);

exports.checkRange = (offset, length, available) => {
  if (length < 0) throw ERR_OUT_OF_RANGE('length', '>= 0', length);
  if (length > available - offset) throw ERR_OUT_OF_RANGE('length', `<= ${available - offset}`, length);
};

exports.checkBuffers = (buffers) => {
  if (!ArrayIsArray(buffers)) throw ERR_INVALID_ARG_TYPE('buffers', 'ArrayBufferView[]', buffers);
  for (let index = 0; index < buffers.length; index++) {
    if (!ArrayBufferIsView(buffers[index])) throw ERR_INVALID_ARG_TYPE('buffers', 'ArrayBufferView[]', buffers);
  }
};

/** Seconds since 1970 from a number, a string of one, or a Date. */
exports.toSeconds = (time, name = 'time') => {
  if (typeof time === 'string' && time !== '' && +time === +time) return +time;
  if (NumberIsFinite(time)) return time < 0 ? DateNow() / 1000 : time;
  try {
    const milliseconds = DatePrototypeGetTime(time);
    if (milliseconds === milliseconds) return milliseconds / 1000;
  } catch {
    // Not a date.
  }
  throw ERR_INVALID_ARG_TYPE(name, ['Date', 'Time in seconds'], time);
};
