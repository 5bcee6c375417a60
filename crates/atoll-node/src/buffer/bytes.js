// Comparing, searching, filling and swapping: the methods of Buffer over its bytes as a whole.
const {
  ArrayBufferIsView,
  MathMin,
  MathTrunc,
  StringPrototypeCharCodeAt,
  TypedArrayPrototypeCopyWithin,
  TypedArrayPrototypeFill,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetLength,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeIndexOf,
  TypedArrayPrototypeLastIndexOf,
  TypedArrayPrototypeSet,
  TypedArrayPrototypeSubarray,
  Uint8Array,
} = primordials;
const { ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_INVALID_BUFFER_SIZE, ERR_UNKNOWN_ENCODING } =
  use('node/internal/errors');
const { validateBuffer, validateInteger, validateString } = use('node/internal/validators');
const { bytesOf: viewOf } = use('web/webidl');
const { ENCODINGS, canonicalName, compareBytes, encode, encodingOf, indexOfBytes } = use(
  'node/internal/buffer/encodings',
);

function isUint8Array(value) {
  return TypedArrayPrototypeGetSymbolToStringTag(value) === 'Uint8Array';
}

/** Adds them to Buffer.prototype. */
exports.addByteMethods = (prototype) => {
  prototype.equals = function equals(other) {
    if (!isUint8Array(other)) throw ERR_INVALID_ARG_TYPE('otherBuffer', ['Buffer', 'Uint8Array'], other);
    if (this === other) return true;
    return (
      TypedArrayPrototypeGetByteLength(this) === TypedArrayPrototypeGetByteLength(other) &&
      compareBytes(this, other) === 0
    );
  };
  prototype.compare = function compare(
    target,
    targetStart = 0,
    targetEnd = isUint8Array(target) ? TypedArrayPrototypeGetLength(target) : undefined,
    sourceStart = 0,
    sourceEnd = isUint8Array(this) ? TypedArrayPrototypeGetLength(this) : undefined,
  ) {
    if (!isUint8Array(target)) throw ERR_INVALID_ARG_TYPE('target', ['Buffer', 'Uint8Array'], target);
    if (arguments.length === 1) return compareBytes(this, target);
    validateInteger(targetStart, 'targetStart', 0);
    validateInteger(targetEnd, 'targetEnd', 0, target.length);
    validateInteger(sourceStart, 'sourceStart', 0);
    validateInteger(sourceEnd, 'sourceEnd', 0, this.length);
    if (sourceStart >= sourceEnd) return targetStart >= targetEnd ? 0 : -1;
    if (targetStart >= targetEnd) return 1;
    return compareBytes(part(this, sourceStart, sourceEnd), part(target, targetStart, targetEnd));
  };
  prototype.indexOf = function indexOf(value, byteOffset, encoding) {
    return search(this, value, byteOffset, encoding, true);
  };
  prototype.lastIndexOf = function lastIndexOf(value, byteOffset, encoding) {
    return search(this, value, byteOffset, encoding, false);
  };
  prototype.includes = function includes(value, byteOffset, encoding) {
    return search(this, value, byteOffset, encoding, true) !== -1;
  };
  prototype.fill = function fill(value, offset, end, encoding) {
    return fillBuffer(this, value, offset, end, encoding);
  };
  prototype.swap16 = swap(2);
  prototype.swap32 = swap(4);
  prototype.swap64 = swap(8);
};

function part(bytes, start, end) {
  return new Uint8Array(
    TypedArrayPrototypeGetBuffer(bytes),
    TypedArrayPrototypeGetByteOffset(bytes) + start,
    end - start,
  );
}

/** Where a search starts: negative offsets count from the end. -1 if nothing can be found. */
function searchStart(length, offset, needleLength, forward) {
  if (offset < 0) {
    if (offset + length >= 0) return length + offset;
    return forward || needleLength === 0 ? 0 : -1;
  }
  if (offset + needleLength <= length) return offset;
  if (needleLength === 0) return length;
  return forward ? -1 : length - 1;
}

