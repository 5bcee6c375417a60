// Bodies of requests and responses. A body that came as text or bytes stays that until somebody touches `.body`; one that comes from the
// host is read from the host directly. Only `.body`, clone() of a stream and guests' own streams involve stream objects. What most
// bodies have nothing to do with is used where it is needed, so that a worker that does not need it never evaluates it.
const {
  ArrayBufferIsView, ArrayPrototypePush, JSONParse, ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, Promise,
  PromisePrototypeThen, PromiseReject, PromiseResolve, StringPrototypeCharCodeAt, StringPrototypeSlice,
  StringPrototypeToWellFormed, SymbolAsyncIterator, TypeError, TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeSet, Uint8Array,
} = primordials;
const { copyBytes, exactBuffer, isUint8Array } = use('web/body/bytes');
const { bytesOf, isArrayBuffer } = use('web/webidl');

const decodeUtf8 = (bytes) => use('web/encoding').decodeUtf8(bytes);
const encodeUtf8 = (text) => use('web/encoding').encodeUtf8(text);

const STRING = 1;
const BYTES = 2;
/** A ReadableStream's state in `stream`. */
const STREAM = 3;
/** The host's `{ read(): Promise<Uint8Array | null>, cancel(reason) }`, not yet read. */
const NATIVE = 4;
/** A Blob's state. */
const BLOB = 5;
/** The host's `{ text(): string, bytes(): Uint8Array, cancel(reason) }`, which has all of it, and gives it once. */
const WHOLE = 6;

class Body {
  kind;
  data;
  /** The stream's state once it is one. */
  stream = null;
  /** Whether it was consumed; a stream knows that itself. */
  #used = false;
  /** Whether another body has the same bytes, so that they must not be given away. */
  shared = false;

  constructor(kind, data) {
    this.kind = kind;
    if (kind === STREAM) {
      this.stream = data;
      this.data = null;
    } else {
      this.data = data;
    }
  }

  get used() {
    return this.stream === null ? this.#used : this.stream.disturbed;
  }

  get unusable() {
    return this.stream === null ? this.#used : this.stream.disturbed || use('web/streams').isLocked(this.stream);
  }

  /** Marks a body that is not a stream as consumed. */
  use() {
    this.#used = true;
  }

  /** Fetches what the host has all of, and nobody has read. */
  #fetchWhole() {
    if (this.kind !== WHOLE || this.#used) return;
    this.data = this.data.bytes();
    this.kind = BYTES;
  }

  /** Bytes, when they are known without reading: a number or null. */
  get length() {
    this.#fetchWhole();
    switch (this.kind) {
      case STRING:
        this.data = encodeUtf8(this.data);
        this.kind = BYTES;
        return TypedArrayPrototypeGetByteLength(this.data);
      case BYTES:
        return TypedArrayPrototypeGetByteLength(this.data);
      case BLOB:
        return this.data.size;
      default:
        return null;
    }
  }

  /** Turns the body into a stream; returns the stream's state. */
  toStream() {
    if (this.stream !== null) return this.stream;
    this.#fetchWhole();
    const { kind, data } = this;
    const used = this.#used;
    if (used) {
      this.stream = endedStream();
    } else if (kind === NATIVE) {
      this.stream = use('web/streams').createByteStream(
        (controller) => PromisePrototypeThen(data.read(), (chunk) => {
          if (chunk === null) closeByteStream(controller);
          else controller.enqueue(chunk);
        }),
        (reason) => data.cancel(reason),
      );
    } else if (kind === BLOB) {
      this.stream = use('web/blob').blobStream(data);
    } else {
      const { shared } = this;
      this.stream = use('web/streams').createByteStream((controller) => {
        const bytes = kind === STRING ? encodeUtf8(data) : shared ? copyBytes(data) : data;
        if (TypedArrayPrototypeGetByteLength(bytes) > 0) controller.enqueue(bytes);
        closeByteStream(controller);
      }, null);
    }
    this.kind = STREAM;
    this.data = null;
    return this.stream;
  }

  /** A second body with the same content. */
  clone() {
    this.#fetchWhole();
    if (this.kind === STRING || this.kind === BYTES || this.kind === BLOB) {
      this.shared = true;
      const copy = new Body(this.kind, this.data);
      copy.shared = true;
      return copy;
    }
    const branches = use('web/streams').tee(this.toStream(), cloneChunk);
    this.stream = branches[0];
    return new Body(STREAM, branches[1]);
  }

