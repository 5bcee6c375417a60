// multipart/form-data: HTML's encoding algorithm, and the parser of what browsers and HTTP clients send.
const {
  ArrayPrototypePush, MathFloor, MathRandom, NumberPrototypeToString, RegExpPrototypeExec, StringPrototypeCharCodeAt,
  StringPrototypeIndexOf, StringPrototypePadStart, StringPrototypeSlice, StringPrototypeToLowerCase,
  StringPrototypeTrim, TypedArrayPrototypeGetByteLength, TypedArrayPrototypeIndexOf,
} = primordials;
const { copyBytes, partOf } = use('web/body/bytes');
const { decodeUtf8, encodeUtf8 } = use('web/encoding');
const { BlobState, createFile, fileAttributes, getBlobState, withLineEnding } = use('web/blob');

const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;

/** Random hexadecimal digits of a boundary: 96 bits, so that no value contains it by accident. */
const BOUNDARY_DIGITS = 24;

function newBoundary() {
  let digits = '';
  while (digits.length < BOUNDARY_DIGITS) {
    digits += StringPrototypePadStart(NumberPrototypeToString(MathFloor(MathRandom() * 2 ** 32), 16), 8, '0');
  }
  return `----atoll-form-${digits}`;
}

/** `{ blob: BlobState, boundary }` for a flat list [name, value, …] whose values are strings and Files. */
function encodeMultipart(entries) {
  const boundary = newBoundary();
  const parts = [];
  let size = 0;
  let text = '';
  const push = (bytes) => {
    const length = TypedArrayPrototypeGetByteLength(bytes);
    if (length === 0) return;
    ArrayPrototypePush(parts, bytes);
    size += length;
  };
  for (let index = 0; index < entries.length; index += 2) {
    const name = entries[index];
    const value = entries[index + 1];
    text += `--${boundary}\r\nContent-Disposition: form-data; name="${escape(withLineEnding(name, '\r\n'))}"`;
    if (typeof value === 'string') {
      text += `\r\n\r\n${withLineEnding(value, '\r\n')}\r\n`;
      continue;
    }
    const state = getBlobState(value);
    text += `; filename="${escape(fileAttributes(value).name)}"\r\nContent-Type: ${state.type || 'application/octet-stream'}\r\n\r\n`;
    push(encodeUtf8(text));
    for (let part = 0; part < state.parts.length; part++) push(state.parts[part]);
    text = '\r\n';
  }
  push(encodeUtf8(`${text}--${boundary}--\r\n`));
  return { blob: new BlobState(parts, size, ''), boundary };
}

