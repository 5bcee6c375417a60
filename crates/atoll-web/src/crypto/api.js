// crypto: https://w3c.github.io/webcrypto/#crypto-interface

const {
  ArrayBufferIsView,
  ObjectDefineProperty,
  TypeError,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetSymbolToStringTag,
  Uint8Array,
} = primordials;
const webidl = use('web/webidl');
const { defineEnumerable, illegalConstructor, illegalInvocation, requireArguments, setToStringTag } = webidl;
const { DOMException } = use('web/dom-exception');

const MAKE = {};
const MAX_RANDOM_BYTES = 65536; // per call, by the standard

const INTEGER_ARRAYS = {
  __proto__: null,
  Int8Array: true,
  Uint8Array: true,
  Uint8ClampedArray: true,
  Int16Array: true,
  Uint16Array: true,
  Int32Array: true,
  Uint32Array: true,
  BigInt64Array: true,
  BigUint64Array: true,
};

// Random bytes for UUIDs are fetched many at a time, and overwritten when used.
const UUID_BYTES = 16;
const POOLED_UUIDS = 64;
let pool;
let used = 0;

const HEX = [];
for (let byte = 0; byte < 256; byte++) HEX[byte] = '0123456789abcdef'[byte >> 4] + '0123456789abcdef'[byte & 15];

function takeByte() {
  const byte = pool[used];
  pool[used++] = 0;
  return byte;
}

function randomUUID() {
  if (pool === undefined || used === UUID_BYTES * POOLED_UUIDS) {
    pool ??= new Uint8Array(UUID_BYTES * POOLED_UUIDS);
    native.fillRandom(pool);
    used = 0;
  }
  let text = '';
  for (let index = 0; index < UUID_BYTES; index++) {
    let byte = takeByte();
    if (index === 6) byte = (byte & 0x0f) | 0x40; // version 4
    else if (index === 8) byte = (byte & 0x3f) | 0x80; // variant 1
    text += index === 4 || index === 6 || index === 8 || index === 10 ? `-${HEX[byte]}` : HEX[byte];
  }
  return text;
}

class Crypto {
  #subtle;

  constructor(key = undefined) {
    if (key !== MAKE) illegalConstructor();
  }

  get subtle() {
    if (!(#subtle in this)) illegalInvocation();
    this.#subtle ??= use('web/crypto/subtle').subtle;
    return this.#subtle;
  }

  getRandomValues(array) {
    if (!(#subtle in this)) illegalInvocation();
    const context = "Failed to execute 'getRandomValues' on 'Crypto'";
    requireArguments(arguments.length, 1, context);
    if (!ArrayBufferIsView(array)) throw new TypeError(`${context}: argument 1 is not an ArrayBufferView.`);
    const kind = TypedArrayPrototypeGetSymbolToStringTag(array);
    if (kind === undefined || INTEGER_ARRAYS[kind] !== true) {
      throw new DOMException(`${context}: the array is not one of integers.`, 'TypeMismatchError');
    }
    const length = TypedArrayPrototypeGetByteLength(array);
    if (length > MAX_RANDOM_BYTES) {
      const message = `${context}: ${length} bytes are more than the ${MAX_RANDOM_BYTES} that one call gives.`;
      throw new DOMException(message, 'QuotaExceededError');
    }
    native.fillRandom(array);
    return array;
  }

  randomUUID() {
    if (!(#subtle in this)) illegalInvocation();
    return randomUUID();
  }
}

ObjectDefineProperty(Crypto, 'length', { __proto__: null, value: 0, configurable: true });
defineEnumerable(Crypto, ['subtle', 'getRandomValues', 'randomUUID']);
setToStringTag(Crypto, 'Crypto');

exports.Crypto = Crypto;
exports.crypto = new Crypto(MAKE);

// Two of the globals are classes of the other file, which is evaluated when one of them is asked for.
ObjectDefineProperty(exports, 'SubtleCrypto', { __proto__: null, get: () => use('web/crypto/subtle').SubtleCrypto });
ObjectDefineProperty(exports, 'CryptoKey', { __proto__: null, get: () => use('web/crypto/subtle').CryptoKey });
