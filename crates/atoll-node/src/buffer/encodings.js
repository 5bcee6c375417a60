// How Buffers meet strings: one record of functions per encoding.
const {
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  MathFloor,
  MathMin,
  ReflectApply,
  StringFromCharCode,
  StringPrototypeCharCodeAt,
  StringPrototypeIsWellFormed,
  StringPrototypeToLowerCase,
  TypedArrayPrototypeGetLength,
  TypedArrayPrototypeSubarray,
  Uint8Array,
} = primordials;

const UNITS_PER_CALL = 8192; // arguments of one String.fromCharCode call, well below the engine's limit

/** The canonical name; undefined for an unknown encoding, 'utf8' for none. */
function canonicalName(encoding) {
  if (encoding === undefined || encoding === null || encoding === 'utf8' || encoding === 'utf-8' || encoding === '')
    return 'utf8';
  switch (encoding) {
    case 'hex':
    case 'base64':
    case 'base64url':
    case 'ascii':
    case 'latin1':
      return encoding;
    case 'binary':
      return 'latin1';
    case 'utf16le':
    case 'ucs2':
    case 'ucs-2':
    case 'utf-16le':
      return 'utf16le';
    default: {
      const lowered = StringPrototypeToLowerCase(`${encoding}`);
      return lowered === encoding || lowered === '' ? undefined : canonicalName(lowered);
    }
  }
}
exports.canonicalName = canonicalName;

/** UTF-16 code units little-endian; lone surrogates stay as they are. */
function utf16Slice(bytes, start, end) {
  const units = (end - start) >>> 1;
  const parts = [];
  for (let from = 0; from < units; from += UNITS_PER_CALL) {
    const count = MathMin(UNITS_PER_CALL, units - from);
    const codes = [];
    for (let index = 0, at = start + from * 2; index < count; index++, at += 2)
      ArrayPrototypePush(codes, bytes[at] | (bytes[at + 1] << 8));
    ArrayPrototypePush(parts, ReflectApply(StringFromCharCode, undefined, codes));
  }
  return parts.length === 1 ? parts[0] : ArrayPrototypeJoin(parts, '');
}
function utf16Write(bytes, text, offset, length) {
  const units = MathMin(text.length, length >>> 1);
  for (let index = 0, at = offset; index < units; index++, at += 2) {
    const code = StringPrototypeCharCodeAt(text, index);
    bytes[at] = code;
    bytes[at + 1] = code >>> 8;
  }
  return units * 2;
}

/** The low byte of each code unit. */
function latin1Write(bytes, text, offset, length) {
  if (text.length > 16 && StringPrototypeIsWellFormed(text)) return native.latin1Write(bytes, text, offset, length);
  const count = MathMin(text.length, length);
  for (let index = 0; index < count; index++) bytes[offset + index] = StringPrototypeCharCodeAt(text, index);
  return count;
}

function base64Length(text) {
  let bytes = text.length;
  if (bytes > 0 && StringPrototypeCharCodeAt(text, bytes - 1) === 61) bytes--;
  if (bytes > 1 && StringPrototypeCharCodeAt(text, bytes - 1) === 61) bytes--;
  return MathFloor((bytes * 3) / 4);
}

const {
  utf8Slice,
  asciiSlice,
  latin1Slice,
  hexSlice,
  base64Slice,
  base64urlSlice,
  utf8Write,
  hexWrite,
  base64Write,
  utf8Length,
} = native;

// byteLength: an upper bound for base64 with foreign characters, exact otherwise. slice(bytes, start, end) and
// write(bytes, text, offset, length) want ranges within the bytes; write returns the count written.
const ENCODINGS = {
  __proto__: null,
  utf8: { byteLength: (text) => utf8Length(text), write: utf8Write, slice: utf8Slice },
  utf16le: { byteLength: (text) => text.length * 2, write: utf16Write, slice: utf16Slice },
  latin1: { byteLength: (text) => text.length, write: latin1Write, slice: latin1Slice },
  ascii: { byteLength: (text) => text.length, write: latin1Write, slice: asciiSlice },
  hex: { byteLength: (text) => text.length >>> 1, write: hexWrite, slice: hexSlice },
  base64: { byteLength: base64Length, write: base64Write, slice: base64Slice },
  base64url: { byteLength: base64Length, write: base64Write, slice: base64urlSlice },
};
exports.ENCODINGS = ENCODINGS;

/** The record of an encoding name in any spelling; undefined if unknown, as the empty name and null are. */
exports.encodingOf = (name) => {
  if (name === '' || name === null) return undefined;
  const canonical = canonicalName(name);
  return canonical === undefined ? undefined : ENCODINGS[canonical];
};

/** The bytes of a string as a plain Uint8Array. */
exports.encode = (text, encoding) => {
  const bytes = new Uint8Array(encoding.byteLength(text));
  const written = encoding.write(bytes, text, 0, TypedArrayPrototypeGetLength(bytes));
  return written === TypedArrayPrototypeGetLength(bytes) ? bytes : TypedArrayPrototypeSubarray(bytes, 0, written);
};

exports.compareBytes = native.compare;
exports.indexOfBytes = native.indexOf;
exports.isUtf8 = native.isUtf8;
exports.isAscii = native.isAscii;
