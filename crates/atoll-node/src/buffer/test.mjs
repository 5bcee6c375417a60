import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import buffer, { Buffer, constants, isAscii, isUtf8, transcode } from 'node:buffer';
import { inspect } from 'node:util';

const bytes = (value) => [...value];

test('Buffer is a global and a Uint8Array', () => {
  assert(globalThis.Buffer === Buffer && buffer.Buffer === Buffer);
  assert(
    Buffer.from('x') instanceof Uint8Array && Buffer.isBuffer(Buffer.from('x')) && !Buffer.isBuffer(new Uint8Array()),
  );
  assert(Buffer.alloc(2).map((x) => x) instanceof Buffer);
  assert(constants.MAX_LENGTH > 2 ** 30 && buffer.kStringMaxLength > 2 ** 28);
});

test('strings in every encoding', () => {
  const cases = {
    utf8: ['héé€😀', [104, 195, 169, 195, 169, 226, 130, 172, 240, 159, 152, 128]],
    latin1: ['hé', [104, 233]],
    ascii: ['abc', [97, 98, 99]],
    utf16le: ['a€', [97, 0, 172, 32]],
    hex: ['00ffab', [0, 255, 171]],
    base64: ['aGk/+w==', [104, 105, 63, 251]],
    base64url: ['aGk_-w', [104, 105, 63, 251]],
  };
  for (const [encoding, [text, expected]] of Object.entries(cases)) {
    assertEquals(bytes(Buffer.from(text, encoding)), expected, encoding);
    assertEquals(Buffer.from(expected).toString(encoding), text, encoding);
    assertEquals(Buffer.byteLength(text, encoding), expected.length, encoding);
    assert(Buffer.isEncoding(encoding.toUpperCase()));
  }
  assertThrows(() => Buffer.from('x', 'nope'), 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: nope');
  const large = 'aé😀'.repeat(20000);
  for (const encoding of ['utf8', 'utf16le', 'base64url']) {
    if (encoding === 'base64url')
      assertEquals(Buffer.from(Buffer.from(large).toString(encoding), encoding).toString(), large);
    else assertEquals(Buffer.from(large, encoding).toString(encoding), large);
  }
});

test('malformed text', () => {
  assertEquals(bytes(Buffer.from('a\ud800b')), [97, 239, 191, 189, 98]);
  assertEquals(Buffer.from([0x61, 0xff, 0xe2, 0x82, 0x62]).toString(), 'a\ufffd\ufffdb');
  assertEquals(Buffer.from('a\ud800', 'utf16le').toString('utf16le'), 'a\ud800');
  assertEquals(bytes(Buffer.from('YQ== YWI', 'base64')), [97]);
  assertEquals(bytes(Buffer.from('YW\nJj!', 'base64')), [97, 98, 99]);
  assertEquals(bytes(Buffer.from('abxx', 'hex')), [0xab]);
});

test('from other values', () => {
  const memory = new Uint8Array([1, 2, 3, 4]);
  const view = Buffer.from(memory.buffer, 1, 2);
  view[0] = 9;
  assertEquals(bytes(memory), [1, 9, 3, 4]);
  const copy = Buffer.from(memory);
  copy[0] = 7;
  assertEquals(memory[0], 1);
  assertEquals(bytes(Buffer.from([257, -1, 1.9, '5'])), [1, 255, 1, 5]);
  assertEquals(bytes(Buffer.from({ type: 'Buffer', data: [1, 2] })), [1, 2]);
  assertEquals(Buffer.from(new String('boxed')).toString(), 'boxed');
  assertEquals(bytes(Buffer.copyBytesFrom(new Uint16Array([1, 256]), 1)), [0, 1]);
  assertThrows(() => Buffer.from(memory.buffer, 5), 'ERR_BUFFER_OUT_OF_BOUNDS', '"offset" is outside of buffer bounds');
  assertThrows(() => Buffer.from(null), 'ERR_INVALID_ARG_TYPE');
});

test('alloc, fill, write', () => {
  assertEquals(bytes(Buffer.alloc(5, 'ab')), [97, 98, 97, 98, 97]);
  assertEquals(bytes(Buffer.alloc(3, 0x1ff)), [255, 255, 255]);
  assertEquals(bytes(Buffer.alloc(4).fill('1234', 'hex')), [0x12, 0x34, 0x12, 0x34]);
  assertEquals(bytes(Buffer.alloc(4).fill('x', 1, 3)), [0, 120, 120, 0]);
  const target = Buffer.alloc(6);
  assertEquals([target.write('€€€', 1), bytes(target)], [3, [0, 226, 130, 172, 0, 0]]);
  assertEquals([target.write('ff', 4, 'hex'), target[4]], [1, 255]);
  assertEquals(Buffer.allocUnsafe(10).length, 10);
});

test('slices share memory; copies do not', () => {
  const all = Buffer.from('abcdef');
  const part = all.subarray(1, -1);
  part[0] = 88;
  assertEquals([all.toString(), part.toString(), all.slice(-2).toString()], ['aXcdef', 'Xcde', 'ef']);
  const target = Buffer.alloc(3);
  assertEquals([all.copy(target, 1, 2), target.toString('latin1')], [2, '\0cd']);
  all.copy(all, 1, 0, 3);
  assertEquals(all.toString(), 'aaXcef');
  assertEquals(Buffer.concat([Buffer.from('a'), new Uint8Array([98]), Buffer.from('cd')], 3).toString(), 'abc');
  assertEquals(bytes(Buffer.concat([Buffer.from('a')], 3)), [97, 0, 0]);
});

test('compare and search', () => {
  const text = Buffer.from('abcabc€');
  assertEquals(
    [text.indexOf('bc'), text.indexOf('bc', 2), text.lastIndexOf('bc'), text.lastIndexOf('bc', 3), text.indexOf('x')],
    [1, 4, 4, 1, -1],
  );
  assertEquals(
    [
      text.indexOf(99),
      text.includes('€'),
      text.indexOf(Buffer.from('ca')),
      text.indexOf('', 3),
      text.indexOf('bc', -5),
    ],
    [2, true, 2, 3, 4],
  );
  assertEquals(
    [Buffer.from('aéb', 'utf16le').indexOf('é', 0, 'utf16le'), Buffer.from([0, 97, 0, 98]).indexOf('a', 0, 'utf16le')],
    [2, -1],
  );
  assertEquals(
    [
      Buffer.compare(Buffer.from('a'), Buffer.from('b')),
      Buffer.from('b').compare(Buffer.from('ab'), 1),
      text.equals(Buffer.from('abcabc€')),
    ],
    [-1, 0, true],
  );
});

test('numbers', () => {
  const b = Buffer.alloc(8);
  const round = (kind, value, ...rest) => {
    b[`write${kind}`](value, 0, ...rest);
    return b[`read${kind}`](0, ...rest);
  };
  for (const order of ['LE', 'BE']) {
    assertEquals(
      [
        round(`UInt16${order}`, 65535),
        round(`Int16${order}`, -2),
        round(`UInt32${order}`, 4294967295),
        round(`Int32${order}`, -5),
      ],
      [65535, -2, 4294967295, -5],
    );
    assertEquals(
      [round(`UInt${order}`, 2 ** 47 + 1, 6), round(`Int${order}`, -(2 ** 40), 6), round(`UInt${order}`, 70000, 3)],
      [2 ** 47 + 1, -(2 ** 40), 70000],
    );
    assertEquals(
      [
        round(`Float${order}`, 1.5),
        round(`Double${order}`, Math.PI),
        round(`BigInt64${order}`, -3n),
        round(`BigUInt64${order}`, 2n ** 64n - 1n),
      ],
      [1.5, Math.PI, -3n, 2n ** 64n - 1n],
    );
  }
  assertEquals(bytes(Buffer.from([1, 2, 3, 4]).swap16()), [2, 1, 4, 3]);
  assertEquals(Buffer.from([1, 2, 3, 4]).readUint32BE(), 0x01020304);
  assertThrows(
    () => b.readUInt16LE(7),
    'ERR_OUT_OF_RANGE',
    'The value of "offset" is out of range. It must be >= 0 and <= 6. Received 7',
  );
  assertThrows(() => Buffer.alloc(1).readUInt16LE(), 'ERR_BUFFER_OUT_OF_BOUNDS');
  assertThrows(() => Buffer.alloc(3).swap16(), 'ERR_INVALID_BUFFER_SIZE');
});

test('showing', () => {
  assertEquals(JSON.stringify(Buffer.from('hi')), '{"type":"Buffer","data":[104,105]}');
  assertEquals(inspect(Buffer.from('hi')), '<Buffer 68 69>');
  assertEquals(inspect(Object.assign(Buffer.alloc(51), { k: 1 })), `<Buffer ${'00 '.repeat(50)}... 1 more byte, k: 1>`);
});

test('checks and transcoding', () => {
  assertEquals(
    [isUtf8(Buffer.from('é')), isUtf8(Buffer.from([0xff])), isAscii(Buffer.from('a')), isAscii(Buffer.from('é'))],
    [true, false, true, false],
  );
  assertEquals(transcode(Buffer.from('€é'), 'utf8', 'latin1').toString('latin1'), '?é');
});
