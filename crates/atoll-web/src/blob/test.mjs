// Blob and File: the File API's expectations.
import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';

// Node 20 differs from the standard in places; those are not checked there.
const nodeQuirks = `${Blob}`.includes('kHandle');

test('blob: interface', () => {
  assertEquals(Blob.length, 0);
  assertEquals(File.length, 2);
  assertEquals(Object.prototype.toString.call(new Blob()), '[object Blob]');
  assertEquals(Object.prototype.toString.call(new File([], 'x')), '[object File]');
  assert(new File([], 'x') instanceof Blob);
  for (const name of ['size', 'type']) {
    assertThrows(() => Object.getOwnPropertyDescriptor(Blob.prototype, name).get.call({}), TypeError);
  }
  assertThrows(() => Blob.prototype.slice.call({}), TypeError);
  assertThrows(() => Blob.prototype.stream.call({}), TypeError);
});

test('blob: brand checks of promises', async () => {
  await assertRejects(async () => Blob.prototype.text.call({}), TypeError);
  await assertRejects(async () => Blob.prototype.arrayBuffer.call({}), TypeError);
});

test('blob: parts', async () => {
  const blob = new Blob([
    'text é', new Uint8Array([33]), new Uint16Array([0x4141]), new ArrayBuffer(0), new Blob(['inner']), 42, null, { toString: () => 'o' },
    new DataView(new Uint8Array([45, 46, 47]).buffer, 1, 1),
  ]);
  assertEquals(await blob.text(), 'text é!AAinner42nullo.');
  assertEquals(blob.size, 23);
  assertEquals(new Blob().size, 0);
  assertEquals(new Blob([]).type, '');
  assertEquals(await new Blob(new Set(['a', 'b'])).text(), 'ab');
  assertEquals(await new Blob(['\ud800']).text(), '\ufffd');
  for (const bad of [null, 'text', 1, {}, new Blob(), new Error('x')]) assertThrows(() => new Blob(bad), TypeError);
  const bytes = new Uint8Array([1]);
  const copied = new Blob([bytes]);
  bytes[0] = 2;
  assertEquals(new Uint8Array(await copied.arrayBuffer()), new Uint8Array([1]));
});

test('blob: options', async () => {
  assertEquals(new Blob([], { type: 'Text/HTML; X=Y' }).type, 'text/html; x=y');
  assertEquals(new Blob([], { type: 'a\u0080' }).type, '');
  assertEquals(new Blob([], { type: 'a\tb' }).type, '');
  assertEquals(new Blob([], { type: null }).type, 'null');
  if (!nodeQuirks) {
    assertEquals(await new Blob(['a\r\nb\rc\nd\n\r'], { endings: 'native' }).text(), 'a\nb\nc\nd\n\n');
    assertEquals(await new Blob(['a\r\nb'], { endings: 'transparent' }).text(), 'a\r\nb');
    assertThrows(() => new Blob([], { endings: 'other' }), TypeError);
  }
  assertThrows(() => new Blob([], 'x'), TypeError);
  new Blob([], null);
  new Blob([], () => {});
});

test('blob: slice', async () => {
  const blob = new Blob(['0123', '456', new Blob(['789'])], { type: 'a/b' });
  const slice = (...args) => blob.slice(...args).text();
  assertEquals(await slice(), '0123456789');
  assertEquals(await slice(2, 5), '234');
  assertEquals(await slice(-3), '789');
  assertEquals(await slice(-3, -1), '78');
  assertEquals(await slice(5, 2), '');
  assertEquals(await slice(100), '');
  assertEquals(await slice(-100, 1), '0');
  if (!nodeQuirks) {
    assertEquals(await slice(0, 2 ** 53), '0123456789');
    assertEquals(await slice(NaN, 1), '0');
    assertEquals(await slice('1', '3'), '12');
  }
  assertEquals(await blob.slice(1, 9).slice(1, 4).text(), '234');
  assertEquals(blob.slice().type, '');
  assertEquals(blob.slice(0, 1, 'X/Y').type, 'x/y');
  assertEquals(blob.slice(3, 7).size, 4);
});

test('blob: stream', async () => {
  const blob = new Blob([new Uint8Array(100_000).fill(7), 'end']);
  let size = 0;
  let chunks = 0;
  for await (const chunk of blob.stream()) {
    assert(chunk instanceof Uint8Array);
    size += chunk.byteLength;
    chunks++;
    chunk.fill(0);
  }
  assertEquals(size, 100_003);
  assert(chunks > 1);
  assertEquals(new Uint8Array(await blob.slice(0, 1).arrayBuffer()), new Uint8Array([7]));
  const reader = blob.stream().getReader({ mode: 'byob' });
  assertEquals((await reader.read(new Uint8Array(10))).value.byteLength, 10);
  await reader.cancel();
  assertEquals((await new Blob([]).stream().getReader().read()).done, true);
});

test('blob: arrayBuffer and bytes give copies', async () => {
  const blob = new Blob(['ab']);
  const first = new Uint8Array(await blob.arrayBuffer());
  first[0] = 0;
  assertEquals(await blob.text(), 'ab');
  if (blob.bytes) assertEquals(await blob.bytes(), new Uint8Array([97, 98]));
});

test('file: attributes', async () => {
  const file = new File(['x'], 'näme.txt', { type: 'Text/Plain', lastModified: nodeQuirks ? 12 : 12.9 });
  assertEquals([file.name, file.type, file.lastModified, file.size, await file.text()], ['näme.txt', 'text/plain', 12, 1, 'x']);
  const before = Date.now();
  assert(new File([], '').lastModified >= before);
  assertEquals(new File([], { toString: () => 'n' }).name, 'n');
  assertEquals(new File([], 'a/b').name, 'a/b');
  assertThrows(() => new File([]), TypeError);
  assertThrows(() => new File(), TypeError);
  assertThrows(() => new File('x', 'y'), TypeError);
  assert(!(file.slice() instanceof File));
});