  /** A body with this one's content, which is then used up. */
  transfer() {
    if (this.stream !== null) {
      const { stream } = this;
      if (stream.object === null) {
        // Nobody saw the stream: it can change hands.
        this.stream = endedStream();
        return new Body(STREAM, stream);
      }
      return new Body(STREAM, use('web/streams').relay(stream));
    }
    this.use();
    const body = new Body(this.kind, this.data);
    body.shared = this.shared;
    return body;
  }

  /** Gives up on the content. */
  cancel(reason) {
    if (this.stream !== null) return use('web/streams').cancelStream(this.stream, reason);
    this.use();
    if (this.kind === NATIVE || this.kind === WHOLE) this.data.cancel(reason);
    return PromiseResolve(undefined);
  }
}

/** Closes a byte stream, also when a reader's buffer waits. */
function closeByteStream(controller) {
  controller.close();
  if (controller.pendingPullIntos.length > 0) controller.respond(0);
}

/** The stream of a body that was consumed before anybody saw it as a stream: disturbed, and locked for good. */
function endedStream() {
  const stream = use('web/streams').createByteStream((controller) => closeByteStream(controller), null);
  stream.controller.close();
  stream.disturbed = true;
  use('web/streams').acquireReader(stream);
  return stream;
}

function cloneChunk(chunk) {
  if (isUint8Array(chunk)) return copyBytes(chunk);
  return use('web/structured-clone').structuredClone(chunk);
}

