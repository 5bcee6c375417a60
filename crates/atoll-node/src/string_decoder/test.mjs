import { test, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import { StringDecoder } from 'node:string_decoder';

function pieces(encoding, buffer, size) {
  const decoder = new StringDecoder(encoding);
  const texts = [];
  for (let at = 0; at < buffer.length; at += size) texts.push(decoder.write(buffer.subarray(at, at + size)));
  texts.push(decoder.end());
  return texts;
}

test('characters that are split come whole', () => {
  assertEquals(pieces('utf8', Buffer.from('€😀'), 1), ['', '', '€', '', '', '', '😀', '']);
  assertEquals(pieces('utf16le', Buffer.from('a😀', 'utf16le'), 1).join(''), 'a😀');
  assertEquals(pieces('base64', Buffer.from('abcd'), 2), ['', 'YWJj', 'ZA==']);
  assertEquals(pieces('hex', Buffer.from('ab'), 1), ['61', '62', '']);
  for (const size of [1, 2, 3, 5]) {
    const text = 'grün — 你好 🎉'.repeat(5);
    for (const encoding of ['utf8', 'utf16le', 'latin1']) {
      assertEquals(
        pieces(encoding, Buffer.from(text, encoding), size).join(''),
        Buffer.from(text, encoding).toString(encoding),
        `${encoding} ${size}`,
      );
    }
  }
});

test('what never gets complete', () => {
  assertEquals(pieces('utf8', Buffer.from([0xe2, 0x82]), 1), ['', '', '\ufffd']);
  assertEquals(pieces('utf8', Buffer.from([0x61, 0xff, 0x62]), 3), ['a\ufffdb', '']);
  const decoder = new StringDecoder();
  decoder.write(Buffer.from([0xf0, 0x9f]));
  assertEquals([decoder.lastNeed, decoder.lastTotal], [2, 4]);
  assertEquals([decoder.end(), decoder.write(Buffer.from('x')), decoder.encoding], ['\ufffd', 'x', 'utf8']);
});

test('arguments are checked', () => {
  assertThrows(() => new StringDecoder('nope'), 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: nope');
  assertThrows(() => new StringDecoder().write(5), 'ERR_INVALID_ARG_TYPE');
});

test('bytes that begin no character are not waited for', () => {
  for (const bytes of [[0xff], [0xf8], [0xe2, 0xff]]) {
    const decoder = new StringDecoder('utf8');
    assertEquals(decoder.write(Buffer.from(bytes)), '\ufffd'.repeat(bytes.length));
    assertEquals(decoder.end(), '');
  }
  const decoder = new StringDecoder('utf8');
  assertEquals(decoder.write(Buffer.from([0x41, 0xf7])) + decoder.end(), 'A\ufffd');
});
