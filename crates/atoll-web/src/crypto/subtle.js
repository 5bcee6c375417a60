// crypto.subtle: https://w3c.github.io/webcrypto/#subtlecrypto-interface
//
// Digests and HMAC. The methods are async functions: what they throw, rejects.

const {
  ArrayPrototypeIncludes,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  MathCeil,
  ObjectDefineProperty,
  ObjectFreeze,
  StringPrototypeCharCodeAt,
  StringPrototypeToUpperCase,
  TypeError,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeSlice,
  Uint8Array,
} = primordials;
const webidl = use('web/webidl');
const { bytesOf, convert, defineEnumerable, enumeration, illegalConstructor, illegalInvocation, isObject } = webidl;
const { member, requireArguments, setToStringTag } = webidl;
const { DOMException } = use('web/dom-exception');

const MAKE = {};

// Digests of more than this are computed on another thread.
const BACKGROUND_BYTES = 256 * 1024;

const HASHES = {
  __proto__: null,
  'SHA-1': { __proto__: null, blockBits: 512, jwk: 'HS1' },
  'SHA-256': { __proto__: null, blockBits: 512, jwk: 'HS256' },
  'SHA-384': { __proto__: null, blockBits: 1024, jwk: 'HS384' },
  'SHA-512': { __proto__: null, blockBits: 1024, jwk: 'HS512' },
};

const convertFormat = enumeration('KeyFormat', ['raw', 'spki', 'pkcs8', 'jwk']);
const convertUsage = enumeration('KeyUsage', [
  'encrypt', 'decrypt', 'sign', 'verify', 'deriveKey', 'deriveBits', 'wrapKey', 'unwrapKey',
]);

function fail(name, message) {
  throw new DOMException(message, name);
}

function unsupported(method, algorithm) {
  fail('NotSupportedError', `The algorithm '${algorithm}' is not supported for ${method}.`);
}

// --- Arguments -------------------------------------------------------------------------------------------------------

/** The name of an AlgorithmIdentifier as given, and the object that it came in, if any. */
function readAlgorithm(value, context) {
  if (!isObject(value)) return { name: convert.DOMString(value), members: undefined };
  if (value.name === undefined) throw new TypeError(`${context}: the algorithm has no 'name'.`);
  return { name: convert.DOMString(value.name), members: value };
}

function normalizeHash(value, method) {
  const { name } = readAlgorithm(value, method);
  const upper = StringPrototypeToUpperCase(name);
  return upper in HASHES ? upper : unsupported(method, name);
}

function requireHmac(value, method) {
  const { name, members } = readAlgorithm(value, method);
  if (StringPrototypeToUpperCase(name) !== 'HMAC') unsupported(method, name);
  return members;
}

function readHmacParameters(members, method) {
  if (members?.hash === undefined) throw new TypeError(`${method}: HMAC needs a 'hash'.`);
  const hash = normalizeHash(members.hash, method);
  const length = member(members, 'length', (value, context) =>
    convert.unsignedLong(value, context, { __proto__: null, enforceRange: true }));
  return { hash, length };
}

function readUsages(value, context) {
  const usages = convert.sequence(value, context, convertUsage);
  const unique = [];
  for (let index = 0; index < usages.length; index++) {
    if (!ArrayPrototypeIncludes(unique, usages[index])) ArrayPrototypePush(unique, usages[index]);
  }
  return unique;
}

function checkHmacUsages(usages) {
  for (let index = 0; index < usages.length; index++) {
    if (usages[index] !== 'sign' && usages[index] !== 'verify') {
      fail('SyntaxError', `A key for HMAC cannot be used to ${usages[index]}.`);
    }
  }
  if (usages.length === 0) fail('SyntaxError', 'A secret key needs at least one usage.');
}

/** A copy of what a BufferSource holds now: the guest may change it while an operation runs. */
function copyBytes(value, context) {
  return TypedArrayPrototypeSlice(bytesOf(convert.BufferSource(value, context)));
}