/** From a BodyInit that is not null: `{ body, type }`, where `type` is the Content-Type it implies or null. */
function extractBody(init, context) {
  if (typeof init === 'string') {
    return { body: new Body(STRING, StringPrototypeToWellFormed(init)), type: 'text/plain;charset=UTF-8' };
  }
  if (typeof init === 'object') {
    if (ArrayBufferIsView(init) || isArrayBuffer(init)) {
      return { body: new Body(BYTES, copyBytes(bytesOf(init))), type: null };
    }
    const stream = use.loaded('web/streams')?.getReadableState(init);
    if (stream !== undefined) {
      if (stream.disturbed || use('web/streams').isLocked(stream)) throw new TypeError(`${context}: the body's stream is locked or was already read`);
      return { body: new Body(STREAM, stream), type: null };
    }
    const blob = use.loaded('web/blob')?.getBlobState(init);
    if (blob !== undefined) return { body: new Body(BLOB, blob), type: blob.type === '' ? null : blob.type };
    const entries = use.loaded('web/form-data')?.getFormEntries(init);
    if (entries !== undefined) {
      const { blob, boundary } = use('web/form-data').encodeMultipart(entries);
      return { body: new Body(BLOB, blob), type: `multipart/form-data; boundary=${boundary}` };
    }
    const parameters = use.loaded('web/url/search_params');
    if (parameters?.isURLSearchParams(init)) {
      return { body: new Body(STRING, parameters.serializeParams(init)), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
    }
    // Beyond the standard, as other server runtimes do: async iterables of bytes and text, among them Node.js' streams.
    if (typeof init[SymbolAsyncIterator] === 'function') {
      const chunkOf = (value) => (typeof value === 'string' ? encodeUtf8(value) : value);
      return { body: new Body(STREAM, use('web/streams').streamFrom(init, chunkOf)), type: null };
    }
  }
  return { body: new Body(STRING, StringPrototypeToWellFormed(`${init}`)), type: 'text/plain;charset=UTF-8' };
}

// ---- reading all of it ----

/** Reads a stream to its end. */
class Drain {
  #reader;
  #done;
  #fail;
  #chunks = [];
  #size = 0;
  #inRead = false;
  #again = false;

  constructor(stream, done, fail) {
    this.#reader = use('web/streams').acquireReader(stream);
    this.#done = done;
    this.#fail = fail;
    this.#run();
  }

  /** A loop where chunks are there already, so that a long queue does not become a deep stack. */
  #run() {
    do {
      this.#again = false;
      this.#inRead = true;
      use('web/streams').readChunk(this.#reader, this);
      this.#inRead = false;
    } while (this.#again);
  }

  chunk(chunk) {
    if (!isUint8Array(chunk)) {
      this.#fail(new TypeError('The body\'s stream gave a chunk that is not a Uint8Array'));
      return;
    }
    ArrayPrototypePush(this.#chunks, chunk);
    this.#size += TypedArrayPrototypeGetByteLength(chunk);
    if (this.#inRead) this.#again = true;
    else this.#run();
  }

  close() {
    const done = this.#done;
    done(concat(this.#chunks, this.#size));
  }

  error(error) {
    const fail = this.#fail;
    fail(error);
  }
}

function concat(chunks, size) {
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (let index = 0; index < chunks.length; index++) {
    TypedArrayPrototypeSet(bytes, chunks[index], offset);
    offset += TypedArrayPrototypeGetByteLength(chunks[index]);
  }
  return bytes;
}

function drainNative(source, done, fail) {
  const chunks = [];
  let size = 0;
  const step = () => PromisePrototypeThen(source.read(), take, fail);
  const take = (chunk) => {
    if (chunk === null) {
      // The host gives each chunk away, so a single one needs no copy.
      done(chunks.length === 1 ? chunks[0] : concat(chunks, size));
      return;
    }
    ArrayPrototypePush(chunks, chunk);
    size += TypedArrayPrototypeGetByteLength(chunk);
    step();
  };
  step();
}

/** Consumes the body: a promise of what `fromText(text)` or `fromBytes(bytes)` makes of it. The bytes are the callee's to keep. */
function consume(body, fromText, fromBytes) {
  if (body === null) return settle(fromText, '');
  if (body.unusable) return PromiseReject(new TypeError('Body is unusable: it has already been read, or is locked'));
  const { kind, data } = body;
  switch (kind) {
    case STRING:
      body.use();
      return settle(fromText, withoutByteOrderMark(data), data);
    case BYTES:
      body.use();
      return settle(fromBytes, body.shared ? copyBytes(data) : data);
    case BLOB:
      body.use();
      return settle(fromBytes, use('web/blob').blobBytes(data));
    case WHOLE: {
      body.use();
      const wantsText = fromBytes === decodeUtf8 || fromBytes === parseBytes;
      return settle(wantsText ? (host) => fromText(host.text()) : (host) => fromBytes(host.bytes()), data);
    }
    default:
      return new Promise((resolve, reject) => {
        const done = (bytes) => {
          try {
            resolve(fromBytes(bytes));
          } catch (error) {
            reject(error);
          }
        };
        if (kind === NATIVE) {
          body.use();
          drainNative(data, done, reject);
        } else {
          new Drain(body.stream, done, reject);
        }
      });
  }
}

/** What decoding the encoded text would give. */
function withoutByteOrderMark(text) {
  return StringPrototypeCharCodeAt(text, 0) === 0xfeff ? StringPrototypeSlice(text, 1) : text;
}

function settle(convert, value, original) {
  try {
    return PromiseResolve(convert(value, original));
  } catch (error) {
    return PromiseReject(error);
  }
}

const identity = (value) => value;
/** Bytes are not decoded, so a byte order mark stays. */
const encodeOriginal = (text, original = text) => encodeUtf8(original);
const parseText = (text) => JSONParse(text);
const parseBytes = (bytes) => JSONParse(decodeUtf8(bytes));

function formDataFrom(mime, bytes) {
  if (mime !== null && mime.essence === 'multipart/form-data') {
    const boundary = mime.parameters.get('boundary');
    const entries = boundary === undefined ? null : use('web/form-data').parseMultipart(bytes, boundary);
    if (entries === null) throw new TypeError('The body is not valid multipart/form-data');
    return use('web/form-data').createFormData(entries);
  }
  if (mime !== null && mime.essence === 'application/x-www-form-urlencoded') {
    const entries = use('web/url/search_params').parseUrlEncoded(decodeUtf8(bytes));
    return use('web/form-data').createFormData(entries);
  }
  throw new TypeError('The body is no form: its Content-Type is neither multipart/form-data nor application/x-www-form-urlencoded');
}

/**
 * Adds the Body mixin to `Class.prototype`. `stateOf(object)` gives an object with `body` (Body or null) and `headerList`, or undefined
 * when `object` is not of the class.
 */
function defineBodyMixin(Class, stateOf) {
  const rejectedInvocation = () => PromiseReject(new TypeError('Illegal invocation'));
  const bodyOf = (object) => {
    const state = stateOf(object);
    if (state === undefined) throw new TypeError('Illegal invocation');
    return state.body;
  };
  const mimeOf = (state) => {
    const type = state.headerList.get('content-type');
    return type === null ? null : use('web/body/mime').parseMime(type);
  };
  const mixin = {
    get body() {
      const body = bodyOf(this);
      return body === null ? null : use('web/streams').readableObject(body.toStream());
    },
    get bodyUsed() {
      const body = bodyOf(this);
      return body !== null && body.used;
    },
    arrayBuffer() {
      const state = stateOf(this);
      if (state === undefined) return rejectedInvocation();
      return consume(state.body, (text, original) => exactBuffer(encodeOriginal(text, original)), exactBuffer);
    },
    blob() {
      const state = stateOf(this);
      if (state === undefined) return rejectedInvocation();
      const mime = mimeOf(state);
      const type = mime === null ? '' : use('web/body/mime').serializeMime(mime);
      const make = (bytes) => use('web/blob').createBlob(bytes, type);
      return consume(state.body, (text, original) => make(encodeOriginal(text, original)), make);
    },
    bytes() {
      const state = stateOf(this);
      if (state === undefined) return rejectedInvocation();
      return consume(state.body, encodeOriginal, identity);
    },
    formData() {
      const state = stateOf(this);
      if (state === undefined) return rejectedInvocation();
      const mime = mimeOf(state);
      const make = (bytes) => formDataFrom(mime, bytes);
      return consume(state.body, (text, original) => make(encodeOriginal(text, original)), make);
    },
    json() {
      const state = stateOf(this);
      if (state === undefined) return rejectedInvocation();
      return consume(state.body, parseText, parseBytes);
    },
    text() {
      const state = stateOf(this);
      if (state === undefined) return rejectedInvocation();
      return consume(state.body, identity, decodeUtf8);
    },
  };
  const names = ['body', 'bodyUsed', 'arrayBuffer', 'blob', 'bytes', 'formData', 'json', 'text'];
  for (let index = 0; index < names.length; index++) {
    ObjectDefineProperty(Class.prototype, names[index], { __proto__: null, ...ObjectGetOwnPropertyDescriptor(mixin, names[index]) });
  }
}

// ---- sending ----

/** Takes the body to send it: `{ getReader() }`, whose reader has read() → Promise of `{ done, value: Uint8Array }` and cancel(reason). */
function takeSource(body) {
  if (body.kind === NATIVE) {
    body.use();
    return new NativeSource(body.data);
  }
  return new StreamSource(body.toStream());
}

class NativeSource {
  #source;

  constructor(source) {
    this.#source = source;
  }

  getReader() {
    return this;
  }

  read() {
    return PromisePrototypeThen(this.#source.read(), (chunk) => {
      return chunk === null ? { done: true, value: undefined } : { done: false, value: chunk };
    });
  }

  cancel(reason) {
    this.#source.cancel(reason);
    return PromiseResolve(undefined);
  }
}

class StreamSource {
  #reader;

  constructor(stream) {
    this.#reader = use('web/streams').acquireReader(stream);
  }

  getReader() {
    return this;
  }

  read() {
    return new Promise((resolve, reject) => {
      use('web/streams').readChunk(this.#reader, {
        chunk: (value) => {
          if (isUint8Array(value)) resolve({ done: false, value });
          else reject(new TypeError('The body\'s stream gave a chunk that is not a Uint8Array'));
        },
        close: () => resolve({ done: true, value: undefined }),
        error: reject,
      });
    });
  }

  cancel(reason) {
    const { stream } = this.#reader;
    return stream === null ? PromiseResolve(undefined) : use('web/streams').cancelStream(stream, reason);
  }
}

exports.STRING = STRING;
exports.BYTES = BYTES;
exports.STREAM = STREAM;
exports.NATIVE = NATIVE;
exports.WHOLE = WHOLE;
exports.BLOB = BLOB;
exports.Body = Body;
exports.defineBodyMixin = defineBodyMixin;
exports.extractBody = extractBody;
exports.takeSource = takeSource;
