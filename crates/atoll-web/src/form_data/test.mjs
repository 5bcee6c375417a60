// FormData and multipart/form-data.
import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';

// Node 20 differs from the standard in places; those are not checked there.
const nodeQuirks = `${FormData}`.includes('webidl');

const parse = (text, boundary = 'b') =>
  new Response(text, { headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } }).formData();
const part = (disposition, content, extra = '') => `--b\r\nContent-Disposition: ${disposition}\r\n${extra}\r\n${content}\r\n`;

test('form: interface', () => {
  if (!nodeQuirks) assertEquals(FormData.length, 0);
  assertEquals(Object.prototype.toString.call(new FormData()), '[object FormData]');
  assert(FormData.prototype[Symbol.iterator] === FormData.prototype.entries);
  assertEquals(FormData.prototype.append.length, 2);
  assertThrows(() => new FormData({}), TypeError);
  assertThrows(() => new FormData(null), TypeError);
  new FormData(undefined);
  for (const name of ['append', 'get', 'entries']) assertThrows(() => FormData.prototype[name].call({}, 'a', 'b'), TypeError);
  assertThrows(() => new FormData().append('a'), TypeError);
  assertThrows(() => new FormData().get(), TypeError);
});

test('form: append, set, get, delete, has', () => {
  const form = new FormData();
  form.append('a', '1');
  form.append('b', 2);
  form.append('a', '3');
  assertEquals([...form], [['a', '1'], ['b', '2'], ['a', '3']]);
  assertEquals([form.get('a'), form.get('x'), form.getAll('a'), form.getAll('x')], ['1', null, ['1', '3'], []]);
  form.set('a', 'new');
  assertEquals([...form], [['a', 'new'], ['b', '2']]);
  form.set('c', 'last');
  assertEquals([...form.keys()], ['a', 'b', 'c']);
  assertEquals([...form.values()], ['new', '2', 'last']);
  assertEquals([form.has('b'), form.delete('b'), form.has('b')], [true, undefined, false]);
  form.append('\ud800', '\udfff');
  assertEquals([...form].at(-1), ['\ufffd', '\ufffd']);
});

test('form: blobs become files', async () => {
  const form = new FormData();
  form.append('blob', new Blob(['x'], { type: 'a/b' }));
  form.append('named', new Blob(['y']), 'given.txt');
  const file = new File(['z'], 'own.txt', { lastModified: 5 });
  form.append('file', file);
  form.append('renamed', file, 'other.txt');
  assertEquals(form.getAll('blob').map((entry) => [entry instanceof File, entry.name, entry.type]), [[true, 'blob', 'a/b']]);
  assertEquals(form.get('named').name, 'given.txt');
  assert(form.get('file') === file);
  assertEquals([form.get('renamed').name, await form.get('renamed').text()], ['other.txt', 'z']);
  assertThrows(() => form.append('x', 'text', 'name'), TypeError);
  assertThrows(() => form.set('x', {}, 'name'), TypeError);
});

test('form: iteration is live', () => {
  const form = new FormData();
  form.append('a', '1');
  const seen = [];
  for (const [name] of form) {
    seen.push(name);
    if (seen.length < 3) form.append(`n${seen.length}`, 'x');
  }
  assertEquals(seen, ['a', 'n1', 'n2']);
  const calls = [];
  form.forEach(function (value, name, object) {
    calls.push([this, value, name, object === form]);
  }, 7);
  assertEquals(calls.length, 3);
});

