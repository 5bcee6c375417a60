// Whole files: reading, writing, what goes wrong.
import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';
import { assertError, called, fresh, here, inAllForms, root } from './test_support.mjs';
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { Buffer } from 'node:buffer';

test('reads files of the app', async () => {
  const text = fs.readFileSync(`${here}test.mjs`, 'utf8');
  assert(text.startsWith('import { test '));
  await inAllForms('readFile', () => [`${here}test.mjs`, { encoding: 'utf8' }], async (run) => assertEquals(await run(), text));
  await inAllForms('readFile', () => [`${here}test.mjs`], async (run) => {
    const bytes = await run();
    assert(Buffer.isBuffer(bytes));
    assertEquals(bytes.toString(), text);
  });
  assertEquals(fs.readFileSync(`${here}test.mjs`, 'base64'), Buffer.from(text).toString('base64'));
  assertEquals(fs.readFileSync(new URL('test.mjs', import.meta.url), 'utf8'), text);
  assertEquals(fs.readFileSync(Buffer.from(`${here}test.mjs`), 'utf-8'), text);
  assertEquals(fs.readFileSync(`${here}../fs/./test.mjs`, 'latin1').slice(0, 14), 'import { test ');
});

test('errors of reading', async () => {
  await inAllForms('readFile', () => [`${here}none`], async (run) => {
    assertError(await assertRejects(async () => run(), 'ENOENT'), 'ENOENT', 'open', `${here}none`);
  });
  const missing = assertThrows(() => fs.readFileSync('/tmp/none'));
  assertEquals(missing.message, "ENOENT: no such file or directory, open '/tmp/none'");
  assertEquals(missing.errno, -2);
  assertEquals(Object.keys(missing), ['errno', 'code', 'syscall', 'path']);
  assertEquals(assertThrows(() => fs.readFileSync(here)).message, 'EISDIR: illegal operation on a directory, read');
  assertError(assertThrows(() => fs.readFileSync(`${here}test.mjs/x`)), 'ENOTDIR', 'open', `${here}test.mjs/x`);
  assertError(assertThrows(() => fs.readFileSync('')), 'ENOENT', 'open', '');
  assertThrows(() => fs.readFileSync('a\0b'), 'ERR_INVALID_ARG_VALUE');
  assertThrows(() => fs.readFileSync(), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => fs.readFileSync({}), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => fs.readFileSync(here, 'no-such-encoding'), 'ERR_INVALID_ARG_VALUE');
  assertThrows(() => fs.readFileSync(here, 7), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => fs.readFileSync(12345), 'EBADF');
  assertThrows(() => fs.readFile(here), 'ERR_INVALID_ARG_TYPE', 'cb');
  await assertRejects(() => promises.readFile(), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => fs.openSync(`${here}test.mjs`, 'nonsense'), 'ERR_INVALID_ARG_VALUE');
});

test('long paths and names', () => {
  assertThrows(() => fs.statSync(`/tmp/${'n'.repeat(256)}`), 'ENAMETOOLONG');
  assertThrows(() => fs.statSync(`/tmp${'/n'.repeat(2100)}`), 'ENAMETOOLONG');
});

test('large files', async () => {
  const directory = fresh();
  const data = Buffer.alloc((3 << 20) + 17, 'abcdefghijk');
  fs.writeFileSync(`${directory}/large`, data);
  const before = fs.openSync(`${directory}/large`);
  fs.closeSync(before);
  assert(fs.readFileSync(`${directory}/large`).equals(data));
  assertEquals(fs.readFileSync(`${directory}/large`, 'utf8'), data.toString());
  assert((await promises.readFile(`${directory}/large`)).equals(data));
  fs.writeFileSync(`${directory}/empty`, '');
  assertEquals(fs.readFileSync(`${directory}/empty`).length, 0);
  assertEquals(fs.readFileSync(`${directory}/empty`, 'utf8'), '');
  const after = fs.openSync(`${directory}/large`);
  fs.closeSync(after);
  assertEquals(after, before, 'reading leaves no file open');
});

test('writes and appends', async () => {
  const directory = fresh();
  let index = 0;
  for (const data of ['text with ü', Buffer.from([0, 255, 1]), new Uint16Array([1, 2]), new DataView(new ArrayBuffer(3))]) {
    const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    await inAllForms('writeFile', () => [`${directory}/${index++}`, data], async (run) => {
      assertEquals(await run(), undefined);
      assert(fs.readFileSync(`${directory}/${index - 1}`).equals(bytes));
    });
  }
  const path = `${directory}/log`;
  await inAllForms('appendFile', () => [path, 'é', 'latin1'], async (run) => run());
  assert(fs.readFileSync(path).equals(Buffer.from([0xe9, 0xe9, 0xe9])));
  assertThrows(() => fs.writeFileSync(path, 7), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => fs.writeFileSync(path, 'x', { flag: 'wx' }), 'EEXIST');
  fs.writeFileSync(path, 'XY', { flag: 'r+' });
  assert(fs.readFileSync(path).equals(Buffer.from([0x58, 0x59, 0xe9])));
  await promises.writeFile(path, (async function* () {
    yield 'one ';
    yield Buffer.from('two');
  })());
  assertEquals(fs.readFileSync(path, 'utf8'), 'one two');
  assertError(assertThrows(() => fs.writeFileSync(`${directory}/a/b`, '')), 'ENOENT', 'open', `${directory}/a/b`);
  assertEquals(fs.statSync(path).mode & 0o777, 0o644);
});

