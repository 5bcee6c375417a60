// node:buffer: Buffer, a Uint8Array with strings in and out. Encodings are in encodings.js, numbers in numbers.js,
// searching and filling in bytes.js.
const {
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  ArrayIsArray,
  ArrayPrototypePush,
  Error,
  MathFloor,
  MathMin,
  MathTrunc,
  NumberIsInteger,
  NumberIsSafeInteger,
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectPrototypeHasOwnProperty,
  ObjectSetPrototypeOf,
  RegExpPrototypeSymbolReplace,
  StringPrototypeCharCodeAt,
  StringPrototypeIncludes,
  StringPrototypeSlice,
  StringPrototypeTrim,
  SymbolFor,
  SymbolSpecies,
  SymbolToPrimitive,
  TypeError,
  TypedArrayPrototypeFill,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetLength,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSet,
  TypedArrayPrototypeSubarray,
  Uint8Array,
} = primordials;
const {
  ERR_BUFFER_OUT_OF_BOUNDS,
  ERR_INVALID_ARG_TYPE,
  ERR_MISSING_ARGS,
  ERR_OUT_OF_RANGE,
  ERR_UNKNOWN_ENCODING,
  codedError,
} = use('node/internal/errors');
const { validateArray, validateBuffer, validateInteger, validateNumber, validateString } =
  use('node/internal/validators');
const { types } = use('node/internal/util/types');
const { ENCODINGS, canonicalName, compareBytes, encodingOf, isAscii, isUtf8 } = use('node/internal/buffer/encodings');
const { fillBuffer } = use('node/internal/buffer/bytes');

const MAX_BYTES = 2 ** 53 - 1; // what node:buffer promises; the engine refuses far less
const MAX_STRING_CHARACTERS = 536870888; // V8's limit on 64-bit systems
const POOL_BYTES = 8192; // small Buffers share allocations of this size (Node's default)
const LISTED_BYTES = 65536; // own properties of longer Buffers are not looked for when they are inspected
const CUSTOM = SymbolFor('nodejs.util.inspect.custom');

const { isAnyArrayBuffer } = types;
function isUint8Array(value) {
  return TypedArrayPrototypeGetSymbolToStringTag(value) === 'Uint8Array';
}

class FastBuffer extends Uint8Array {
  // A constructor of its own: the default one would iterate over its arguments with what guests may have patched.
  constructor(bufferOrLength, byteOffset, length) {
    super(bufferOrLength, byteOffset, length);
  }
}

function Buffer(value, encodingOrOffset, length) {
  warnOfConstructor();
  if (typeof value === 'number') {
    if (typeof encodingOrOffset === 'string') throw ERR_INVALID_ARG_TYPE('string', 'string', value);
    return Buffer.alloc(value);
  }
  return Buffer.from(value, encodingOrOffset, length);
}
ObjectDefineProperty(Buffer, SymbolSpecies, {
  __proto__: null,
  configurable: true,
  enumerable: false,
  get() {
    return FastBuffer;
  },
});
const { prototype } = FastBuffer;
prototype.constructor = Buffer;
Buffer.prototype = prototype;
ObjectSetPrototypeOf(Buffer, Uint8Array);
Buffer.poolSize = POOL_BYTES;

let warned = false;
/** Warns once of the constructor; not for what installed packages do, which the program can't change. */
function warnOfConstructor() {
  if (warned || StringPrototypeIncludes(`${new Error().stack}`, '/node_modules/')) return;
  warned = true;
  use('node:process').default.emitWarning(
    'Buffer() is deprecated due to security and usability issues. Please use the Buffer.alloc(), Buffer.allocUnsafe(), or Buffer.from() methods instead.',
    'DeprecationWarning',
    'DEP0005',
  );
}

// --- allocation ---

