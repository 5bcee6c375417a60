import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import crypto, { createHash, createHmac, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';

test('digests of known inputs', () => {
  const known = {
    md5: '900150983cd24fb0d6963f7d28e17f72',
    sha1: 'a9993e364706816aba3e25717850c26c9cd0d89d',
    sha224: '23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7',
    sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  };
  for (const [name, hex] of Object.entries(known)) assertEquals(createHash(name).update('abc').digest('hex'), hex, name);
  assertEquals(createHash('SHA512').update('a').update(Buffer.from('bc')).digest().length, 64);
  assertEquals(createHash('sha256').update('YWJj', 'base64').digest('base64'), 'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=');
});

test('a digest is given once, a copy goes on', () => {
  const first = createHash('sha1').update('a');
  const second = first.copy().update('bc');
  assertEquals(second.digest('hex'), 'a9993e364706816aba3e25717850c26c9cd0d89d');
  first.digest();
  assertThrows(() => first.digest(), 'ERR_CRYPTO_HASH_FINALIZED');
  assertThrows(() => first.update('x'), 'ERR_CRYPTO_HASH_FINALIZED');
  assertThrows(() => createHash('none'));
  assertThrows(() => createHash('sha1').update(1), 'ERR_INVALID_ARG_TYPE');
});

test('HMAC (RFC 4231, test case 2)', () => {
  const signature = createHmac('sha256', 'Jefe').update('what do ya want for nothing?').digest('hex');
  assertEquals(signature, '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
});

test('random values', async () => {
  assertEquals(randomBytes(16).length, 16);
  assert(!randomBytes(16).equals(randomBytes(16)));
  const late = await new Promise((resolve, reject) => randomBytes(8, (error, bytes) => (error ? reject(error) : resolve(bytes))));
  assertEquals(late.length, 8);
  const part = Buffer.alloc(64);
  crypto.randomFillSync(part, 32);
  assert(part.subarray(0, 32).every((byte) => byte === 0) && part.subarray(32).some((byte) => byte !== 0));
  for (let index = 0; index < 200; index++) {
    const value = randomInt(-3, 3);
    assert(Number.isInteger(value) && value >= -3 && value < 3);
  }
  assertThrows(() => randomInt(3, 3), 'ERR_OUT_OF_RANGE');
  assertThrows(() => randomBytes(-1), 'ERR_OUT_OF_RANGE');
  assert(/^[0-9a-f]{8}-[0-9a-f]{4}-4/.test(crypto.randomUUID()));
});

test('comparison in constant time', () => {
  assert(timingSafeEqual(Buffer.from('abc'), new Uint8Array([97, 98, 99])));
  assert(!timingSafeEqual(Buffer.from('abc'), Buffer.from('abd')));
  assertThrows(() => timingSafeEqual(Buffer.from('a'), Buffer.from('ab')), 'ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH');
});

test('the web platform under its Node name', async () => {
  assertEquals(crypto.webcrypto.subtle, crypto.subtle);
  const digest = await crypto.subtle.digest('SHA-1', new TextEncoder().encode('abc'));
  assertEquals(Buffer.from(digest).toString('hex'), 'a9993e364706816aba3e25717850c26c9cd0d89d');
});
