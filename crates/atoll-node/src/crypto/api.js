// node:crypto. A digest keeps what it was given until it is asked for its value: the native computes it in one go.
const {
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  FunctionPrototypeBind,
  MathFloor,
  NumberIsSafeInteger,
  ObjectFreeze,
  FunctionPrototypeCall,
  RegExpPrototypeExec,
  StringPrototypeToLowerCase,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeSet,
  TypedArrayPrototypeSubarray,
  Uint8Array,
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  Error,
  RangeError,
  TypeError,
} = primordials;
const { Buffer } = use('node:buffer').default;
// As they are now: guests may replace them.
const { alloc: allocateBuffer, from: bufferFrom } = Buffer;
const { toString: bufferToString } = Buffer.prototype;
const { crypto: webcrypto } = use('web/crypto');
const { bytesOf: viewOf } = use('web/webidl');

/** An error with one of Node's codes. */
function makeError(Base, code, message) {
  const error = new Base(message);
  error.code = code;
  return error;
}

const HASHES = ObjectFreeze(['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512']);
const MAX_RANDOM = 2 ** 31 - 1; // bytes of one call, as in Node.js
const MAX_RANGE = 2 ** 48 - 1; // of randomInt, as in Node.js

function algorithmOf(name) {
  if (typeof name !== 'string') {
    throw makeError(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "algorithm" argument must be of type string');
  }
  const lower = StringPrototypeToLowerCase(name);
  const match = RegExpPrototypeExec(/^(?:rsa-)?sha-?(\d+)$/, lower);
  const plain = match === null ? lower : `sha${match[1]}`;
  for (let index = 0; index < HASHES.length; index++) if (HASHES[index] === plain) return plain;
  throw makeError(Error, 'ERR_CRYPTO_INVALID_DIGEST', `Invalid digest: ${name}`);
}

/** The bytes of a string in an encoding, a view or an ArrayBuffer; `copy` when they are kept beyond the call. */
function bytesOf(data, encoding, name, copy) {
  if (typeof data === 'string') return bufferFrom(data, encoding === 'buffer' ? 'utf8' : encoding);
  let view;
  if (ArrayBufferIsView(data)) view = viewOf(data);
  else if (isArrayBuffer(data)) view = new Uint8Array(data);
  else {
    const message = `The "${name}" argument must be of type string or an instance of Buffer, TypedArray, or DataView`;
    throw makeError(TypeError, 'ERR_INVALID_ARG_TYPE', message);
  }
  return copy ? new Uint8Array(view) : view;
}

function isArrayBuffer(value) {
  try {
    ArrayBufferPrototypeGetByteLength(value);
    return true;
  } catch {
    return false;
  }
}

function joined(chunks) {
  if (chunks.length === 1) return chunks[0];
  let length = 0;
  for (let index = 0; index < chunks.length; index++) length += TypedArrayPrototypeGetByteLength(chunks[index]);
  const all = new Uint8Array(length);
  let offset = 0;
  for (let index = 0; index < chunks.length; index++) {
    TypedArrayPrototypeSet(all, chunks[index], offset);
    offset += TypedArrayPrototypeGetByteLength(chunks[index]);
  }
  return all;
}

function output(bytes, encoding) {
  const offset = TypedArrayPrototypeGetByteOffset(bytes);
  const buffer = bufferFrom(TypedArrayPrototypeGetBuffer(bytes), offset, TypedArrayPrototypeGetByteLength(bytes));
  const isBuffer = encoding === undefined || encoding === null || encoding === 'buffer';
  return isBuffer ? buffer : FunctionPrototypeCall(bufferToString, buffer, encoding);
}

class Digest {
  #chunks = [];
  #finish;
  #done = false;

  constructor(finish, chunks = []) {
    this.#finish = finish;
    this.#chunks = chunks;
  }

  update(data, encoding = undefined) {
    if (this.#done) throw makeError(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
    ArrayPrototypePush(this.#chunks, bytesOf(data, encoding, 'data', true));
    return this;
  }

  digest(encoding = undefined) {
    if (this.#done) throw makeError(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
    this.#done = true;
    const bytes = this.#finish(joined(this.#chunks));
    this.#chunks = [];
    return output(bytes, encoding);
  }

  /** The chunks so far, for a copy. */
  static chunksOf(digest) {
    if (digest.#done) throw makeError(Error, 'ERR_CRYPTO_HASH_FINALIZED', 'Digest already called');
    return ArrayPrototypeSlice(digest.#chunks);
  }
}
const { chunksOf } = Digest;
delete Digest.chunksOf;

class Hash extends Digest {
  #algorithm;

  constructor(algorithm, chunks) {
    const name = algorithmOf(algorithm);
    super((bytes) => native.digest(name, bytes), chunks);
    this.#algorithm = name;
  }

  copy() {
    return new Hash(this.#algorithm, chunksOf(this));
  }
}

class Hmac extends Digest {
  constructor(algorithm, key, encoding) {
    const name = algorithmOf(algorithm);
    const secret = bytesOf(key, encoding, 'key', true);
    super((bytes) => native.hmac(name, secret, bytes));
  }
}

function createHash(algorithm) {
  return new Hash(algorithm);
}

function createHmac(algorithm, key, options = undefined) {
  return new Hmac(algorithm, key, options?.encoding);
}

/** A digest in one call. */
function hash(algorithm, data, outputEncoding = 'hex') {
  return output(native.digest(algorithmOf(algorithm), bytesOf(data, 'utf8', 'input', false)), outputEncoding);
}

function checkSize(size, name) {
  if (typeof size !== 'number') {
    throw makeError(TypeError, 'ERR_INVALID_ARG_TYPE', `The "${name}" argument must be of type number`);
  }
  if (!(size >= 0 && size <= MAX_RANDOM)) {
    const message = `The value of "${name}" is out of range. It must be >= 0 && <= ${MAX_RANDOM}. Received ${size}`;
    throw makeError(RangeError, 'ERR_OUT_OF_RANGE', message);
  }
  return MathFloor(size);
}

/** Delivers what `make` returns or throws to a callback in a later turn. */
function deliver(callback, make) {
  if (typeof callback !== 'function') {
    throw makeError(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "callback" argument must be of type function');
  }
  const value = make();
  use('web/timers').setImmediate(callback, null, value);
}

function makeRandom(size) {
  const buffer = allocateBuffer(size);
  native.fillRandom(buffer);
  return buffer;
}

function randomBytes(size, callback = undefined) {
  const length = checkSize(size, 'size');
  if (callback === undefined) return makeRandom(length);
  deliver(callback, () => makeRandom(length));
}

function randomFillSync(target, offset = 0, size = undefined) {
  const view = ArrayBufferIsView(target) ? viewOf(target) : bytesOf(target, undefined, 'buf', false);
  const start = checkSize(offset, 'offset');
  const length = size === undefined ? TypedArrayPrototypeGetByteLength(view) - start : checkSize(size, 'size');
  if (length < 0 || start + length > TypedArrayPrototypeGetByteLength(view)) {
    throw makeError(RangeError, 'ERR_OUT_OF_RANGE', 'The value of "size + offset" is out of range');
  }
  native.fillRandom(TypedArrayPrototypeSubarray(view, start, start + length));
  return target;
}

function randomFill(target, offset, size, callback) {
  if (typeof offset === 'function') return deliver(offset, () => randomFillSync(target));
  if (typeof size === 'function') return deliver(size, () => randomFillSync(target, offset));
  return deliver(callback, () => randomFillSync(target, offset, size));
}

/** Uniform in [min, max): values of the last, incomplete range are drawn again. */
function drawInteger(min, max) {
  const range = max - min;
  const limit = MAX_RANGE + 1 - ((MAX_RANGE + 1) % range);
  const bytes = new Uint8Array(6);
  for (;;) {
    native.fillRandom(bytes);
    let value = 0;
    for (let index = 0; index < 6; index++) value = value * 256 + bytes[index];
    if (value < limit) return min + (value % range);
  }
}

function randomInt(min, max = undefined, callback = undefined) {
  if (max === undefined || typeof max === 'function') {
    callback = max;
    max = min;
    min = 0;
  }
  if (!NumberIsSafeInteger(min) || !NumberIsSafeInteger(max)) {
    throw makeError(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "min" and "max" arguments must be safe integers');
  }
  if (max <= min || max - min > MAX_RANGE) {
    throw makeError(RangeError, 'ERR_OUT_OF_RANGE', `The value of "max" is out of range. Received ${max}`);
  }
  if (callback === undefined) return drawInteger(min, max);
  deliver(callback, () => drawInteger(min, max));
}

function timingSafeEqual(a, b) {
  const first = bytesOf(a, undefined, 'buf1', false);
  const second = bytesOf(b, undefined, 'buf2', false);
  if (TypedArrayPrototypeGetByteLength(first) !== TypedArrayPrototypeGetByteLength(second)) {
    throw makeError(RangeError, 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH', 'Input buffers must have the same byte length');
  }
  return native.equal(first, second);
}

exports.default = {
  Hash,
  Hmac,
  createHash,
  createHmac,
  getHashes: () => ArrayPrototypeSlice(HASHES),
  getRandomValues: FunctionPrototypeBind(webcrypto.getRandomValues, webcrypto),
  hash,
  randomBytes,
  randomFill,
  randomFillSync,
  randomInt,
  randomUUID: FunctionPrototypeBind(webcrypto.randomUUID, webcrypto),
  get subtle() {
    return webcrypto.subtle;
  },
  timingSafeEqual,
  webcrypto,
};