let pool;
let poolUsed = 0;
function newPool() {
  pool = TypedArrayPrototypeGetBuffer(new Uint8Array(Buffer.poolSize));
  poolUsed = 0;
}
/** A piece of the pool, aligned to 8 bytes; the caller has checked that it is small. */
function fromPool(bytes) {
  if (pool === undefined || bytes > ArrayBufferPrototypeGetByteLength(pool) - poolUsed) newPool();
  const buffer = new FastBuffer(pool, poolUsed, bytes);
  poolUsed = (poolUsed + bytes + 7) & ~7;
  return buffer;
}
function isSmall(bytes) {
  return bytes < Buffer.poolSize >>> 1;
}
function checkSize(size) {
  validateNumber(size, 'size', 0, MAX_BYTES);
}

Buffer.alloc = function alloc(size, fill, encoding) {
  checkSize(size);
  const buffer = new FastBuffer(size);
  if (fill !== undefined && fill !== 0 && size > 0)
    return fillBuffer(buffer, fill, 0, TypedArrayPrototypeGetLength(buffer), encoding);
  return buffer;
};
function allocUnsafe(size) {
  checkSize(size);
  return size > 0 && isSmall(size) ? fromPool(MathTrunc(size)) : new FastBuffer(size);
}
Buffer.allocUnsafe = allocUnsafe;
Buffer.allocUnsafeSlow = function allocUnsafeSlow(size) {
  checkSize(size);
  return new FastBuffer(size);
};
function SlowBuffer(size) {
  checkSize(size);
  return new FastBuffer(size);
}
ObjectSetPrototypeOf(SlowBuffer.prototype, Uint8Array.prototype);
ObjectSetPrototypeOf(SlowBuffer, Uint8Array);

// --- from ---

function fromString(text, encodingName) {
  const encoding =
    typeof encodingName !== 'string' || encodingName.length === 0 ? ENCODINGS.utf8 : encodingOf(encodingName);
  if (encoding === undefined) throw ERR_UNKNOWN_ENCODING(encodingName);
  if (text.length === 0) return new FastBuffer();
  const bound = encoding.byteLength(text);
  if (!isSmall(bound)) {
    const buffer = new FastBuffer(bound);
    const written = encoding.write(buffer, text, 0, bound);
    return written === bound ? buffer : new FastBuffer(TypedArrayPrototypeGetBuffer(buffer), 0, written);
  }
  const buffer = fromPool(bound);
  const written = encoding.write(buffer, text, 0, bound);
  return written === bound
    ? buffer
    : new FastBuffer(TypedArrayPrototypeGetBuffer(buffer), TypedArrayPrototypeGetByteOffset(buffer), written);
}

function fromArrayBuffer(source, byteOffset, length) {
  let offset = 0;
  if (byteOffset !== undefined) {
    offset = +byteOffset;
    if (offset !== offset) offset = 0;
  }
  const available = ArrayBufferPrototypeGetByteLength(source) - offset;
  if (available < 0) throw ERR_BUFFER_OUT_OF_BOUNDS('offset');
  if (length === undefined) return new FastBuffer(source, offset);
  let bytes = +length;
  if (bytes > available) throw ERR_BUFFER_OUT_OF_BOUNDS('length');
  if (!(bytes > 0)) bytes = 0;
  return new FastBuffer(source, offset, bytes);
}

function fromArrayLike(source, length = source.length) {
  if (!(length > 0)) return new FastBuffer();
  const buffer = isSmall(length) ? fromPool(MathTrunc(length)) : new FastBuffer(length);
  TypedArrayPrototypeSet(buffer, source, 0);
  return buffer;
}

