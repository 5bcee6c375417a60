// Blob and File. A blob's bytes are a list of parts that never change, so slices and blobs of blobs share memory.
const {
  ArrayBufferIsView, ArrayPrototypePush, DateNow, MathMax, MathMin, PromiseReject, PromiseResolve,
  RegExpPrototypeExec, StringPrototypeCharCodeAt, StringPrototypeSlice, StringPrototypeToLowerCase,
  StringPrototypeToWellFormed, SymbolFor, TypeError, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeSet, Uint8Array,
} = primordials;
const { copyBytes, partOf } = use('web/body/bytes');
const { decodeUtf8, encodeUtf8 } = use('web/encoding');
const {
  bytesOf, convert, defineEnumerable, enumeration, illegalInvocation, isArrayBuffer, isObject, member, requireArguments, setToStringTag,
} = use('web/webidl');

/** Bytes that a blob's stream gives at a time: large enough to amortise a read, small enough to keep memory flat. */
const STREAM_CHUNK_BYTES = 64 * 1024;

const endings = enumeration('EndingType', ['transparent', 'native']);
const typeOutsideAscii = /[^\x20-\x7e]/;
const internal = { __proto__: null };

/** Bytes and type of a blob. `parts` are Uint8Arrays that nobody else writes to. */
class BlobState {
  parts;
  size;
  type;

  constructor(parts, size, type) {
    this.parts = parts;
    this.size = size;
    this.type = type;
  }

  /** The bytes from `start` to `end`, sharing memory. */
  slice(start, end, type) {
    const parts = [];
    let offset = 0;
    for (let index = 0; index < this.parts.length && offset < end; index++) {
      const part = this.parts[index];
      const length = TypedArrayPrototypeGetByteLength(part);
      const from = MathMax(start - offset, 0);
      const to = MathMin(end - offset, length);
      if (from < to) ArrayPrototypePush(parts, partOf(part, from, to));
      offset += length;
    }
    return new BlobState(parts, MathMax(end - start, 0), type);
  }
}

/** A copy of all bytes. */
function blobBytes(state) {
  const bytes = new Uint8Array(state.size);
  let offset = 0;
  for (let index = 0; index < state.parts.length; index++) {
    const part = state.parts[index];
    TypedArrayPrototypeSet(bytes, part, offset);
    offset += TypedArrayPrototypeGetByteLength(part);
  }
  return bytes;
}

/** The state of a new byte stream over the blob's bytes. */
function blobStream(state) {
  let index = 0;
  let offset = 0;
  return use('web/streams').createByteStream((controller) => {
    if (index === state.parts.length) {
      controller.close();
      if (controller.pendingPullIntos.length > 0) controller.respond(0);
      return;
    }
    const part = state.parts[index];
    const length = TypedArrayPrototypeGetByteLength(part);
    const end = MathMin(offset + STREAM_CHUNK_BYTES, length);
    const chunk = copyBytes(partOf(part, offset, end));
    if (end === length) {
      index++;
      offset = 0;
    } else {
      offset = end;
    }
    controller.enqueue(chunk);
  }, null);
}

function normalizeType(type) {
  return RegExpPrototypeExec(typeOutsideAscii, type) === null ? StringPrototypeToLowerCase(type) : '';
}

/** The text with each CR LF, CR and LF replaced by `ending`. */
function withLineEnding(text, ending) {
  if (RegExpPrototypeExec(/[\r\n]/, text) === null) return text;
  let result = '';
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const code = StringPrototypeCharCodeAt(text, index);
    if (code !== 0x0d && code !== 0x0a) continue;
    result += StringPrototypeSlice(text, start, index) + ending;
    if (code === 0x0d && StringPrototypeCharCodeAt(text, index + 1) === 0x0a) index++;
    start = index + 1;
  }
  return result + StringPrototypeSlice(text, start);
}

/** A BlobPropertyBag's members; `bag` is an object or undefined. */
function readBag(bag) {
  const lineEndings = member(bag, 'endings', endings, 'transparent');
  return { lineEndings, type: normalizeType(member(bag, 'type', convert.DOMString, '')) };
}

/** From converted elements (see convertPart). */
function makeState(elements, { lineEndings, type }) {
  const parts = [];
  let size = 0;
  const push = (bytes) => {
    const length = TypedArrayPrototypeGetByteLength(bytes);
    if (length === 0) return;
    ArrayPrototypePush(parts, bytes);
    size += length;
  };
  for (let index = 0; index < elements.length; index++) {
    const element = elements[index];
    if (typeof element === 'string') {
      push(encodeUtf8(lineEndings === 'native' ? withLineEnding(element, '\n') : element));
    } else if (element instanceof BlobState) {
      for (let part = 0; part < element.parts.length; part++) push(element.parts[part]);
    } else {
      push(copyBytes(bytesOf(element)));
    }
  }
  return new BlobState(parts, size, type);
}

/** (BufferSource or Blob or USVString): the source, the blob's state, or the string. */
function convertPart(value) {
  if (isObject(value)) {
    const state = getBlobState(value);
    if (state !== undefined) return state;
    if (ArrayBufferIsView(value) || isArrayBuffer(value)) return value;
  }
  return StringPrototypeToWellFormed(typeof value === 'string' ? value : `${value}`);
}