test('form: serialised as the standard says', async () => {
  const form = new FormData();
  form.append('plain', 'a\nb\rc\r\nd');
  form.append('quo"te\r\n', 'v');
  form.append('file', new File(['content'], 'f"i\nle.txt', { type: 'text/x' }));
  form.append('untyped', new File([''], 'u'));
  const response = new Response(form);
  const type = response.headers.get('content-type');
  const [, boundary] = /^multipart\/form-data; boundary=([\w-]+)$/.exec(type);
  const text = await response.text();
  const lines = [
    `--${boundary}`, 'Content-Disposition: form-data; name="plain"', '', 'a', 'b', 'c', 'd',
    `--${boundary}`, 'Content-Disposition: form-data; name="quo%22te%0D%0A"', '', 'v',
    `--${boundary}`, 'Content-Disposition: form-data; name="file"; filename="f%22i%0Ale.txt"', 'Content-Type: text/x', '', 'content',
    `--${boundary}`, 'Content-Disposition: form-data; name="untyped"; filename="u"', 'Content-Type: application/octet-stream', '', '',
    `--${boundary}--`, '',
  ];
  if (!nodeQuirks) assertEquals(text, lines.join('\r\n'));
  const other = new Response(new FormData()).headers.get('content-type');
  assert(other !== type);
});

test('form: round trip', async () => {
  const form = new FormData();
  form.append('', '');
  form.append('é', 'line\r\n--not-a-boundary\r\n');
  form.append('bin', new Blob([new Uint8Array([0, 13, 10, 45, 45, 255])]));
  const back = await new Response(form).formData();
  assertEquals([...back].slice(0, 2), [['', ''], ['é', 'line\r\n--not-a-boundary\r\n']]);
  assertEquals(new Uint8Array(await back.get('bin').arrayBuffer()), new Uint8Array([0, 13, 10, 45, 45, 255]));
  assertEquals([...(await new Response(new FormData()).formData())], []);
});

test('form: parses what clients send', async () => {
  const one = await parse(`${part('form-data; name="a"', '1')}--b--\r\n`);
  assertEquals([...one], [['a', '1']]);
  assertEquals([...(await parse('--b--'))], []);
  assertEquals([...(await parse(`${part('form-data; name="a"', '')}--b--`))], [['a', '']]);
  if (nodeQuirks) return;
  assertEquals([...(await parse(`${part('Form-Data; name=a', 'x')}--b--`))], [['a', 'x']]);
  assertEquals([...(await parse(`preamble\r\n${part('form-data; name="a"', '1')}--b--\r\nepilogue`))], [['a', '1']]);
  assertEquals([...(await parse(`--b  \r\ncontent-disposition: form-data ; name="a"\r\n\r\n1\r\n--b--`))], [['a', '1']]);
  const quoted = await parse(`${part('form-data; name="a%22b%0d%0Ac%41"', '1')}--b--`);
  assertEquals([...quoted.keys()], ['a"b\r\nc%41']);
  const file = (await parse(`${part('form-data; name="f"; filename="C:\\dir\\x.txt"', 'data', 'Content-Type: Image/Png\r\nX-Other: y\r\n')}--b--`)).get('f');
  assertEquals([file.name, file.type, await file.text()], ['C:\\dir\\x.txt', 'Image/Png', 'data']);
  const untyped = (await parse(`${part('form-data; filename="x"; name="f"', 'data')}--b--`)).get('f');
  assertEquals(untyped.type, 'text/plain');
  const empty = (await parse(`${part('form-data; name="f"; filename=""', '')}--b--`)).get('f');
  assertEquals([empty instanceof File, empty.name, empty.size], [true, '', 0]);
  assertEquals([...(await parse(`${part('form-data; name="a"', '\ufeffx')}--b--`))], [['a', '\ufeffx']]);
});

test('form: malformed bodies are TypeErrors', async () => {
  for (const body of [
    '', 'x', '--b', '--b\r\n', '--bx--', `${part('form-data; name="a"', '1')}`, part('form-data; name="a"', '1').slice(0, -2),
    `${part('form-data', '1')}--b--`, `${part('attachment; name="a"', '1')}--b--`, `--b\r\n\r\n1\r\n--b--`, `--b\r\nbroken\r\n\r\n1\r\n--b--`,
    `${part('form-data; name="a', '1')}--b--`, `--b\nContent-Disposition: form-data; name="a"\n\n1\n--b--`,
  ]) {
    await assertRejects(parse(body), TypeError);
  }
});