Buffer.from = function from(value, encodingOrOffset, length) {
  if (typeof value === 'string') return fromString(value, encodingOrOffset);
  if (typeof value === 'object' && value !== null) {
    if (isUint8Array(value)) return fromArrayLike(value, TypedArrayPrototypeGetLength(value));
    if (isAnyArrayBuffer(value)) return fromArrayBuffer(value, encodingOrOffset, length);
    const inner = value.valueOf && value.valueOf();
    if (inner != null && inner !== value && (typeof inner === 'string' || typeof inner === 'object'))
      return from(inner, encodingOrOffset, length);
    if (value.length !== undefined || isAnyArrayBuffer(value.buffer)) {
      return typeof value.length === 'number' ? fromArrayLike(value) : new FastBuffer();
    }
    if (value.type === 'Buffer' && ArrayIsArray(value.data)) return fromArrayLike(value.data);
    if (typeof value[SymbolToPrimitive] === 'function') {
      const primitive = value[SymbolToPrimitive]('string');
      if (typeof primitive === 'string') return fromString(primitive, encodingOrOffset);
    }
  }
  throw ERR_INVALID_ARG_TYPE(
    'first argument',
    ['string', 'Buffer', 'ArrayBuffer', 'Array', 'Array-like Object'],
    value,
  );
};

Buffer.copyBytesFrom = function copyBytesFrom(view, offset, length) {
  if (TypedArrayPrototypeGetSymbolToStringTag(view) === undefined)
    throw ERR_INVALID_ARG_TYPE('view', ['TypedArray'], view);
  const viewLength = TypedArrayPrototypeGetLength(view);
  if (viewLength === 0) return Buffer.alloc(0);
  let start = 0;
  let end = viewLength;
  if (offset !== undefined) {
    validateInteger(offset, 'offset', 0);
    if (offset >= viewLength) return Buffer.alloc(0);
    start = offset;
  }
  if (length !== undefined) {
    validateInteger(length, 'length', 0);
    end = start + length;
  }
  const unit = TypedArrayPrototypeGetByteLength(view) / viewLength;
  const part = TypedArrayPrototypeSubarray(view, start * unit, end === undefined ? undefined : end * unit);
  return fromArrayLike(part, TypedArrayPrototypeGetLength(part));
};

Buffer.of = function of(...items) {
  const buffer = allocUnsafe(items.length);
  for (let index = 0; index < items.length; index++) buffer[index] = items[index];
  return buffer;
};

Buffer.isBuffer = function isBuffer(value) {
  return value instanceof Buffer;
};
Buffer.isEncoding = function isEncoding(encoding) {
  return typeof encoding === 'string' && encoding.length !== 0 && canonicalName(encoding) !== undefined;
};

Buffer.concat = function concat(list, length) {
  validateArray(list, 'list');
  if (list.length === 0) return new FastBuffer();
  let total = length;
  if (total === undefined) {
    total = 0;
    for (let index = 0; index < list.length; index++) {
      const part = list[index];
      if (isUint8Array(part)) total += TypedArrayPrototypeGetLength(part);
    }
  } else {
    validateInteger(total, 'length', 0);
  }
  const result = allocUnsafe(total);
  let at = 0;
  for (let index = 0; index < list.length; index++) {
    const part = list[index];
    if (!isUint8Array(part)) throw ERR_INVALID_ARG_TYPE(`list[${index}]`, ['Buffer', 'Uint8Array'], part);
    const space = total - at;
    if (space <= 0) continue;
    const fits = TypedArrayPrototypeGetLength(part) <= space;
    TypedArrayPrototypeSet(result, fits ? part : TypedArrayPrototypeSubarray(part, 0, space), at);
    at += fits ? TypedArrayPrototypeGetLength(part) : space;
  }
  if (at < total) TypedArrayPrototypeFill(result, 0, at, total);
  return result;
};

function byteLength(value, encoding) {
  if (typeof value !== 'string') {
    if (ArrayBufferIsView(value) || isAnyArrayBuffer(value)) return value.byteLength;
    throw ERR_INVALID_ARG_TYPE('string', ['string', 'Buffer', 'ArrayBuffer'], value);
  }
  if (value.length === 0) return 0;
  return ((encoding ? encodingOf(encoding) : undefined) ?? ENCODINGS.utf8).byteLength(value);
}
Buffer.byteLength = byteLength;

