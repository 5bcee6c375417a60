import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';

const exact = globalThis.navigator?.userAgent?.startsWith('Atoll') === true;
const bytes = (...values) => new Uint8Array(values);

test('TextEncoder.encode', () => {
  const encoder = new TextEncoder();
  assertEquals(encoder.encoding, 'utf-8');
  assertEquals(encoder.encode('aü€😀'), bytes(0x61, 0xc3, 0xbc, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80));
  assertEquals(encoder.encode(), bytes());
  assertEquals(encoder.encode(undefined), bytes());
  assertEquals(encoder.encode(null), bytes(0x6e, 0x75, 0x6c, 0x6c));
  assertEquals(encoder.encode('\ud800x\udc00'), bytes(0xef, 0xbf, 0xbd, 0x78, 0xef, 0xbf, 0xbd));
  const result = encoder.encode('abc');
  assertEquals([result.byteOffset, result.buffer.byteLength], [0, 3]);
});

test('TextEncoder.encodeInto', () => {
  const encoder = new TextEncoder();
  const into = (text, size) => {
    const destination = new Uint8Array(size).fill(0xaa);
    const { read, written } = encoder.encodeInto(text, destination);
    return [read, written, ...destination];
  };
  assertEquals(into('hé', 5), [2, 3, 0x68, 0xc3, 0xa9, 0xaa, 0xaa]);
  assertEquals(into('hé', 2), [1, 1, 0x68, 0xaa]);
  assertEquals(into('😀', 3), [0, 0, 0xaa, 0xaa, 0xaa]);
  assertEquals(into('a😀', 5), [3, 5, 0x61, 0xf0, 0x9f, 0x98, 0x80]);
  assertEquals(into('\ud83d', 3), [1, 3, 0xef, 0xbf, 0xbd]);
  assertEquals(into('aaa😀', 4).slice(0, 2), [3, 3]);
  assertEquals(into('x'.repeat(100), 4).slice(0, 2), [4, 4]);
  assertEquals(into('', 1), [0, 0, 0xaa]);
  const view = new Uint8Array(new ArrayBuffer(8), 2, 3);
  assertEquals(encoder.encodeInto('abcd', view), { read: 3, written: 3 });
  assertEquals([...new Uint8Array(view.buffer)], [0, 0, 0x61, 0x62, 0x63, 0, 0, 0]);
  assertThrows(() => encoder.encodeInto('x', new Uint16Array(2)), TypeError);
  assertThrows(() => encoder.encodeInto('x', new ArrayBuffer(2)), TypeError);
  assertThrows(() => encoder.encodeInto('x'), TypeError);
});

test('detached buffers hold nothing', () => {
  const array = new Uint8Array(8);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  assertEquals(new TextEncoder().encodeInto('abc', array), { read: 0, written: 0 });
  assertEquals(new TextDecoder().decode(array), '');
});

test('TextDecoder: UTF-8', () => {
  const decoder = new TextDecoder();
  assertEquals([decoder.encoding, decoder.fatal, decoder.ignoreBOM], ['utf-8', false, false]);
  assertEquals(decoder.decode(new TextEncoder().encode('aü€😀')), 'aü€😀');
  assertEquals(decoder.decode(), '');
  assertEquals(decoder.decode(bytes(0xef, 0xbb, 0xbf, 0x61)), 'a');
  assertEquals(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes(0xef, 0xbb, 0xbf, 0x61)), '\ufeffa');
  assertEquals(decoder.decode(bytes(0x61, 0xff, 0x62, 0xe2, 0x82)), 'a\ufffdb\ufffd');
  assertEquals(decoder.decode(bytes(0xed, 0xa0, 0x80, 0xc0, 0x80)), '\ufffd\ufffd\ufffd\ufffd\ufffd');
  assertEquals(decoder.decode(bytes(0xf0, 0x9f, 0x98)), '\ufffd');
});