// --- Base64url -------------------------------------------------------------------------------------------------------

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function encodeBase64Url(bytes) {
  let text = '';
  const length = TypedArrayPrototypeGetByteLength(bytes);
  for (let index = 0; index < length; index += 3) {
    const word = (bytes[index] << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0);
    text += ALPHABET[word >> 18] + ALPHABET[(word >> 12) & 63];
    if (index + 1 < length) text += ALPHABET[(word >> 6) & 63];
    if (index + 2 < length) text += ALPHABET[word & 63];
  }
  return text;
}

function digitOf(code) {
  if (code >= 0x41 && code <= 0x5a) return code - 0x41;
  if (code >= 0x61 && code <= 0x7a) return code - 0x61 + 26;
  if (code >= 0x30 && code <= 0x39) return code - 0x30 + 52;
  if (code === 0x2d) return 62;
  if (code === 0x5f) return 63;
  return fail('DataError', "The JWK member 'k' is not base64url.");
}

function decodeBase64Url(text) {
  if (text.length % 4 === 1) fail('DataError', "The JWK member 'k' is not base64url.");
  const bytes = new Uint8Array((text.length * 3) >> 2);
  let word = 0;
  let bits = 0;
  let length = 0;
  for (let index = 0; index < text.length; index++) {
    word = ((word << 6) | digitOf(StringPrototypeCharCodeAt(text, index))) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length++] = (word >> bits) & 255;
  }
  return bytes;
}

// --- CryptoKey -------------------------------------------------------------------------------------------------------

let keyOf;

class CryptoKey {
  #key;

  static {
    keyOf = (value) => (isObject(value) && #key in value ? value.#key : undefined);
  }

  constructor(mark = undefined, key = undefined) {
    if (mark !== MAKE) illegalConstructor();
    this.#key = key;
  }

  get type() {
    return (keyOf(this) ?? illegalInvocation()).type;
  }

  get extractable() {
    return (keyOf(this) ?? illegalInvocation()).extractable;
  }

  get algorithm() {
    return (keyOf(this) ?? illegalInvocation()).algorithm;
  }

  get usages() {
    return (keyOf(this) ?? illegalInvocation()).usages;
  }
}

ObjectDefineProperty(CryptoKey, 'length', { __proto__: null, value: 0, configurable: true });
defineEnumerable(CryptoKey, ['type', 'extractable', 'algorithm', 'usages']);
setToStringTag(CryptoKey, 'CryptoKey');

/** What guests see of `algorithm` and `usages` is theirs to change; decisions read `hash` and `allowed`. */
function makeHmacKey(bytes, hash, extractable, usages) {
  return new CryptoKey(MAKE, {
    __proto__: null,
    type: 'secret',
    extractable,
    algorithm: { name: 'HMAC', length: TypedArrayPrototypeGetByteLength(bytes) * 8, hash: { name: hash } },
    usages: ArrayPrototypeSlice(usages),
    hash,
    allowed: ObjectFreeze(usages),
    bytes,
  });
}

function requireKey(value, context) {
  return keyOf(value) ?? (() => { throw new TypeError(`${context} is not a CryptoKey.`); })();
}

function requireUsage(key, usage) {
  if (!ArrayPrototypeIncludes(key.allowed, usage)) fail('InvalidAccessError', `The key must not be used to ${usage}.`);
}

// --- JSON web keys ---------------------------------------------------------------------------------------------------

function importJwk(jwk, hash, extractable, usages) {
  if (jwk.kty !== 'oct') fail('DataError', "The JWK member 'kty' is not 'oct'.");
  if (typeof jwk.k !== 'string') fail('DataError', "The JWK member 'k' is missing.");
  if (jwk.alg !== undefined && jwk.alg !== HASHES[hash].jwk) fail('DataError', `The JWK member 'alg' is not ${HASHES[hash].jwk}.`);
  if (usages.length > 0 && jwk.use !== undefined && jwk.use !== 'sig') fail('DataError', "The JWK member 'use' is not 'sig'.");
  if (jwk.key_ops !== undefined) {
    const operations = convert.sequence(jwk.key_ops, "The JWK member 'key_ops'", convert.DOMString);
    for (let index = 0; index < usages.length; index++) {
      if (!ArrayPrototypeIncludes(operations, usages[index])) fail('DataError', `The JWK does not allow to ${usages[index]}.`);
    }
  }
  if (jwk.ext === false && extractable) fail('DataError', 'The JWK must not be extractable.');
  return decodeBase64Url(jwk.k);
}

function exportJwk(key) {
  return {
    kty: 'oct',
    k: encodeBase64Url(key.bytes),
    alg: HASHES[key.hash].jwk,
    key_ops: ArrayPrototypeSlice(key.allowed),
    ext: key.extractable,
  };
}

/** Drops the bits of the last byte beyond `bits`. */
function truncate(bytes, bits) {
  const available = TypedArrayPrototypeGetByteLength(bytes) * 8;
  if (available === 0) fail('DataError', 'A key for HMAC must not be empty.');
  if (bits === undefined) return bytes;
  if (bits > available || bits <= available - 8) fail('DataError', `The length ${bits} does not fit a key of ${available} bits.`);
  const unused = available - bits;
  if (unused > 0) bytes[TypedArrayPrototypeGetByteLength(bytes) - 1] &= 0xff << unused;
  return bytes;
}

// --- SubtleCrypto ----------------------------------------------------------------------------------------------------

class SubtleCrypto {
  #brand;