test('an aborted read', async () => {
  const controller = new AbortController();
  controller.abort();
  await assertRejects(() => promises.readFile(here, { signal: controller.signal }), 'AbortError');
  await assertRejects(() => promises.writeFile(`${root}/x`, '', { signal: controller.signal }), 'AbortError');
});

test('patched prototypes do not disturb it', async () => {
  const directory = fresh();
  const patched = [
    [Array.prototype, Symbol.iterator],
    [Array.prototype, 'push'],
    [Array.prototype, 'pop'],
    [Array.prototype, 'map'],
    [Function.prototype, 'call'],
    [Function.prototype, 'apply'],
    [String.prototype, 'startsWith'],
    [String.prototype, 'slice'],
    [Map.prototype, 'get'],
    [Object.getPrototypeOf(Uint8Array.prototype), 'set'],
    [Object.getPrototypeOf(Uint8Array.prototype), 'subarray'],
  ];
  const saved = patched.map(([owner, key]) => Object.getOwnPropertyDescriptor(owner, key));
  let touched = 0;
  const results = [];
  const replacement = () => {
    touched++;
    throw new Error('a patched method was called');
  };
  for (let index = 0; index < patched.length; index++) {
    Object.defineProperty(patched[index][0], patched[index][1], { value: replacement, configurable: true, writable: true });
  }
  let failure;
  try {
    fs.writeFileSync(`${directory}/a`, 'text');
    results[0] = fs.readFileSync(`${directory}/a`, 'utf8');
    results[1] = fs.statSync(`${directory}/a`).size;
    results[2] = fs.readdirSync(directory, { withFileTypes: true }).length;
    fs.mkdirSync(`${directory}/b/c`, { recursive: true });
    fs.copyFileSync(`${directory}/a`, `${directory}/b/c/d`);
    results[3] = fs.existsSync(`${directory}/b/c/d`);
    fs.rmSync(`${directory}/b`, { recursive: true });
  } catch (error) {
    failure = error;
  }
  for (let index = 0; index < patched.length; index++) Object.defineProperty(patched[index][0], patched[index][1], saved[index]);
  if (failure !== undefined) throw failure;
  assertEquals([touched, results.join()], [0, 'text,4,1,true']);
});

test('what is flushed goes through the functions that a program has replaced', async () => {
  const directory = fresh();
  const { fsync, fsyncSync } = fs;
  const flushed = [];
  try {
    fs.fsyncSync = (fd) => flushed.push(typeof fd);
    fs.fsync = (fd, callback) => {
      flushed.push(typeof fd);
      fsync(fd, callback);
    };
    fs.writeFileSync(`${directory}/a`, 'one', { flush: true });
    fs.appendFileSync(`${directory}/a`, ' two', { flush: true, encoding: 'latin1' });
    await called('writeFile', `${directory}/b`, 'one', { flush: true });
    await called('appendFile', `${directory}/b`, ' two', { flush: true });
    fs.writeFileSync(`${directory}/c`, 'x', { flush: false });
    await called('writeFile', `${directory}/c`, 'x');
    await assertRejects(() => called('writeFile', `${directory}/none/x`, 'x', { flush: true }), 'ENOENT');
  } finally {
    Object.assign(fs, { fsync, fsyncSync });
  }
  assertEquals(flushed, ['number', 'number', 'number', 'number']);
  assertEquals([fs.readFileSync(`${directory}/a`, 'utf8'), fs.readFileSync(`${directory}/b`, 'utf8')], ['one two', 'one two']);
});

test('what is aborted', async () => {
  const directory = fresh();
  const signal = AbortSignal.abort();
  for (const call of [
    (done) => fs.readFile(`${directory}/none`, { signal }, done),
    (done) => fs.writeFile(`${directory}/none`, '', { signal }, done),
    (done) => fs.appendFile(`${directory}/none`, '', { signal }, done),
  ]) {
    let error;
    call((found) => (error = found));
    assertEquals(error?.name, 'AbortError', 'told at once');
  }
  await assertRejects(() => promises.readFile(directory, { signal: new Proxy(signal, {}) }), 'ABORT_ERR');
  const controller = new AbortController();
  async function* parts() {
    yield 'one';
    controller.abort();
    yield 'two';
  }
  await assertRejects(() => promises.writeFile(`${directory}/part`, parts(), { signal: controller.signal }), 'ABORT_ERR');
  assertEquals(fs.readFileSync(`${directory}/part`, 'utf8'), 'one');
  assert(!fs.existsSync(`${directory}/none`));
});
