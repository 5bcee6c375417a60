// TextEncoderStream and TextDecoderStream: https://encoding.spec.whatwg.org/#interface-textdecoderstream

const { StringPrototypeCharCodeAt, StringPrototypeSlice } = primordials;
const { convert, defineEnumerable, illegalInvocation, setToStringTag } = use('web/webidl');
const { TextDecoder, decodeWith, describeDecoder, encodeUtf8 } = use('web/encoding');
const { createTransform } = use('web/streams');

class TextEncoderStream {
  #ends;

  constructor() {
    let lead = ''; // a high surrogate at the end of the last chunk
    this.#ends = createTransform({
      __proto__: null,
      transform: (chunk, controller) => {
        let text = lead + convert.DOMString(chunk);
        lead = '';
        if (text === '') return;
        const last = StringPrototypeCharCodeAt(text, text.length - 1);
        if (last >= 0xd800 && last <= 0xdbff) {
          lead = text[text.length - 1];
          text = StringPrototypeSlice(text, 0, -1);
        }
        if (text !== '') controller.enqueue(encodeUtf8(text));
      },
      flush: (controller) => {
        if (lead !== '') controller.enqueue(encodeUtf8(lead));
      },
    });
  }

  get encoding() {
    return #ends in this ? 'utf-8' : illegalInvocation();
  }

  get readable() {
    return #ends in this ? this.#ends.readable : illegalInvocation();
  }

  get writable() {
    return #ends in this ? this.#ends.writable : illegalInvocation();
  }
}

defineEnumerable(TextEncoderStream, ['encoding', 'readable', 'writable']);
setToStringTag(TextEncoderStream, 'TextEncoderStream');

class TextDecoderStream {
  #ends;
  #about;

  constructor(label = 'utf-8', options = undefined) {
    const decoder = new TextDecoder(label, options);
    this.#about = describeDecoder(decoder);
    const decode = (chunk, controller, stream) => {
      const text = decodeWith(decoder, chunk, stream);
      if (text !== '') controller.enqueue(text);
    };
    this.#ends = createTransform({
      __proto__: null,
      transform: (chunk, controller) => decode(convert.BufferSource(chunk, 'The chunk'), controller, true),
      flush: (controller) => decode(undefined, controller, false),
    });
  }

  get encoding() {
    return #ends in this ? this.#about.encoding : illegalInvocation();
  }

  get fatal() {
    return #ends in this ? this.#about.fatal : illegalInvocation();
  }

  get ignoreBOM() {
    return #ends in this ? this.#about.ignoreBOM : illegalInvocation();
  }

  get readable() {
    return #ends in this ? this.#ends.readable : illegalInvocation();
  }

  get writable() {
    return #ends in this ? this.#ends.writable : illegalInvocation();
  }
}

defineEnumerable(TextDecoderStream, ['encoding', 'fatal', 'ignoreBOM', 'readable', 'writable']);
setToStringTag(TextDecoderStream, 'TextDecoderStream');

exports.TextEncoderStream = TextEncoderStream;
exports.TextDecoderStream = TextDecoderStream;