  constructor(mark = undefined) {
    if (mark !== MAKE) illegalConstructor();
  }

  async digest(algorithm, data) {
    if (!isObject(this) || !(#brand in this)) illegalInvocation();
    requireArguments(arguments.length, 2, "Failed to execute 'digest' on 'SubtleCrypto'");
    const hash = normalizeHash(algorithm, 'digest');
    const bytes = bytesOf(convert.BufferSource(data, "Failed to execute 'digest' on 'SubtleCrypto': argument 2"));
    const large = TypedArrayPrototypeGetByteLength(bytes) > BACKGROUND_BYTES;
    const result = large ? await native.digestInBackground(hash, bytes) : native.digest(hash, bytes);
    return TypedArrayPrototypeGetBuffer(result);
  }

  async importKey(format, keyData, algorithm, extractable, keyUsages) {
    if (!isObject(this) || !(#brand in this)) illegalInvocation();
    const context = "Failed to execute 'importKey' on 'SubtleCrypto'";
    requireArguments(arguments.length, 5, context);
    const kind = convertFormat(format, `${context}: argument 1`);
    const parameters = readHmacParameters(requireHmac(algorithm, 'importKey'), 'importKey');
    const usages = readUsages(keyUsages, `${context}: argument 5`);
    if (kind === 'spki' || kind === 'pkcs8') fail('NotSupportedError', `A key for HMAC has no format '${kind}'.`);
    const exportable = !!extractable;
    let bytes;
    if (kind === 'raw') {
      bytes = copyBytes(keyData, `${context}: argument 2`);
    } else {
      const jwk = convert.dictionary(keyData, `${context}: argument 2`);
      if (jwk === undefined) throw new TypeError(`${context}: argument 2 is not a JsonWebKey.`);
      bytes = importJwk(jwk, parameters.hash, exportable, usages);
    }
    checkHmacUsages(usages);
    return makeHmacKey(truncate(bytes, parameters.length), parameters.hash, exportable, usages);
  }

  async exportKey(format, key) {
    if (!isObject(this) || !(#brand in this)) illegalInvocation();
    const context = "Failed to execute 'exportKey' on 'SubtleCrypto'";
    requireArguments(arguments.length, 2, context);
    const kind = convertFormat(format, `${context}: argument 1`);
    const state = requireKey(key, `${context}: argument 2`);
    if (kind === 'spki' || kind === 'pkcs8') fail('NotSupportedError', `A key for HMAC has no format '${kind}'.`);
    if (!state.extractable) fail('InvalidAccessError', 'The key is not extractable.');
    return kind === 'jwk' ? exportJwk(state) : TypedArrayPrototypeGetBuffer(TypedArrayPrototypeSlice(state.bytes));
  }

  async generateKey(algorithm, extractable, keyUsages) {
    if (!isObject(this) || !(#brand in this)) illegalInvocation();
    const context = "Failed to execute 'generateKey' on 'SubtleCrypto'";
    requireArguments(arguments.length, 3, context);
    const parameters = readHmacParameters(requireHmac(algorithm, 'generateKey'), 'generateKey');
    const usages = readUsages(keyUsages, `${context}: argument 3`);
    checkHmacUsages(usages);
    const bits = parameters.length ?? HASHES[parameters.hash].blockBits;
    if (bits === 0) fail('OperationError', 'A key for HMAC must not be empty.');
    if (bits > 8 * 65536) fail('OperationError', 'A key for HMAC of more than 65536 bytes makes no sense.');
    const bytes = new Uint8Array(MathCeil(bits / 8));
    native.fillRandom(bytes);
    return makeHmacKey(truncate(bytes, bits), parameters.hash, !!extractable, usages);
  }

  async sign(algorithm, key, data) {
    if (!isObject(this) || !(#brand in this)) illegalInvocation();
    const context = "Failed to execute 'sign' on 'SubtleCrypto'";
    requireArguments(arguments.length, 3, context);
    requireHmac(algorithm, 'sign');
    const state = requireKey(key, `${context}: argument 2`);
    const bytes = bytesOf(convert.BufferSource(data, `${context}: argument 3`));
    requireUsage(state, 'sign');
    return TypedArrayPrototypeGetBuffer(native.hmac(state.hash, state.bytes, bytes));
  }

  async verify(algorithm, key, signature, data) {
    if (!isObject(this) || !(#brand in this)) illegalInvocation();
    const context = "Failed to execute 'verify' on 'SubtleCrypto'";
    requireArguments(arguments.length, 4, context);
    requireHmac(algorithm, 'verify');
    const state = requireKey(key, `${context}: argument 2`);
    const given = bytesOf(convert.BufferSource(signature, `${context}: argument 3`));
    const bytes = bytesOf(convert.BufferSource(data, `${context}: argument 4`));
    requireUsage(state, 'verify');
    return native.verifyHmac(state.hash, state.bytes, bytes, given);
  }

  async encrypt(algorithm) {
    return unsupported('encrypt', readAlgorithm(algorithm, 'encrypt').name);
  }

  async decrypt(algorithm) {
    return unsupported('decrypt', readAlgorithm(algorithm, 'decrypt').name);
  }

  async deriveBits(algorithm) {
    return unsupported('deriveBits', readAlgorithm(algorithm, 'deriveBits').name);
  }

  async deriveKey(algorithm) {
    return unsupported('deriveKey', readAlgorithm(algorithm, 'deriveKey').name);
  }

  async wrapKey(format, key, wrappingKey, algorithm) {
    return unsupported('wrapKey', readAlgorithm(algorithm, 'wrapKey').name);
  }

  async unwrapKey(format, wrappedKey, unwrappingKey, algorithm) {
    return unsupported('unwrapKey', readAlgorithm(algorithm, 'unwrapKey').name);
  }
}

ObjectDefineProperty(SubtleCrypto, 'length', { __proto__: null, value: 0, configurable: true });
defineEnumerable(SubtleCrypto, [
  'digest', 'importKey', 'exportKey', 'generateKey', 'sign', 'verify', 'encrypt', 'decrypt', 'deriveBits', 'deriveKey',
  'wrapKey', 'unwrapKey',
]);
setToStringTag(SubtleCrypto, 'SubtleCrypto');

exports.SubtleCrypto = SubtleCrypto;
exports.CryptoKey = CryptoKey;
exports.subtle = new SubtleCrypto(MAKE);

/** For node:crypto: the bytes and hash of an HMAC key, undefined when the value is no CryptoKey. */
exports.keyState = keyOf;

use('web/structured-clone').registerPlatformClass((value) => {
  const key = keyOf(value);
  return key === undefined ? undefined : () => new CryptoKey(MAKE, key);
});
