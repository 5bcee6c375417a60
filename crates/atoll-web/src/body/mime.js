// MIME types (WHATWG MIME Sniffing Standard): parse and serialise.
const {
  RegExpPrototypeExec, SafeMap, StringPrototypeCharCodeAt, StringPrototypeIndexOf, StringPrototypeSlice,
  StringPrototypeToLowerCase,
} = primordials;

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const quotable = /^[\t\x20-\x7e\x80-\xff]*$/;

/** `{ essence, parameters: SafeMap }`, or null when `text` is no MIME type. */
function parseMime(text) {
  let start = 0;
  let end = text.length;
  while (start < end && isWhitespace(text, start)) start++;
  while (end > start && isWhitespace(text, end - 1)) end--;
  const input = StringPrototypeSlice(text, start, end);
  const semicolon = StringPrototypeIndexOf(input, ';');
  const typeEnd = semicolon === -1 ? input.length : semicolon;
  const slash = StringPrototypeIndexOf(input, '/');
  if (slash < 1 || slash >= typeEnd) return null;
  const type = StringPrototypeSlice(input, 0, slash);
  const subtype = trimEnd(StringPrototypeSlice(input, slash + 1, typeEnd));
  if (RegExpPrototypeExec(token, type) === null || RegExpPrototypeExec(token, subtype) === null) return null;
  const parameters = new SafeMap();
  let position = typeEnd;
  while (position < input.length) {
    position++; // the semicolon
    while (position < input.length && isWhitespace(input, position)) position++;
    const nameStart = position;
    while (position < input.length && !isOneOf(input, position, 0x3b, 0x3d)) position++;
    const name = StringPrototypeToLowerCase(StringPrototypeSlice(input, nameStart, position));
    if (position >= input.length) break;
    if (StringPrototypeCharCodeAt(input, position) === 0x3b) continue;
    position++; // the equals sign
    let value;
    if (position < input.length && StringPrototypeCharCodeAt(input, position) === 0x22) {
      ({ value, position } = quotedString(input, position));
      while (position < input.length && StringPrototypeCharCodeAt(input, position) !== 0x3b) position++;
    } else {
      const valueStart = position;
      while (position < input.length && StringPrototypeCharCodeAt(input, position) !== 0x3b) position++;
      value = trimEnd(StringPrototypeSlice(input, valueStart, position));
      if (value === '') continue;
    }
    if (RegExpPrototypeExec(token, name) === null || RegExpPrototypeExec(quotable, value) === null) continue;
    if (!parameters.has(name)) parameters.set(name, value);
  }
  return { essence: StringPrototypeToLowerCase(`${type}/${subtype}`), parameters };
}

/** The quoted string that begins at `position`, unescaped, and where it ends. */
function quotedString(input, position) {
  let value = '';
  position++;
  while (position < input.length) {
    const code = StringPrototypeCharCodeAt(input, position);
    position++;
    if (code === 0x22) break;
    if (code === 0x5c && position < input.length) {
      value += input[position];
      position++;
    } else {
      value += input[position - 1];
    }
  }
  return { value, position };
}

function serializeMime({ essence, parameters }) {
  let text = essence;
  parameters.forEach((value, name) => {
    text += `;${name}=${value === '' || RegExpPrototypeExec(token, value) === null ? quote(value) : value}`;
  });
  return text;
}

function quote(value) {
  let text = '"';
  for (let index = 0; index < value.length; index++) {
    const code = StringPrototypeCharCodeAt(value, index);
    text += code === 0x22 || code === 0x5c ? `\\${value[index]}` : value[index];
  }
  return `${text}"`;
}

function trimEnd(text) {
  let end = text.length;
  while (end > 0 && isWhitespace(text, end - 1)) end--;
  return StringPrototypeSlice(text, 0, end);
}

function isWhitespace(text, index) {
  const code = StringPrototypeCharCodeAt(text, index);
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}

function isOneOf(text, index, first, second) {
  const code = StringPrototypeCharCodeAt(text, index);
  return code === first || code === second;
}

exports.parseMime = parseMime;
exports.serializeMime = serializeMime;