Buffer.compare = function compare(first, second) {
  if (!isUint8Array(first)) throw ERR_INVALID_ARG_TYPE('buf1', ['Buffer', 'Uint8Array'], first);
  if (!isUint8Array(second)) throw ERR_INVALID_ARG_TYPE('buf2', ['Buffer', 'Uint8Array'], second);
  return first === second ? 0 : compareBytes(first, second);
};

// --- views and copies ---

ObjectDefineProperties(prototype, {
  parent: {
    __proto__: null,
    enumerable: true,
    get() {
      return this instanceof Buffer ? this.buffer : undefined;
    },
  },
  offset: {
    __proto__: null,
    enumerable: true,
    get() {
      return this instanceof Buffer ? this.byteOffset : undefined;
    },
  },
});

function clampIndex(value, length) {
  let index = MathTrunc(+value);
  if (index !== index || index === 0) return 0;
  if (index < 0) {
    index += length;
    return index > 0 ? index : 0;
  }
  return index < length ? index : length;
}
prototype.subarray = function subarray(start, end) {
  const length = TypedArrayPrototypeGetLength(this);
  const from = clampIndex(start, length);
  const to = end === undefined ? length : clampIndex(end, length);
  return new FastBuffer(
    TypedArrayPrototypeGetBuffer(this),
    TypedArrayPrototypeGetByteOffset(this) + from,
    to > from ? to - from : 0,
  );
};
prototype.slice = function slice(start, end) {
  return this.subarray(start, end);
};

function integerOr(value, fallback) {
  if (NumberIsInteger(value)) return value;
  const number = MathFloor(+value);
  return NumberIsSafeInteger(number) ? number : fallback;
}
prototype.copy = function copy(target, targetStart, sourceStart, sourceEnd) {
  if (!isUint8Array(this)) throw ERR_INVALID_ARG_TYPE('source', ['Buffer', 'Uint8Array'], this);
  if (!isUint8Array(target)) throw ERR_INVALID_ARG_TYPE('target', ['Buffer', 'Uint8Array'], target);
  const targetLength = TypedArrayPrototypeGetLength(target);
  const length = TypedArrayPrototypeGetLength(this);
  const to = targetStart === undefined ? 0 : integerOr(targetStart, 0);
  if (to < 0) throw ERR_OUT_OF_RANGE('targetStart', '>= 0', to);
  const from = sourceStart === undefined ? 0 : integerOr(sourceStart, 0);
  if (from < 0 || from > length) throw ERR_OUT_OF_RANGE('sourceStart', `>= 0 && <= ${length}`, from);
  let end = sourceEnd === undefined ? length : integerOr(sourceEnd, 0);
  if (end < 0) throw ERR_OUT_OF_RANGE('sourceEnd', '>= 0', end);
  if (to >= targetLength || from >= end) return 0;
  end = MathMin(end, length, from + targetLength - to);
  if (end <= from) return 0;
  TypedArrayPrototypeSet(
    target,
    from === 0 && end === length
      ? this
      : TypedArrayPrototypeSubarray(new Uint8Array(this.buffer, this.byteOffset, length), from, end),
    to,
  );
  return end - from;
};

// --- strings ---

prototype.toString = function toString(encodingName, start, end) {
  if (arguments.length === 0) return ENCODINGS.utf8.slice(this, 0, TypedArrayPrototypeGetLength(this));
  const length = TypedArrayPrototypeGetLength(this);
  let from = 0;
  if (start > 0) {
    if (start >= length) return '';
    from = MathTrunc(start) || 0;
  } else if (start === undefined || !(start <= 0)) {
    from = 0;
  }
  const to = end === undefined || end > length ? length : MathTrunc(end) || 0;
  if (to <= from) return '';
  if (encodingName === undefined) return ENCODINGS.utf8.slice(this, from, to);
  const encoding = encodingOf(encodingName);
  if (encoding === undefined) throw ERR_UNKNOWN_ENCODING(encodingName);
  return encoding.slice(this, from, to);
};
prototype.toLocaleString = prototype.toString;