/** Quotes and line breaks, which would end the header's parameter. */
function escape(text) {
  if (RegExpPrototypeExec(/[\r\n"]/, text) === null) return text;
  let escaped = '';
  for (let index = 0; index < text.length; index++) {
    const code = StringPrototypeCharCodeAt(text, index);
    escaped += code === CR ? '%0D' : code === LF ? '%0A' : code === 0x22 ? '%22' : text[index];
  }
  return escaped;
}

/** The entries in the bytes as a flat list [name, string or File, …], or null when they are not well-formed. */
function parseMultipart(bytes, boundary) {
  const delimiter = encodeUtf8(`--${boundary}`);
  let position = findDelimiter(bytes, delimiter, 0);
  if (position === -1) return null;
  const entries = [];
  for (;;) {
    position += TypedArrayPrototypeGetByteLength(delimiter);
    if (bytes[position] === DASH && bytes[position + 1] === DASH) return entries;
    while (bytes[position] === 0x20 || bytes[position] === 0x09) position++;
    if (bytes[position] !== CR || bytes[position + 1] !== LF) return null;
    const headers = parseHeaders(bytes, position + 2);
    if (headers === null) return null;
    const end = findDelimiter(bytes, delimiter, headers.end);
    if (end === -1) return null;
    // The line break before the delimiter belongs to the delimiter; right after the headers there may be only one for both.
    const contentEnd = end - 2 < headers.end ? headers.end : end - 2;
    ArrayPrototypePush(entries, headers.name, makeValue(bytes, headers, contentEnd));
    position = end;
  }
}

/** Where the delimiter begins at a line's start, from `from` on; -1 when nowhere. */
function findDelimiter(bytes, delimiter, from) {
  if (from === 0 && matchesAt(bytes, delimiter, 0)) return 0;
  // The empty line that ends the headers may serve as the delimiter's line break.
  let position = from >= 2 ? from - 2 : from;
  for (;;) {
    const found = TypedArrayPrototypeIndexOf(bytes, CR, position);
    if (found === -1) return -1;
    if (bytes[found + 1] === LF && matchesAt(bytes, delimiter, found + 2)) return found + 2;
    position = found + 1;
  }
}

function matchesAt(bytes, expected, position) {
  const length = TypedArrayPrototypeGetByteLength(expected);
  for (let index = 0; index < length; index++) {
    if (bytes[position + index] !== expected[index]) return false;
  }
  return true;
}

/** The headers of a part: `{ name, filename (undefined: none), type, end }`, where `end` is where its content begins. */
function parseHeaders(bytes, start) {
  let name;
  let filename;
  let type;
  let position = start;
  for (;;) {
    const lineEnd = findLineEnd(bytes, position);
    if (lineEnd === -1) return null;
    if (lineEnd === position) break;
    const line = decodeUtf8(partOf(bytes, position, lineEnd));
    position = lineEnd + 2;
    const colon = StringPrototypeIndexOf(line, ':');
    if (colon < 1) return null;
    const value = StringPrototypeTrim(StringPrototypeSlice(line, colon + 1));
    switch (StringPrototypeToLowerCase(StringPrototypeSlice(line, 0, colon))) {
      case 'content-disposition': {
        const parameters = parseDisposition(value);
        if (parameters === null) return null;
        ({ name, filename } = parameters);
        break;
      }
      case 'content-type':
        type = value;
        break;
      default:
    }
  }
  return name === undefined ? null : { name, filename, type, end: position + 2 };
}

/** Where the line's CR LF begins; -1 when there is none. */
function findLineEnd(bytes, from) {
  let position = from;
  for (;;) {
    const found = TypedArrayPrototypeIndexOf(bytes, CR, position);
    if (found === -1 || bytes[found + 1] === LF) return found;
    position = found + 1;
  }
}

/** `form-data; name="…"; filename="…"` → `{ name, filename }`, or null. */
function parseDisposition(value) {
  const kind = RegExpPrototypeExec(/^form-data[\t ]*(?:;|$)/i, value);
  if (kind === null) return null;
  let name;
  let filename;
  const parameter = /[\t ]*([^\s;="]+)[\t ]*=[\t ]*(?:"([^"]*)"|([^\s;"]*))[\t ]*(?:;|$)/y;
  parameter.lastIndex = kind[0].length;
  while (parameter.lastIndex < value.length) {
    const match = RegExpPrototypeExec(parameter, value);
    if (match === null) return null;
    const text = unescape(match[2] ?? match[3]);
    const key = StringPrototypeToLowerCase(match[1]);
    if (key === 'name') name ??= text;
    else if (key === 'filename') filename ??= text;
  }
  return name === undefined ? null : { name, filename };
}

/** Undoes exactly what `escape` does. */
function unescape(text) {
  if (StringPrototypeIndexOf(text, '%') === -1) return text;
  let plain = '';
  for (let index = 0; index < text.length; index++) {
    const code = text[index] === '%' ? StringPrototypeToLowerCase(StringPrototypeSlice(text, index + 1, index + 3)) : '';
    const character = code === '0a' ? '\n' : code === '0d' ? '\r' : code === '22' ? '"' : '';
    plain += character === '' ? text[index] : character;
    if (character !== '') index += 2;
  }
  return plain;
}

function makeValue(bytes, { filename, type, end: start }, end) {
  const content = partOf(bytes, start, end);
  if (filename === undefined) return decodeKeepingMark(content);
  const copy = copyBytes(content);
  const size = end - start;
  const state = new BlobState(size === 0 ? [] : [copy], size, type === undefined ? 'text/plain' : type);
  return createFile(state, filename);
}

/** UTF-8 decode without taking away a byte order mark: it is part of the value. */
function decodeKeepingMark(bytes) {
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return marked ? `\ufeff${decodeUtf8(bytes)}` : decodeUtf8(bytes);
}

exports.encodeMultipart = encodeMultipart;
exports.parseMultipart = parseMultipart;
