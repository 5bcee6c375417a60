// data: URLs (Fetch Standard, "data: URL processor").
const {
  StringFromCharCode, StringPrototypeCharCodeAt, StringPrototypeIndexOf, StringPrototypeSlice,
  StringPrototypeToLowerCase, StringPrototypeTrim, TypedArrayPrototypeGetLength, Uint8Array,
} = primordials;
const { partOf } = use('web/body/bytes');
const { parseMime, serializeMime } = use('web/body/mime');
const { atob } = use('web/base64');

const DEFAULT_TYPE = 'text/plain;charset=US-ASCII';

/** `{ type, bytes }` of a serialised data: URL without its fragment, or null when it is malformed. */
function readDataUrl(href) {
  const comma = StringPrototypeIndexOf(href, ',');
  if (comma === -1) return null;
  let type = StringPrototypeTrim(StringPrototypeSlice(href, 5, comma));
  let bytes = percentDecode(StringPrototypeSlice(href, comma + 1));
  const semicolon = lastSemicolon(type);
  if (semicolon !== -1 && StringPrototypeToLowerCase(StringPrototypeTrim(StringPrototypeSlice(type, semicolon + 1))) === 'base64') {
    type = StringPrototypeTrim(StringPrototypeSlice(type, 0, semicolon));
    try {
      bytes = latin1Bytes(atob(latin1Text(bytes)));
    } catch {
      return null;
    }
  }
  if (type[0] === ';') type = `text/plain${type}`;
  const mime = parseMime(type);
  return { type: mime === null ? DEFAULT_TYPE : serializeMime(mime), bytes };
}

function lastSemicolon(text) {
  let index = text.length - 1;
  while (index >= 0 && text[index] !== ';') index--;
  return index;
}

/** A URL's text is ASCII. */
function percentDecode(text) {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let index = 0; index < text.length; index++) {
    const code = StringPrototypeCharCodeAt(text, index);
    if (code === 0x25 && index + 2 < text.length) {
      const high = hexDigit(StringPrototypeCharCodeAt(text, index + 1));
      const low = hexDigit(StringPrototypeCharCodeAt(text, index + 2));
      if (high !== -1 && low !== -1) {
        bytes[length++] = high * 16 + low;
        index += 2;
        continue;
      }
    }
    bytes[length++] = code;
  }
  return partOf(bytes, 0, length);
}

function hexDigit(code) {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function latin1Text(bytes) {
  let text = '';
  const length = TypedArrayPrototypeGetLength(bytes);
  for (let index = 0; index < length; index++) text += StringFromCharCode(bytes[index]);
  return text;
}

function latin1Bytes(text) {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = StringPrototypeCharCodeAt(text, index);
  return bytes;
}

exports.readDataUrl = readDataUrl;