test('TextDecoder: sources', () => {
  const decoder = new TextDecoder();
  const buffer = bytes(0x61, 0x62, 0x63, 0x64).buffer;
  assertEquals(decoder.decode(buffer), 'abcd');
  assertEquals(decoder.decode(new DataView(buffer, 1, 2)), 'bc');
  assertEquals(decoder.decode(new Uint16Array(buffer, 2, 1)), 'cd');
  for (const value of [null, 'text', 12, {}, [1]]) assertThrows(() => decoder.decode(value), TypeError);
});

test('TextDecoder: fatal', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  assertEquals(decoder.fatal, true);
  for (const input of [[0xff], [0xc0, 0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf8], [0x80]]) {
    assertThrows(() => decoder.decode(bytes(...input)), TypeError);
  }
  assertEquals(decoder.decode(bytes(0x61)), 'a');
});

test('TextDecoder: a stream cut anywhere', () => {
  const text = 'aü€😀\u{10ffff}';
  const input = new TextEncoder().encode(`\ufeff${text}`);
  for (let cut = 0; cut <= input.length; cut++) {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const first = decoder.decode(input.subarray(0, cut), { stream: true });
    assertEquals(first + decoder.decode(input.subarray(cut)), text, `cut at ${cut}`);
  }
  const decoder = new TextDecoder();
  let out = '';
  for (const byte of input) out += decoder.decode(bytes(byte), { stream: true });
  assertEquals(out + decoder.decode(), text);
  assertEquals(decoder.decode(bytes(0xef, 0xbb, 0xbf, 0x78)), 'x', 'the next stream has its own byte order mark');
});

test('TextDecoder: errors in a stream', () => {
  const decoder = new TextDecoder();
  assertEquals(decoder.decode(bytes(0xe2, 0x82), { stream: true }), '');
  assertEquals(decoder.decode(bytes(0x41), { stream: true }), '\ufffdA');
  assertEquals(decoder.decode(bytes(0xf0), { stream: true }), '');
  assertEquals(decoder.decode(), '\ufffd');
  const fatal = new TextDecoder('utf-8', { fatal: true });
  fatal.decode(bytes(0xe2), { stream: true });
  assertThrows(() => fatal.decode(), TypeError);
  assertEquals(fatal.decode(bytes(0x61)), 'a');
});

test('labels', () => {
  const cases = {
    'UTF8': 'utf-8', '  unicode-1-1-utf-8\n': 'utf-8', 'latin1': 'windows-1252', 'ascii': 'windows-1252', 'iso-8859-1': 'windows-1252',
    'utf-16': 'utf-16le', 'UTF-16BE': 'utf-16be', 'sjis': 'shift_jis', 'gb2312': 'gbk', 'gb18030': 'gb18030', 'big5-hkscs': 'big5',
    'euc-kr': 'euc-kr', 'korean': 'euc-kr', 'euc-jp': 'euc-jp', 'iso-2022-jp': 'iso-2022-jp', 'koi8-r': 'koi8-r', 'cp1251': 'windows-1251',
    'macintosh': 'macintosh',
  };
  for (const [label, name] of Object.entries(cases)) assertEquals(new TextDecoder(label).encoding, name, label);
  if (exact) assertEquals(new TextDecoder('x-user-defined').encoding, 'x-user-defined');
  for (const label of ['utf-7', '', 'replacement', 'hz-gb-2312', 'utf-8\0', '\u00a0utf-8', 'utf-32']) {
    assertThrows(() => new TextDecoder(label), RangeError);
  }
  assertThrows(() => new TextDecoder('utf-8', 1), TypeError);
});