function notAString() {
  return codedError(TypeError, 'ERR_INVALID_ARG_TYPE', 'argument must be a string', notAString);
}
function checkOffset(value, name, max) {
  validateInteger(value, name, 0, max);
}
prototype.write = function write(text, offset, length, encodingName) {
  const all = TypedArrayPrototypeGetLength(this);
  let from = 0;
  let count = all;
  let name;
  if (offset === undefined) {
    // write(text)
  } else if (length === undefined && typeof offset === 'string') {
    name = offset;
  } else {
    checkOffset(offset, 'offset', all);
    from = offset;
    count = all - offset;
    if (typeof length === 'string') {
      name = length;
    } else {
      name = encodingName;
      if (length !== undefined) {
        checkOffset(length, 'length', all);
        if (length < count) count = length;
      }
    }
  }
  const encoding = name ? encodingOf(name) : ENCODINGS.utf8;
  if (encoding === undefined) throw ERR_UNKNOWN_ENCODING(name);
  if (typeof text !== 'string') throw notAString();
  return encoding.write(this, text, from, count);
};

// The methods of one encoding each, which older packages call directly.
function addEncodingMethods(name, encoding) {
  const sliceName = `${name}Slice`;
  const writeName = `${name}Write`;
  prototype[sliceName] = {
    [sliceName](start = 0, end = TypedArrayPrototypeGetLength(this)) {
      const length = TypedArrayPrototypeGetLength(this);
      if (start < 0 || start > length || end < 0) throw ERR_OUT_OF_RANGE('start', `>= 0 && <= ${length}`, start);
      const to = MathMin(end, length);
      return to <= start ? '' : encoding.slice(this, start, to);
    },
  }[sliceName];
  prototype[writeName] = {
    [writeName](text, offset = 0, length = TypedArrayPrototypeGetLength(this) - offset) {
      const all = TypedArrayPrototypeGetLength(this);
      if (typeof text !== 'string') throw notAString();
      if (offset < 0 || offset > all) throw ERR_BUFFER_OUT_OF_BOUNDS('offset');
      if (length < 0) throw ERR_BUFFER_OUT_OF_BOUNDS('length');
      return encoding.write(this, text, offset, MathMin(length, all - offset));
    },
  }[writeName];
}
addEncodingMethods('ascii', ENCODINGS.ascii);
addEncodingMethods('base64', ENCODINGS.base64);
addEncodingMethods('base64url', ENCODINGS.base64url);
addEncodingMethods('latin1', ENCODINGS.latin1);
addEncodingMethods('hex', ENCODINGS.hex);
addEncodingMethods('ucs2', ENCODINGS.utf16le);
addEncodingMethods('utf8', ENCODINGS.utf8);

// --- showing ---

prototype.toJSON = function toJSON() {
  const data = [];
  for (let index = 0; index < this.length; index++) ArrayPrototypePush(data, this[index]);
  return { type: 'Buffer', data };
};

let inspectMaxBytes = 50;
prototype[CUSTOM] = function inspect(depth, options) {
  const { length } = this;
  const shown = MathMin(inspectMaxBytes, length);
  let text = StringPrototypeTrim(RegExpPrototypeSymbolReplace(/(.{2})/g, ENCODINGS.hex.slice(this, 0, shown), '$1 '));
  const remaining = length - inspectMaxBytes;
  if (remaining > 0) text += ` ... ${remaining} more byte${remaining > 1 ? 's' : ''}`;
  if (options && length <= LISTED_BYTES) {
    const { inspect: inspectValue, nonIndexKeysOf } = use('node/internal/util/inspect');
    const keys = nonIndexKeysOf(this, options.showHidden);
    if (keys.length > 0) {
      const extras = { __proto__: null };
      for (let index = 0; index < keys.length; index++) extras[keys[index]] = this[keys[index]];
      if (length !== 0) text += ', ';
      // Without "[Object: null prototype] { " and " }".
      text += StringPrototypeSlice(inspectValue(extras, { ...options, breakLength: Infinity, compact: true }), 27, -2);
    }
  }
  let name = 'Buffer';
  try {
    const { constructor } = this;
    if (typeof constructor === 'function' && ObjectPrototypeHasOwnProperty(constructor, 'name'))
      name = constructor.name;
  } catch {
    // A getter of the guest's.
  }
  return `<${name} ${text}>`;
};
prototype.inspect = prototype[CUSTOM];

