// TextEncoder and TextDecoder: https://encoding.spec.whatwg.org/#api

const {
  FinalizationRegistry,
  FinalizationRegistryPrototypeRegister,
  FinalizationRegistryPrototypeUnregister,
  RangeError,
  StringPrototypeCharCodeAt,
  StringPrototypeSlice,
  TypeError,
  TypedArrayPrototypeGetLength,
  TypedArrayPrototypeGetSymbolToStringTag,
  Uint32Array,
  Uint8Array,
} = primordials;
const webidl = use('web/webidl');
const { convert, defineEnumerable, illegalInvocation, isObject, member, requireArguments, setToStringTag } = webidl;

const NOTHING = new Uint8Array(0);
const counts = new Uint32Array(2); // what encodeInto read and wrote

const SHORT = 64; // characters: up to here a loop is faster than a call of the native

/** UTF-8 bytes of a string, as a Uint8Array of its own; lone surrogates become U+FFFD. */
function encodeUtf8(text) {
  if (text.length > SHORT) return native.encode(text);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) {
    const code = StringPrototypeCharCodeAt(text, index);
    if (code > 0x7f) return native.encode(text);
    bytes[index] = code;
  }
  return bytes;
}

class TextEncoder {
  #brand;

  get encoding() {
    return #brand in this ? 'utf-8' : illegalInvocation();
  }

  encode(input = '') {
    if (!(#brand in this)) illegalInvocation();
    return encodeUtf8(convert.DOMString(input));
  }

  encodeInto(source, destination) {
    if (!(#brand in this)) illegalInvocation();
    requireArguments(arguments.length, 2, "Failed to execute 'encodeInto' on 'TextEncoder'");
    const text = convert.DOMString(source);
    if (!isObject(destination) || TypedArrayPrototypeGetSymbolToStringTag(destination) !== 'Uint8Array') {
      throw new TypeError("Failed to execute 'encodeInto' on 'TextEncoder': argument 2 is not a Uint8Array.");
    }
    // No character takes fewer bytes than UTF-16 units, so what follows can't fit.
    const room = TypedArrayPrototypeGetLength(destination) + 1;
    native.encodeInto(text.length > room ? StringPrototypeSlice(text, 0, room) : text, destination, counts);
    return { read: counts[0], written: counts[1] };
  }
}

defineEnumerable(TextEncoder, ['encoding', 'encode', 'encodeInto']);
setToStringTag(TextEncoder, 'TextEncoder');

// Made when first needed: it must not be in the startup snapshot.
let abandoned;

let decodeWith;
let describeDecoder;

class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBOM;
  // In the middle of a stream: for UTF-8 the bytes of a cut character (see utf8.rs), else the number of a native decoder.
  #stream = undefined;

  static {
    decodeWith = (decoder, input, stream) => decoder.#decode(input, stream);
    describeDecoder = (decoder) => ({
      __proto__: null,
      encoding: decoder.#encoding,
      fatal: decoder.#fatal,
      ignoreBOM: decoder.#ignoreBOM,
    });
  }

  constructor(label = 'utf-8', options = undefined) {
    const name = convert.DOMString(label);
    const dictionary = convert.dictionary(options, "Failed to construct 'TextDecoder': the second argument");
    this.#fatal = member(dictionary, 'fatal', convert.boolean, false);
    this.#ignoreBOM = member(dictionary, 'ignoreBOM', convert.boolean, false);
    this.#encoding = name === 'utf-8' || name === 'utf8' ? 'utf-8' : native.lookUp(name);
    if (this.#encoding === undefined) {
      const error = new RangeError(`The "${name}" encoding is not supported`);
      error.code = 'ERR_ENCODING_NOT_SUPPORTED';
      throw error;
    }
  }

  get encoding() {
    return #encoding in this ? this.#encoding : illegalInvocation();
  }

  get fatal() {
    return #encoding in this ? this.#fatal : illegalInvocation();
  }

  get ignoreBOM() {
    return #encoding in this ? this.#ignoreBOM : illegalInvocation();
  }

  decode(input = undefined, options = undefined) {
    if (!(#encoding in this)) illegalInvocation();
    const context = "Failed to execute 'decode' on 'TextDecoder'";
    if (input !== undefined) convert.BufferSource(input, `${context}: argument 1`);
    const dictionary = convert.dictionary(options, `${context}: the second argument`);
    return this.#decode(input, member(dictionary, 'stream', convert.boolean, false));
  }

  #decode(input, stream) {
    const bytes = input === undefined ? NOTHING : input;
    return this.#encoding === 'utf-8' ? this.#decodeUtf8(bytes, stream) : this.#decodeOther(bytes, stream);
  }

  #decodeUtf8(bytes, stream) {
    if (this.#stream === undefined) {
      if (!stream) return native.decodeUtf8(bytes, this.#fatal, this.#ignoreBOM);
      this.#stream = new Uint8Array(5);
    }
    const state = this.#stream;
    if (!stream) this.#stream = undefined;
    return native.decodeUtf8Part(bytes, this.#fatal, this.#ignoreBOM, state, !stream);
  }

  #decodeOther(bytes, stream) {
    if (this.#stream === undefined) {
      if (!stream) return native.decode(this.#encoding, bytes, this.#fatal, this.#ignoreBOM);
      this.#stream = native.open(this.#encoding, this.#ignoreBOM);
      abandoned ??= new FinalizationRegistry((id) => native.close(id, NOTHING, false));
      FinalizationRegistryPrototypeRegister(abandoned, this, this.#stream, this);
    }
    const id = this.#stream;
    if (stream) {
      try {
        return native.decodePart(id, bytes, this.#fatal);
      } catch (error) {
        this.#forget(); // Malformed input closed it.
        throw error;
      }
    }
    this.#forget();
    return native.close(id, bytes, this.#fatal);
  }

  #forget() {
    FinalizationRegistryPrototypeUnregister(abandoned, this);
    this.#stream = undefined;
  }
}

defineEnumerable(TextDecoder, ['encoding', 'fatal', 'ignoreBOM', 'decode']);
setToStringTag(TextDecoder, 'TextDecoder');

exports.TextEncoder = TextEncoder;
exports.TextDecoder = TextDecoder;

exports.encodeUtf8 = encodeUtf8;

/** "UTF-8 decode": errors replaced, a byte order mark removed. */
exports.decodeUtf8 = (bytes) => native.decodeUtf8(bytes, false, false);

/** For TextDecoderStream: decodes without going through the prototype, and tells what the decoder is. */
exports.decodeWith = decodeWith;
exports.describeDecoder = describeDecoder;