test('legacy encodings', () => {
  const decode = (label, ...values) => new TextDecoder(label).decode(bytes(...values));
  if (exact) assertEquals(decode('windows-1252', 0x80, 0x9f, 0xe4), '€Ÿä');
  assertEquals(decode('iso-8859-2', 0xb1), 'ą');
  assertEquals(decode('koi8-r', 0xc1), 'а');
  assertEquals(decode('shift_jis', 0x82, 0xa0), 'あ');
  assertEquals(decode('euc-jp', 0xa4, 0xa2), 'あ');
  assertEquals(decode('gbk', 0xc4, 0xe3), '你');
  assertEquals(decode('big5', 0xa7, 0x41), '你');
  assertEquals(decode('euc-kr', 0xb0, 0xa1), '가');
  assertEquals(decode('utf-16le', 0x3d, 0xd8, 0x00, 0xde, 0x41, 0x00), '😀A');
  assertEquals(decode('utf-16be', 0xfe, 0xff, 0x00, 0x41), 'A');
  assertEquals(decode('utf-16le', 0x00, 0xd8, 0x41, 0x00), '\ufffdA');
});

test('legacy encodings in streams', () => {
  const decoder = new TextDecoder('utf-16le');
  const input = bytes(0xff, 0xfe, 0x3d, 0xd8, 0x00, 0xde, 0x41, 0x00);
  let out = '';
  for (const byte of input) out += decoder.decode(bytes(byte), { stream: true });
  assertEquals(out + decoder.decode(), '😀A');
  const japanese = new TextDecoder('shift_jis');
  assertEquals(japanese.decode(bytes(0x82), { stream: true }), '');
  assertEquals(japanese.decode(bytes(0xa0)), 'あ');
  const fatal = new TextDecoder('euc-kr', { fatal: true });
  fatal.decode(bytes(0xb0), { stream: true });
  assertThrows(() => fatal.decode(bytes(0x20), { stream: true }), TypeError);
  if (exact) assertEquals(fatal.decode(bytes(0xb0, 0xa1)), '가');
});

test('many abandoned decoders', () => {
  for (let index = 0; index < 1000; index++) new TextDecoder('gbk').decode(bytes(0xc4), { stream: true });
  assertEquals(new TextDecoder('gbk').decode(bytes(0xc4, 0xe3)), '你');
});

test('receivers', () => {
  assertThrows(() => TextEncoder(), TypeError);
  assertThrows(() => Reflect.get(TextDecoder.prototype, 'fatal', {}), TypeError);
  assertThrows(() => TextDecoder.prototype.decode.call({}), TypeError);
  assertEquals(Object.prototype.toString.call(new TextDecoder()), '[object TextDecoder]');
});

const collect = async (readable) => {
  const chunks = [];
  for await (const chunk of readable) chunks.push(chunk);
  return chunks;
};
const feed = async (transform, chunks) => {
  const writer = transform.writable.getWriter();
  const done = collect(transform.readable);
  for (const chunk of chunks) writer.write(chunk).catch(() => {});
  writer.close().catch(() => {});
  return done;
};

test('TextEncoderStream joins surrogate pairs', async () => {
  const stream = new TextEncoderStream();
  assertEquals(stream.encoding, 'utf-8');
  const chunks = await feed(stream, ['a\ud83d', '\ude00', '', '\ud83d', 'x', '\ud800']);
  assertEquals(new TextDecoder().decode(bytes(...chunks.flatMap((chunk) => [...chunk]))), 'a😀\ufffdx\ufffd');
});

test('TextDecoderStream joins cut characters', async () => {
  const stream = new TextDecoderStream();
  assertEquals([stream.encoding, stream.fatal, stream.ignoreBOM], ['utf-8', false, false]);
  const chunks = await feed(stream, [bytes(0xf0, 0x9f), bytes(), bytes(0x98, 0x80, 0x61), bytes(0xe2)]);
  assertEquals(chunks.join(''), '😀a\ufffd');
  assert(chunks.every((chunk) => chunk !== ''));
  await assertRejects(() => feed(new TextDecoderStream('utf-8', { fatal: true }), [bytes(0xff)]), TypeError);
  await assertRejects(() => feed(new TextDecoderStream(), ['text']), TypeError);
});

test('huge input', () => {
  const text = 'ü'.repeat(1 << 20);
  const encoded = new TextEncoder().encode(text);
  assertEquals(encoded.length, 1 << 21);
  assertEquals(new TextDecoder().decode(encoded) === text, true);
});
