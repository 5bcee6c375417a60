import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';

const { subtle } = crypto;
const utf8 = (text) => new TextEncoder().encode(text);
const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const exact = globalThis.navigator?.userAgent?.startsWith('Atoll') === true;

test('getRandomValues fills integer arrays and returns them', () => {
  for (const Class of [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array, BigUint64Array]) {
    const array = new Class(32);
    assert(crypto.getRandomValues(array) === array);
    assert(array.some((value) => value != 0), Class.name);
  }
  const buffer = new ArrayBuffer(48);
  crypto.getRandomValues(new Uint8Array(buffer, 16, 16));
  assertEquals([...new Uint8Array(buffer, 0, 16), ...new Uint8Array(buffer, 32)].every((byte) => byte === 0), true);
  assertEquals(crypto.getRandomValues(new Uint8Array(0)).length, 0);
  assertEquals(crypto.getRandomValues(new Uint8Array(65536)).length, 65536);
});

test('getRandomValues refuses the rest', () => {
  assertThrows(() => crypto.getRandomValues(new Float32Array(1)), 'TypeMismatchError');
  assertThrows(() => crypto.getRandomValues(new Float64Array(1)), 'TypeMismatchError');
  assertThrows(() => crypto.getRandomValues(new DataView(new ArrayBuffer(1))), 'TypeMismatchError');
  const error = assertThrows(() => crypto.getRandomValues(new Uint8Array(65537)), 'QuotaExceededError');
  assertEquals(error.code, 22);
  assertThrows(() => crypto.getRandomValues(new Uint32Array(16385)), 'QuotaExceededError');
  for (const value of [undefined, null, 5, {}, []]) assertThrows(() => crypto.getRandomValues(value), Error);
  assertThrows(() => crypto.getRandomValues(), Error);
});

test('randomUUID', () => {
  const seen = new Set();
  for (let index = 0; index < 500; index++) {
    const uuid = crypto.randomUUID();
    assert(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(uuid), uuid);
    seen.add(uuid);
  }
  assertEquals(seen.size, 500);
});