/** Blob.prototype.slice's relative positions. */
function clampPosition(value, size, fallback) {
  if (value === undefined) return fallback;
  const position = convert.longLong(value, 'position', { clamp: true });
  return position < 0 ? MathMax(size + position, 0) : MathMin(position, size);
}

/** The BlobState of a Blob or File; undefined for anything else. */
let getBlobState;

class Blob {
  #state;

  constructor(blobParts = undefined, options = undefined) {
    if (blobParts === internal) {
      this.#state = options;
      return;
    }
    const context = "Failed to construct 'Blob'";
    const elements = blobParts === undefined ? [] : convert.sequence(blobParts, `${context}: parameter 1`, convertPart);
    this.#state = makeState(elements, readBag(convert.dictionary(options, `${context}: options`)));
  }

  get size() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.size;
  }

  get type() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.type;
  }

  arrayBuffer() {
    if (!(#state in this)) return rejectedInvocation();
    return attempt(() => TypedArrayPrototypeGetBuffer(blobBytes(this.#state)));
  }

  bytes() {
    if (!(#state in this)) return rejectedInvocation();
    return attempt(() => blobBytes(this.#state));
  }

  slice(start = undefined, end = undefined, contentType = undefined) {
    if (!(#state in this)) throw illegalInvocation();
    const { size } = this.#state;
    const from = clampPosition(start, size, 0);
    const to = clampPosition(end, size, size);
    const type = contentType === undefined ? '' : normalizeType(convert.DOMString(contentType));
    return new Blob(internal, this.#state.slice(from, MathMax(from, to), type));
  }

  stream() {
    if (!(#state in this)) throw illegalInvocation();
    return use('web/streams').readableObject(blobStream(this.#state));
  }

  text() {
    if (!(#state in this)) return rejectedInvocation();
    const { parts } = this.#state;
    return attempt(() => decodeUtf8(parts.length === 1 ? parts[0] : blobBytes(this.#state)));
  }

  [SymbolFor('nodejs.util.inspect.custom')](depth, options, inspect) {
    const state = getBlobState(this);
    if (state === undefined) return 'Blob';
    const { size, type } = state;
    if (!isFile(this)) return `Blob ${inspect({ size, type }, options)}`;
    return `File ${inspect({ ...fileAttributes(this), size, type }, options)}`;
  }

  static {
    getBlobState = (blob) => (typeof blob === 'object' && blob !== null && #state in blob ? blob.#state : undefined);
  }
}
defineEnumerable(Blob, ['arrayBuffer', 'bytes', 'size', 'slice', 'stream', 'text', 'type']);
setToStringTag(Blob, 'Blob');

function attempt(body) {
  try {
    return PromiseResolve(body());
  } catch (error) {
    return PromiseReject(error);
  }
}

function rejectedInvocation() {
  return PromiseReject(new TypeError('Illegal invocation'));
}

/** Whether a value is a File. */
let isFile;
/** `{ name, lastModified }` of a File. */
let fileAttributes;

class File extends Blob {
  #name;
  #lastModified;

  constructor(fileBits, fileName, options = undefined) {
    if (fileBits === internal) {
      super(internal, fileName);
      this.#name = options.name;
      this.#lastModified = options.lastModified;
      return;
    }
    const context = "Failed to construct 'File'";
    requireArguments(arguments.length, 2, context);
    const elements = convert.sequence(fileBits, `${context}: parameter 1`, convertPart);
    const name = StringPrototypeToWellFormed(convert.DOMString(fileName));
    const bag = convert.dictionary(options, `${context}: options`);
    super(internal, makeState(elements, readBag(bag)));
    this.#name = name;
    this.#lastModified = member(bag, 'lastModified', convert.longLong, undefined) ?? DateNow();
  }

  get name() {
    if (!(#name in this)) throw illegalInvocation();
    return this.#name;
  }

  get lastModified() {
    if (!(#name in this)) throw illegalInvocation();
    return this.#lastModified;
  }

  static {
    isFile = (file) => typeof file === 'object' && file !== null && #name in file;
    fileAttributes = (file) => ({ name: file.#name, lastModified: file.#lastModified });
  }
}
defineEnumerable(File, ['lastModified', 'name']);
setToStringTag(File, 'File');

/** A Blob over bytes that the caller gives away. */
function createBlob(bytes, type) {
  const size = TypedArrayPrototypeGetByteLength(bytes);
  return new Blob(internal, new BlobState(size === 0 ? [] : [bytes], size, type));
}

/** A Blob that shares another one's state. */
function blobFromState(state) {
  return new Blob(internal, state);
}

/** A File over a blob's state. */
function createFile(state, name, lastModified = DateNow()) {
  return new File(internal, state, { name, lastModified });
}

exports.Blob = Blob;
exports.BlobState = BlobState;
exports.File = File;
exports.blobBytes = blobBytes;
exports.blobFromState = blobFromState;
exports.blobStream = blobStream;
exports.createBlob = createBlob;
exports.createFile = createFile;
exports.fileAttributes = fileAttributes;
exports.getBlobState = getBlobState;
exports.isFile = isFile;
exports.withLineEnding = withLineEnding;
