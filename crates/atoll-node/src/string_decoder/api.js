// node:string_decoder: text out of Buffers whose ends may split a character.
const {
  ArrayBufferIsView,
  ObjectDefineProperties,
  Symbol,
  TypedArrayPrototypeGetLength,
  TypedArrayPrototypeSet,
  TypedArrayPrototypeSubarray,
  Uint8Array,
} = primordials;
const { ERR_INVALID_ARG_TYPE, ERR_UNKNOWN_ENCODING } = use('node/internal/errors');
const { ENCODINGS, canonicalName } = use('node/internal/buffer/encodings');

const { bytesOf: viewOf } = use('web/webidl');

const kState = Symbol('state');
const MAX_CHARACTER_BYTES = 4; // of UTF-8, and of a surrogate pair

/** How many bytes at the end of `bytes` begin a character that is not complete yet. */
function incompleteUtf8(bytes) {
  const length = TypedArrayPrototypeGetLength(bytes);
  const limit = length < 3 ? length : 3;
  for (let back = 1; back <= limit; back++) {
    const byte = bytes[length - back];
    if ((byte & 0xc0) === 0x80) continue;
    if (byte < 0xc0 || byte > 0xf7) return 0; // a character by itself, or none at all
    if (neededUtf8(byte) <= back) return 0;
    return back;
  }
  return 0;
}
function incompleteUtf16(bytes) {
  const odd = TypedArrayPrototypeGetLength(bytes) % 2;
  const high = TypedArrayPrototypeGetLength(bytes) - odd - 1;
  const splitPair = high > 0 && bytes[high] >= 0xd8 && bytes[high] < 0xdc;
  return odd + (splitPair ? 2 : 0);
}
function incompleteBase64(bytes) {
  return TypedArrayPrototypeGetLength(bytes) % 3;
}

const INCOMPLETE = {
  __proto__: null,
  utf8: incompleteUtf8,
  utf16le: incompleteUtf16,
  base64: incompleteBase64,
  base64url: incompleteBase64,
};

function StringDecoder(encoding) {
  const name = canonicalName(encoding);
  if (name === undefined) throw ERR_UNKNOWN_ENCODING(encoding);
  this.encoding = name;
  this[kState] = { held: new Uint8Array(MAX_CHARACTER_BYTES), count: 0, needed: 0 };
}

function bytesOf(chunk) {
  if (!ArrayBufferIsView(chunk)) throw ERR_INVALID_ARG_TYPE('buf', ['Buffer', 'TypedArray', 'DataView'], chunk);
  return viewOf(chunk);
}

/** The text of all characters that are complete. */
StringDecoder.prototype.write = function write(chunk) {
  if (typeof chunk === 'string') return chunk;
  let bytes = bytesOf(chunk);
  const state = this[kState];
  const encoding = ENCODINGS[this.encoding];
  const incomplete = INCOMPLETE[this.encoding];
  if (incomplete === undefined) return encoding.slice(bytes, 0, TypedArrayPrototypeGetLength(bytes));
  if (TypedArrayPrototypeGetLength(bytes) === 0) return '';
  if (state.count > 0) {
    const joined = new Uint8Array(state.count + TypedArrayPrototypeGetLength(bytes));
    TypedArrayPrototypeSet(joined, TypedArrayPrototypeSubarray(state.held, 0, state.count), 0);
    TypedArrayPrototypeSet(joined, bytes, state.count);
    bytes = joined;
  }
  const held = incomplete(bytes);
  const end = TypedArrayPrototypeGetLength(bytes) - held;
  TypedArrayPrototypeSet(state.held, TypedArrayPrototypeSubarray(bytes, end), 0);
  state.count = held;
  state.needed =
    held === 0
      ? 0
      : this.encoding === 'utf8'
        ? neededUtf8(state.held[0]) - held
        : this.encoding === 'utf16le'
          ? held % 2 === 0
            ? 2
            : 1
          : 3 - held;
  return end === 0 ? '' : encoding.slice(bytes, 0, end);
};
function neededUtf8(lead) {
  if (lead >= 0xf0) return 4;
  return lead >= 0xe0 ? 3 : 2;
}

/** The rest, with U+FFFD (or as much as there is of it) for a character that never got complete. */
StringDecoder.prototype.end = function end(chunk) {
  let text = chunk === undefined ? '' : this.write(chunk);
  const state = this[kState];
  if (state.count > 0) {
    const length = this.encoding === 'utf16le' ? state.count - (state.count % 2) : state.count;
    text += ENCODINGS[this.encoding].slice(state.held, 0, length);
    state.count = 0;
    state.needed = 0;
  }
  return text;
};

/** As `write`, of the bytes from `offset`, after forgetting what is held. */
StringDecoder.prototype.text = function text(chunk, offset) {
  this[kState].count = 0;
  this[kState].needed = 0;
  return this.write(bytesOf(chunk).subarray(offset));
};

ObjectDefineProperties(StringDecoder.prototype, {
  lastChar: {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      const { Buffer } = use('node:buffer').default;
      return Buffer.from(this[kState].held.buffer);
    },
  },
  lastNeed: {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      return this[kState].needed;
    },
  },
  lastTotal: {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      return this[kState].count + this[kState].needed;
    },
  },
});

exports.default = { StringDecoder };