use('node/internal/buffer/bytes').addByteMethods(prototype);
use('node/internal/buffer/numbers').addNumberMethods(prototype);

// --- the module ---

/** Re-encodes bytes. Characters that the target lacks become '?'. */
function transcode(source, fromEncoding, toEncoding) {
  if (!isUint8Array(source)) throw ERR_INVALID_ARG_TYPE('source', ['Buffer', 'Uint8Array'], source);
  if (source.length === 0) return Buffer.alloc(0);
  const result = transcodeName(fromEncoding);
  const target = transcodeName(toEncoding);
  if (result === undefined || target === undefined) {
    const error = codedError(
      Error,
      'U_ILLEGAL_ARGUMENT_ERROR',
      'Unable to transcode Buffer [U_ILLEGAL_ARGUMENT_ERROR]',
      transcode,
    );
    error.errno = 1;
    throw error;
  }
  const text = ENCODINGS[result === 'ascii' ? 'latin1' : result].slice(source, 0, source.length);
  if (target === 'utf8' || target === 'utf16le') return fromString(text, target);
  const limit = target === 'ascii' ? 128 : 256;
  const bytes = [];
  for (let index = 0; index < text.length; index++) {
    const code = StringPrototypeCharCodeAt(text, index);
    ArrayPrototypePush(bytes, code < limit ? code : 63);
    if (code >= 0xd800 && code < 0xdc00) index++;
  }
  return fromArrayLike(bytes);
}
function transcodeName(encoding) {
  const name = canonicalName(encoding);
  return name === 'utf8' || name === 'utf16le' || name === 'latin1' || name === 'ascii' ? name : undefined;
}

function checkedBytes(input) {
  if (TypedArrayPrototypeGetSymbolToStringTag(input) === undefined && !isAnyArrayBuffer(input)) {
    throw ERR_INVALID_ARG_TYPE('input', ['ArrayBuffer', 'Buffer', 'TypedArray'], input);
  }
  return input;
}

const module = {
  Buffer,
  SlowBuffer,
  transcode,
  isUtf8(input) {
    return isUtf8(checkedBytes(input));
  },
  isAscii(input) {
    return isAscii(checkedBytes(input));
  },
  kMaxLength: MAX_BYTES,
  kStringMaxLength: MAX_STRING_CHARACTERS,
  btoa(input) {
    if (arguments.length === 0) throw ERR_MISSING_ARGS('input');
    return use('web/base64').btoa(input);
  },
  atob(input) {
    if (arguments.length === 0) throw ERR_MISSING_ARGS('input');
    return use('web/base64').atob(input);
  },
};
ObjectDefineProperties(module, {
  constants: {
    __proto__: null,
    configurable: false,
    enumerable: true,
    value: ObjectDefineProperties(
      {},
      {
        MAX_LENGTH: { __proto__: null, value: MAX_BYTES, enumerable: true },
        MAX_STRING_LENGTH: { __proto__: null, value: MAX_STRING_CHARACTERS, enumerable: true },
      },
    ),
  },
  INSPECT_MAX_BYTES: {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      return inspectMaxBytes;
    },
    set(value) {
      validateNumber(value, 'INSPECT_MAX_BYTES', 0);
      inspectMaxBytes = value;
    },
  },
  Blob: {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      return use('web/blob').Blob;
    },
  },
  File: {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      return use('web/blob').File;
    },
  },
});
exports.Buffer = Buffer;
exports.default = module;