function search(buffer, value, byteOffset, encodingName, forward) {
  validateBuffer(buffer);
  let name = encodingName;
  let offset = byteOffset;
  if (typeof offset === 'string') {
    name = offset;
    offset = undefined;
  }
  offset = +offset;
  const length = TypedArrayPrototypeGetLength(buffer);
  if (offset !== offset) offset = forward ? 0 : length;
  offset = MathTrunc(offset);
  if (typeof value === 'number') {
    const byte = (value >>> 0) & 255;
    if (length === 0) return -1;
    return forward
      ? TypedArrayPrototypeIndexOf(buffer, byte, offset)
      : TypedArrayPrototypeLastIndexOf(buffer, byte, offset);
  }
  let needle = value;
  let step = 1;
  if (typeof value === 'string') {
    const encoding = name === undefined ? ENCODINGS.utf8 : encodingOf(name);
    if (encoding === undefined) throw ERR_UNKNOWN_ENCODING(name);
    needle = encode(value, encoding);
    if (encoding === ENCODINGS.utf16le) step = 2;
  } else if (!isUint8Array(value)) {
    throw ERR_INVALID_ARG_TYPE('value', ['number', 'string', 'Buffer', 'Uint8Array'], value);
  } else if (name !== undefined && encodingOf(name) === ENCODINGS.utf16le) {
    step = 2;
  }
  const needleLength = TypedArrayPrototypeGetLength(needle);
  const start = searchStart(length, offset, needleLength, forward);
  if (needleLength === 0) return start;
  if (length === 0 || start < 0 || needleLength > length || (forward && start + needleLength > length)) return -1;
  if (step === 2 && (length < 2 || needleLength < 2)) return -1;
  return indexOfBytes(buffer, needle, step === 2 ? start - (start % 2) : start, forward, step);
}

function fillBuffer(buffer, fillValue, fillStart, fillEnd, encodingName) {
  let value = fillValue;
  let start = fillStart;
  let end = fillEnd;
  let name = encodingName;
  const length = TypedArrayPrototypeGetLength(buffer);
  let encoding = ENCODINGS.utf8;
  if (typeof value === 'string') {
    if (start === undefined || typeof start === 'string') {
      name = start;
      start = undefined;
    } else if (typeof end === 'string') {
      name = end;
      end = undefined;
    }
    if (encodingName !== undefined && name === undefined) name = encodingName;
    encoding = ENCODINGS[canonicalName(name) ?? 'none'];
    if (encoding === undefined) {
      validateString(name, 'encoding');
      throw ERR_UNKNOWN_ENCODING(name);
    }
    if (value.length === 0) value = 0;
    else if (value.length === 1) {
      const code = StringPrototypeCharCodeAt(value, 0);
      if ((encoding === ENCODINGS.utf8 && code < 128) || (encoding === ENCODINGS.latin1 && code < 256)) value = code;
    }
  } else if (typeof value === 'boolean') {
    value = +value;
  }
  if (start === undefined) {
    start = 0;
    end = length;
  } else {
    validateInteger(start, 'offset', 0);
    if (end === undefined) end = length;
    else validateInteger(end, 'end', 0, length);
  }
  if (start >= end) return buffer;
  if (typeof value !== 'string' && !ArrayBufferIsView(value)) {
    TypedArrayPrototypeFill(buffer, (+value >>> 0) & 255, start, end);
    return buffer;
  }
  const pattern =
    typeof value === 'string'
      ? encode(value, encoding)
      : viewOf(value);
  const width = TypedArrayPrototypeGetLength(pattern);
  if (width === 0) throw ERR_INVALID_ARG_VALUE('value', fillValue);
  // The pattern once, then what is filled doubles.
  const first = MathMin(width, end - start);
  TypedArrayPrototypeSet(buffer, first === width ? pattern : TypedArrayPrototypeSubarray(pattern, 0, first), start);
  for (let filled = first; filled < end - start;) {
    const count = MathMin(filled, end - start - filled);
    TypedArrayPrototypeCopyWithin(buffer, start + filled, start, start + count);
    filled += count;
  }
  return buffer;
}

function swap(width) {
  return function () {
    const length = TypedArrayPrototypeGetLength(this);
    if (length % width !== 0) throw ERR_INVALID_BUFFER_SIZE(`${width * 8}-bits`);
    for (let start = 0; start < length; start += width) {
      for (let low = start, high = start + width - 1; low < high; low++, high--) {
        const byte = this[low];
        this[low] = this[high];
        this[high] = byte;
      }
    }
    return this;
  };
}

exports.fillBuffer = fillBuffer;