test('digest', async () => {
  const cases = {
    'SHA-1': 'a9993e364706816aba3e25717850c26c9cd0d89d',
    'sha-256': 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    'SHA-384': 'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
    'Sha-512': 'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  };
  for (const [name, expected] of Object.entries(cases)) {
    const digest = await subtle.digest(name, utf8('abc'));
    assert(digest instanceof ArrayBuffer);
    assertEquals(hex(digest), expected);
    assertEquals(hex(await subtle.digest({ name }, utf8('abc').buffer)), expected);
  }
  const view = new DataView(utf8('xabcx').buffer, 1, 3);
  assertEquals(hex(await subtle.digest('SHA-1', view)), cases['SHA-1']);
});

test('digest takes the data as it is when called', async () => {
  const data = utf8('abc');
  const promise = subtle.digest('SHA-256', data);
  data.fill(0);
  assert(hex(await promise).startsWith('ba7816bf'));
  const large = new Uint8Array(1 << 20).fill(7);
  const pending = subtle.digest('SHA-256', large);
  large.fill(0);
  assertEquals(hex(await pending), hex(await subtle.digest('SHA-256', new Uint8Array(1 << 20).fill(7))));
});

test('digest refuses by rejecting', async () => {
  await assertRejects(() => subtle.digest('MD5', utf8('')), 'NotSupportedError');
  await assertRejects(() => subtle.digest('SHA-257', utf8('')), 'NotSupportedError');
  await assertRejects(() => subtle.digest({}, utf8('')), TypeError);
  await assertRejects(() => subtle.digest('SHA-256', 'text'), TypeError);
  await assertRejects(() => subtle.digest('SHA-256'), TypeError);
  await assertRejects(() => SubtleCrypto.prototype.digest.call({}, 'SHA-256', utf8('')), TypeError);
});

const importHmac = (bytes, hash = 'SHA-256', usages = ['sign', 'verify'], extractable = true) =>
  subtle.importKey('raw', bytes, { name: 'HMAC', hash }, extractable, usages);

test('HMAC: sign and verify', async () => {
  const key = await importHmac(utf8('Jefe'));
  const data = utf8('what do ya want for nothing?');
  const signature = await subtle.sign('HMAC', key, data);
  assertEquals(hex(signature), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
  assertEquals(await subtle.verify({ name: 'hmac' }, key, signature, data), true);
  const wrong = new Uint8Array(signature.slice());
  wrong[31] ^= 1;
  assertEquals(await subtle.verify('HMAC', key, wrong, data), false);
  assertEquals(await subtle.verify('HMAC', key, signature.slice(0, 31), data), false);
  assertEquals(await subtle.verify('HMAC', key, new Uint8Array(0), data), false);
  const sha512 = await importHmac(utf8('Jefe'), { name: 'SHA-512' });
  assert(hex(await subtle.sign('HMAC', sha512, data)).startsWith('164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554'));
});

test('HMAC: keys', async () => {
  const key = await importHmac(utf8('secret'), 'SHA-384', exact ? ['sign', 'sign'] : ['sign'], false);
  assertEquals([key.type, key.extractable, key.usages], ['secret', false, ['sign']]);
  assertEquals(key.algorithm, { name: 'HMAC', length: 48, hash: { name: 'SHA-384' } });
  assertEquals(Object.prototype.toString.call(key), '[object CryptoKey]');
  if (exact) await assertRejects(() => subtle.exportKey('raw', key), 'InvalidAccessError');
  if (exact) await assertRejects(() => subtle.verify('HMAC', key, new Uint8Array(48), utf8('')), 'InvalidAccessError');
  await assertRejects(() => importHmac(utf8('x'), 'SHA-256', ['encrypt']), 'SyntaxError');
  await assertRejects(() => importHmac(utf8('x'), 'SHA-256', []), 'SyntaxError');
  await assertRejects(() => importHmac(utf8(''), 'SHA-256'), 'DataError');
  await assertRejects(() => importHmac(utf8('x'), 'SHA-256', ['bake']), TypeError);
  await assertRejects(() => subtle.importKey('raw', utf8('x'), 'HMAC', true, ['sign']), Error);
  assertThrows(() => new CryptoKey(), TypeError);
  assertThrows(() => new SubtleCrypto(), TypeError);
});

if (exact) test('a guest cannot widen what a key allows', async () => {
  const key = await importHmac(utf8('x'), 'SHA-256', ['verify'], false);
  try {
    key.usages.push('sign');
    key.algorithm.hash.name = 'SHA-1';
  } catch {
    // Frozen is fine, too.
  }
  await assertRejects(() => subtle.sign('HMAC', key, utf8('')), 'InvalidAccessError');
});

test('HMAC: JSON web keys', async () => {
  const bytes = new Uint8Array([0, 255, 254, 62, 63, 251, 1]);
  const jwk = await subtle.exportKey('jwk', await importHmac(bytes));
  assertEquals([jwk.kty, jwk.alg, jwk.ext, jwk.k], ['oct', 'HS256', true, 'AP_-Pj_7AQ']);
  assertEquals([...jwk.key_ops].sort(), ['sign', 'verify']);
  const key = await subtle.importKey('jwk', jwk, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']);
  assertEquals(new Uint8Array(await subtle.exportKey('raw', key)), bytes);
  const again = (changes, extractable = false) =>
    subtle.importKey('jwk', { ...jwk, ...changes }, { name: 'HMAC', hash: 'SHA-256' }, extractable, ['sign']);
  await assertRejects(() => again({ kty: 'RSA' }), 'DataError');
  await assertRejects(() => again({ alg: 'HS512' }), 'DataError');
  await assertRejects(() => again({ use: 'enc' }), 'DataError');
  await assertRejects(() => again({ key_ops: ['verify'] }), 'DataError');
  await assertRejects(() => again({ ext: false }, true), 'DataError');
  await assertRejects(() => again({ k: undefined }), 'DataError');
  if (exact) await assertRejects(() => again({ k: 'a b+' }), 'DataError');
});

test('HMAC: generateKey', async () => {
  const key = await subtle.generateKey({ name: 'HMAC', hash: 'SHA-512' }, true, ['sign', 'verify']);
  assertEquals(key.algorithm.length, 1024);
  assertEquals((await subtle.exportKey('raw', key)).byteLength, 128);
  const short = await subtle.generateKey({ name: 'HMAC', hash: 'SHA-1', length: 128 }, true, ['sign']);
  assertEquals((await subtle.exportKey('raw', short)).byteLength, 16);
  await assertRejects(() => subtle.generateKey({ name: 'HMAC', hash: 'SHA-1' }, true, []), 'SyntaxError');
});

if (exact) {
  test('what is not there says its name', async () => {
    await assertRejects(() => subtle.encrypt({ name: 'AES-GCM' }, {}, utf8('')), 'NotSupportedError', 'AES-GCM');
    await assertRejects(() => subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']), 'NotSupportedError', 'ECDSA');
    await assertRejects(() => subtle.deriveBits({ name: 'PBKDF2' }, {}, 8), 'NotSupportedError', 'PBKDF2');
  });
}
