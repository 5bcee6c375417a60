// node:querystring.
const {
  Array,
  ArrayIsArray,
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  NumberIsFinite,
  NumberPrototypeToString,
  ObjectKeys,
  RegExpPrototypeExec,
  String,
  StringPrototypeCharCodeAt,
  StringPrototypeIndexOf,
  StringPrototypePadStart,
  StringPrototypeReplaceAll,
  StringPrototypeSlice,
  StringPrototypeToUpperCase,
  decodeURIComponent,
} = primordials;
const { ERR_INVALID_URI } = use('node/internal/errors');

const MAX_PAIRS = 1000; // of `parse` without maxKeys (Node's default)

// Characters that stay as they are: letters, digits and !'()*-._~
const PLAIN = new Array(128);
for (let code = 0; code < 128; code++) {
  const letter = (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57);
  PLAIN[code] =
    letter || code === 33 || (code >= 39 && code <= 42) || code === 45 || code === 46 || code === 95 || code === 126;
}

function escapedByte(byte) {
  return `%${StringPrototypePadStart(StringPrototypeToUpperCase(NumberPrototypeToString(byte, 16)), 2, '0')}`;
}

/** Percent-encodes as UTF-8. Throws ERR_INVALID_URI at a lone surrogate. */
function qsEscape(value) {
  let text = value;
  if (typeof text !== 'string') text = typeof text === 'object' ? String(text) : `${text}`;
  let result = '';
  let copied = 0;
  for (let index = 0; index < text.length; index++) {
    let code = StringPrototypeCharCodeAt(text, index);
    if (code < 128 && PLAIN[code]) continue;
    result += StringPrototypeSlice(text, copied, index);
    if (code < 0x80) {
      result += escapedByte(code);
    } else if (code < 0x800) {
      result += escapedByte(0xc0 | (code >> 6)) + escapedByte(0x80 | (code & 63));
    } else if (code < 0xd800 || code >= 0xe000) {
      result +=
        escapedByte(0xe0 | (code >> 12)) + escapedByte(0x80 | ((code >> 6) & 63)) + escapedByte(0x80 | (code & 63));
    } else {
      if (++index >= text.length) throw ERR_INVALID_URI();
      code = 0x10000 + (((code & 0x3ff) << 10) | (StringPrototypeCharCodeAt(text, index) & 0x3ff));
      result +=
        escapedByte(0xf0 | (code >> 18)) +
        escapedByte(0x80 | ((code >> 12) & 63)) +
        escapedByte(0x80 | ((code >> 6) & 63)) +
        escapedByte(0x80 | (code & 63));
    }
    copied = index + 1;
  }
  return result + StringPrototypeSlice(text, copied);
}

function hexDigit(code) {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 65 && code <= 70) return code - 55;
  return code >= 97 && code <= 102 ? code - 87 : -1;
}

/** The bytes of a percent-encoded text; what is no valid escape stays as it is. */
function unescapeBuffer(text, decodeSpaces = false) {
  const { Buffer } = use('node:buffer').default;
  const bytes = Buffer.allocUnsafe(text.length);
  let written = 0;
  for (let index = 0; index < text.length; index++) {
    const code = StringPrototypeCharCodeAt(text, index);
    if (code === 43 && decodeSpaces) {
      bytes[written++] = 32;
      continue;
    }
    if (code === 37 && index + 2 < text.length) {
      const high = hexDigit(StringPrototypeCharCodeAt(text, index + 1));
      const low = hexDigit(StringPrototypeCharCodeAt(text, index + 2));
      if (high >= 0 && low >= 0) {
        bytes[written++] = high * 16 + low;
        index += 2;
        continue;
      }
    }
    bytes[written++] = code;
  }
  return written === text.length ? bytes : bytes.subarray(0, written);
}

function qsUnescape(text, decodeSpaces) {
  try {
    return decodeURIComponent(text);
  } catch {
    return querystring.unescapeBuffer(text, decodeSpaces).toString();
  }
}

function primitiveText(value) {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && NumberIsFinite(value)) return `${value}`;
  if (typeof value === 'bigint') return `${value}`;
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  return '';
}

function stringify(object, separator = undefined, equals = undefined, options = undefined) {
  const between = separator || '&';
  const assign = equals || '=';
  let encode = querystring.escape;
  if (options && typeof options.encodeURIComponent === 'function') encode = options.encodeURIComponent;
  if (object === null || typeof object !== 'object') return '';
  const pairs = [];
  const keys = ObjectKeys(object);
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index];
    const value = object[key];
    const prefix = `${encode(primitiveText(key))}${assign}`;
    if (!ArrayIsArray(value)) {
      ArrayPrototypePush(pairs, `${prefix}${encode(primitiveText(value))}`);
      continue;
    }
    for (let at = 0; at < value.length; at++) ArrayPrototypePush(pairs, `${prefix}${encode(primitiveText(value[at]))}`);
  }
  return ArrayPrototypeJoin(pairs, between);
}

function parse(text, separator = undefined, equals = undefined, options = undefined) {
  const result = { __proto__: null };
  if (typeof text !== 'string' || text.length === 0) return result;
  const between = separator ? `${separator}` : '&';
  const assign = equals ? `${equals}` : '=';
  let limit = MAX_PAIRS;
  if (options && typeof options.maxKeys === 'number') limit = options.maxKeys > 0 ? options.maxKeys : Infinity;
  let decode = querystring.unescape;
  if (options && typeof options.decodeURIComponent === 'function') decode = options.decodeURIComponent;
  const decodeText = (piece) => {
    if (piece === '') return '';
    const spaced = StringPrototypeReplaceAll(piece, '+', decode === qsUnescape ? ' ' : '%20');
    if (decode === qsUnescape && RegExpPrototypeExec(/%[0-9a-fA-F]{2}/, spaced) === null) return spaced;
    try {
      return decode(spaced);
    } catch {
      return qsUnescape(spaced, true);
    }
  };
  let start = 0;
  for (let pairs = 0; start <= text.length && pairs < limit;) {
    let end = StringPrototypeIndexOf(text, between, start);
    if (end === -1) end = text.length;
    pairs++;
    if (end > start) {
      const piece = StringPrototypeSlice(text, start, end);
      const at = StringPrototypeIndexOf(piece, assign);
      const key = decodeText(at === -1 ? piece : StringPrototypeSlice(piece, 0, at));
      const value = at === -1 ? '' : decodeText(StringPrototypeSlice(piece, at + assign.length));
      const existing = result[key];
      if (existing === undefined) result[key] = value;
      else if (ArrayIsArray(existing)) ArrayPrototypePush(existing, value);
      else result[key] = [existing, value];
    }
    start = end + between.length;
  }
  return result;
}

const querystring = {
  unescapeBuffer,
  unescape: qsUnescape,
  escape: qsEscape,
  stringify,
  encode: stringify,
  parse,
  decode: parse,
};
exports.default = querystring;
