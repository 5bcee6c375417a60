import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';
import './test_streams.mjs';
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { Buffer } from 'node:buffer';

// This folder, which is mounted read-only in Atoll, and a directory to write in.
const here = new URL('.', import.meta.url).pathname;
const root = fs.mkdtempSync('/tmp/fs-test-');
let counter = 0;
/** A fresh directory. */
function fresh() {
  const path = `${root}/${counter++}`;
  fs.mkdirSync(path);
  return path;
}
/** A call with a callback, as promise. */
function called(name, ...values) {
  return new Promise((resolve, reject) => fs[name](...values, (error, value) => (error ? reject(error) : resolve(value))));
}
/** Runs one operation in its three forms; `make` gives fresh arguments for each. */
async function inAllForms(name, make, check) {
  await check(() => fs[`${name}Sync`](...make()));
  await check(() => called(name, ...make()));
  if (promises[name]) await check(() => promises[name](...make()));
}
function assertError(error, code, syscall, path, dest) {
  assertEquals([error.code, error.syscall, error.path, error.dest], [code, syscall, path, dest]);
  assert(error instanceof Error);
  assert(error.errno < 0, 'errno is negative');
  assert(error.message.startsWith(`${code}: `), error.message);
  const places = dest === undefined ? (path === undefined ? '' : ` '${path}'`) : ` '${path}' -> '${dest}'`;
  assert(error.message.endsWith(`, ${syscall}${places}`), error.message);
}

test('reads files of the app', async () => {
  const text = fs.readFileSync(`${here}test.mjs`, 'utf8');
  assert(text.startsWith('import { test,'));
  await inAllForms('readFile', () => [`${here}test.mjs`, { encoding: 'utf8' }], async (run) => assertEquals(await run(), text));
  await inAllForms('readFile', () => [`${here}test.mjs`], async (run) => {
    const bytes = await run();
    assert(Buffer.isBuffer(bytes));
    assertEquals(bytes.toString(), text);
  });
  assertEquals(fs.readFileSync(`${here}test.mjs`, 'base64'), Buffer.from(text).toString('base64'));
  assertEquals(fs.readFileSync(new URL('test.mjs', import.meta.url), 'utf8'), text);
  assertEquals(fs.readFileSync(Buffer.from(`${here}test.mjs`), 'utf-8'), text);
  assertEquals(fs.readFileSync(`${here}../fs/./test.mjs`, 'latin1').slice(0, 14), 'import { test,');
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

test('lists directories', async () => {
  const directory = fresh();
  fs.mkdirSync(`${directory}/b/c`, { recursive: true });
  fs.writeFileSync(`${directory}/a`, '');
  fs.writeFileSync(`${directory}/b/c/deep`, '');
  fs.symlinkSync('nowhere', `${directory}/link`);
  fs.writeFileSync(`${directory}/ü`, '');
  await inAllForms('readdir', () => [directory], async (run) => assertEquals(await run(), ['a', 'b', 'link', 'ü']));
  await inAllForms('readdir', () => [directory, 'hex'], async (run) => {
    assertEquals(await run(), ['61', '62', '6c696e6b', 'c3bc']);
  });
  await inAllForms('readdir', () => [directory, { withFileTypes: true }], async (run) => {
    const entries = await run();
    assertEquals(entries.map((entry) => [entry.name, entry.isFile(), entry.isDirectory(), entry.isSymbolicLink()]), [
      ['a', true, false, false],
      ['b', false, true, false],
      ['link', false, false, true],
      ['ü', true, false, false],
    ]);
    assert(entries[0] instanceof fs.Dirent);
    assertEquals(entries[0].parentPath, directory);
    assert(!entries[0].isFIFO() && !entries[0].isSocket() && !entries[0].isBlockDevice() && !entries[0].isCharacterDevice());
  });
  await inAllForms('readdir', () => [directory, { recursive: true }], async (run) => {
    assertEquals((await run()).sort(), ['a', 'b', 'b/c', 'b/c/deep', 'link', 'ü']);
  });
  const deep = fs.readdirSync(directory, { recursive: true, withFileTypes: true }).find((entry) => entry.name === 'deep');
  assertEquals(deep.parentPath, `${directory}/b/c`);
  const raw = fs.readdirSync(directory, 'buffer');
  assert(Buffer.isBuffer(raw[0]));
  assertEquals(raw.map(String), ['a', 'b', 'link', 'ü']);
  assertError(assertThrows(() => fs.readdirSync(`${directory}/a`)), 'ENOTDIR', 'scandir', `${directory}/a`);
  assertError(assertThrows(() => fs.readdirSync(`${directory}/x`)), 'ENOENT', 'scandir', `${directory}/x`);
  assert(fs.readdirSync(here).includes('test.mjs'));
});

test('opens directories', async () => {
  const directory = fresh();
  for (const name of ['a', 'b', 'c']) fs.writeFileSync(`${directory}/${name}`, '');
  const names = [];
  for await (const entry of await promises.opendir(directory)) names.push(entry.name);
  assertEquals(names.sort(), ['a', 'b', 'c']);
  const dir = fs.opendirSync(directory);
  assertEquals(dir.path, directory);
  assert(dir instanceof fs.Dir);
  assert(dir.readSync().isFile());
  assert((await dir.read()).isFile());
  assert((await new Promise((resolve) => dir.read((error, entry) => resolve(entry)))).isFile());
  assertEquals(await dir.read(), null);
  assertEquals(dir.readSync(), null);
  dir.closeSync();
  assertThrows(() => dir.readSync(), 'ERR_DIR_CLOSED');
  assertThrows(() => dir.closeSync(), 'ERR_DIR_CLOSED');
  assertError(await assertRejects(() => promises.opendir(`${directory}/x`)), 'ENOENT', 'opendir', `${directory}/x`);
  assertEquals(assertThrows(() => fs.opendirSync(`${directory}/a`), 'ENOTDIR').syscall, 'opendir');
});

test('stat', async () => {
  const path = `${fresh()}/file`;
  fs.writeFileSync(path, '12345');
  fs.symlinkSync('file', `${path}-link`);
  await inAllForms('stat', () => [`${path}-link`], async (run) => {
    const stats = await run();
    assert(stats instanceof fs.Stats);
    assert(stats.isFile() && !stats.isDirectory() && !stats.isSymbolicLink());
    assertEquals([stats.size, stats.nlink, stats.mode], [5, 1, 0o100644]);
    assert(stats.mtime instanceof Date && Math.abs(stats.mtime - Date.now()) < 60000);
    assertEquals(stats.mtime.getTime(), Math.round(stats.mtimeMs));
    assert(Number.isInteger(stats.ino) && Number.isInteger(stats.dev) && stats.blksize > 0);
  });
  await inAllForms('lstat', () => [`${path}-link`], async (run) => {
    const stats = await run();
    assert(stats.isSymbolicLink() && !stats.isFile());
    assertEquals(stats.size, 4);
  });
  await inAllForms('stat', () => [path, { bigint: true }], async (run) => {
    const stats = await run();
    assertEquals([stats.size, stats.mode], [5n, 0o100644n]);
    assertEquals(stats.mtimeMs, stats.mtimeNs / 1000000n);
    assert(stats.isFile() && typeof stats.ino === 'bigint');
    assertEquals(stats.mtime.getTime(), Number(stats.mtimeMs));
  });
  const fd = fs.openSync(path);
  assertEquals(fs.fstatSync(fd).ino, fs.statSync(path).ino);
  assertEquals(fs.fstatSync(fd, { bigint: true }).size, 5n);
  assertEquals((await called('fstat', fd)).size, 5);
  fs.closeSync(fd);
  assertError(assertThrows(() => fs.fstatSync(fd)), 'EBADF', 'fstat');
  assertError(assertThrows(() => fs.statSync(`${path}/x`)), 'ENOTDIR', 'stat', `${path}/x`);
  assertError(assertThrows(() => fs.lstatSync(`${path}x`)), 'ENOENT', 'lstat', `${path}x`);
  assertEquals(fs.statSync(`${path}x`, { throwIfNoEntry: false }), undefined);
  assertThrows(() => fs.statSync(`${path}/x`, { throwIfNoEntry: false }), 'ENOTDIR');
  assertEquals(fs.lstatSync(`${path}x`, { throwIfNoEntry: false }), undefined);
  await assertRejects(() => promises.stat(`${path}x`, { throwIfNoEntry: false }), 'ENOENT');
  assert(fs.statSync(here).isDirectory());
  assertThrows(() => fs.statSync(7), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => fs.fstatSync(-1), 'ERR_OUT_OF_RANGE');
  assertThrows(() => fs.fstatSync('1'), 'ERR_INVALID_ARG_TYPE');
});

test('access and exists', async () => {
  await inAllForms('access', () => [here], async (run) => assertEquals(await run(), undefined));
  await inAllForms('access', () => [`${here}none`, fs.constants.R_OK], async (run) => {
    assertError(await assertRejects(async () => run(), 'ENOENT'), 'ENOENT', 'access', `${here}none`);
  });
  fs.accessSync(root, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
  const path = `${fresh()}/a`;
  fs.writeFileSync(path, '');
  assertThrows(() => fs.accessSync(path, fs.constants.X_OK), 'EACCES');
  assertThrows(() => fs.accessSync(path, 8), 'ERR_OUT_OF_RANGE');
  assertEquals([fs.existsSync(path), fs.existsSync(`${path}b`), fs.existsSync(), fs.existsSync('a\0b')], [true, false, false, false]);
  assertEquals(await new Promise((resolve) => fs.exists(path, resolve)), true);
  assertEquals(await new Promise((resolve) => fs.exists(`${path}b`, resolve)), false);
});

test('links and real paths', async () => {
  const directory = fs.realpathSync(fresh());
  fs.mkdirSync(`${directory}/real`);
  fs.writeFileSync(`${directory}/real/file`, 'x');
  fs.symlinkSync('real', `${directory}/link`);
  fs.symlinkSync(`${directory}/real/file`, `${directory}/absolute`);
  fs.symlinkSync('gone', `${directory}/dangling`);
  await inAllForms('realpath', () => [`${directory}/link/file`], async (run) => assertEquals(await run(), `${directory}/real/file`));
  assertEquals(fs.realpathSync.native(`${directory}/absolute`), `${directory}/real/file`);
  assertEquals(fs.realpathSync(`${directory}/link/..`), directory);
  assertEquals(fs.realpathSync(`${directory}/link`, 'buffer').toString(), `${directory}/real`);
  assertEquals(fs.readFileSync(`${directory}/absolute`, 'utf8'), 'x');
  assertError(assertThrows(() => fs.realpathSync(`${directory}/none/x`)), 'ENOENT', 'lstat', `${directory}/none`);
  assertError(assertThrows(() => fs.realpathSync(`${directory}/dangling`)), 'ENOENT', 'stat', `${directory}/dangling`);
  assertError(assertThrows(() => fs.realpathSync.native(`${directory}/none`)), 'ENOENT', 'realpath', `${directory}/none`);
  await inAllForms('readlink', () => [`${directory}/link`], async (run) => assertEquals(await run(), 'real'));
  assertError(assertThrows(() => fs.readlinkSync(`${directory}/real`)), 'EINVAL', 'readlink', `${directory}/real`);
  assertError(assertThrows(() => fs.symlinkSync('t', `${directory}/link`)), 'EEXIST', 'symlink', 't', `${directory}/link`);
  fs.linkSync(`${directory}/real/file`, `${directory}/hard`);
  assertEquals(fs.statSync(`${directory}/hard`).nlink, 2);
  fs.symlinkSync('loop', `${directory}/loop`);
  assertThrows(() => fs.statSync(`${directory}/loop`), 'ELOOP');
});

test('reads and writes parts', async () => {
  const path = `${fresh()}/file`;
  const fd = fs.openSync(path, 'w+');
  assertEquals(fs.writeSync(fd, 'hello'), 5);
  assertEquals(fs.writeSync(fd, Buffer.from('--world--'), 2, 5), 5);
  assertEquals(fs.writeSync(fd, 'J', 0), 1);
  assertEquals(fs.writevSync(fd, [Buffer.from('1'), new Uint8Array([50, 51])]), 3);
  const buffer = Buffer.alloc(4);
  assertEquals(fs.readSync(fd, buffer, 0, 4, 0), 4);
  assertEquals(buffer.toString(), 'Jell');
  assertEquals(fs.readSync(fd, buffer, { position: 1n, length: 2 }), 2);
  assertEquals(buffer.toString(), 'elll');
  assertEquals(fs.readSync(fd, buffer), 0, 'the position is at the end');
  assertEquals(fs.readvSync(fd, [new Uint8Array(10), new Uint8Array(10)], 0), 13);
  const { bytesRead, same } = await new Promise((resolve, reject) => {
    fs.read(fd, buffer, 0, 2, 3, (error, count, back) => (error ? reject(error) : resolve({ bytesRead: count, same: back === buffer })));
  });
  assertEquals([bytesRead, same, buffer.toString()], [2, true, 'loll']);
  const written = await new Promise((resolve, reject) => fs.write(fd, '!', 12, 'utf8', (error, count, text) => (error ? reject(error) : resolve([count, text]))));
  assertEquals(written, [1, '!']);
  fs.ftruncateSync(fd, 5);
  fs.fsyncSync(fd);
  assertThrows(() => fs.readSync(fd, new Uint8Array(0), 0, 1), 'ERR_INVALID_ARG_VALUE');
  assertThrows(() => fs.readSync(fd, buffer, 0, 5), 'ERR_OUT_OF_RANGE');
  assertThrows(() => fs.readSync(fd, buffer, -1, 1), 'ERR_OUT_OF_RANGE');
  assertThrows(() => fs.readSync(fd, 'text'), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => fs.writeSync(fd, 7), 'ERR_INVALID_ARG_TYPE');
  fs.closeSync(fd);
  assertError(assertThrows(() => fs.readSync(fd, buffer)), 'EBADF', 'read');
  assertError(assertThrows(() => fs.closeSync(fd)), 'EBADF', 'close');
  assertEquals(fs.readFileSync(path, 'utf8'), 'Jello');
  const readOnly = fs.openSync(path);
  assertError(assertThrows(() => fs.writeSync(readOnly, 'x')), 'EBADF', 'write');
  assertEquals(fs.readFileSync(readOnly, 'utf8'), 'Jello');
  assertEquals(fs.readFileSync(readOnly, 'utf8'), '', 'a descriptor is read from its position');
  fs.closeSync(readOnly);
  fs.truncateSync(path, 2);
  assertEquals(fs.readFileSync(path, 'utf8'), 'Je');
});

test('FileHandle', async () => {
  const path = `${fresh()}/file`;
  const handle = await promises.open(path, 'w+');
  assert(handle.fd > 2);
  assertEquals((await handle.write('hello ')).bytesWritten, 6);
  await handle.appendFile('world');
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(5), 0, 5, 6);
  assertEquals([bytesRead, buffer.toString()], [5, 'world']);
  assertEquals((await handle.read({ position: 0, buffer: Buffer.alloc(2) })).bytesRead, 2);
  assertEquals((await handle.stat()).size, 11);
  assertEquals((await handle.writev([Buffer.from('H')], 0)).bytesWritten, 1);
  assertEquals((await handle.readv([new Uint8Array(3)], 0)).bytesRead, 3);
  await handle.truncate(5);
  await handle.sync();
  await handle.datasync();
  await handle.chmod(0o600);
  await handle.utimes(1, 2);
  assertEquals((await handle.stat()).mtimeMs, 2000);
  let closed = 0;
  handle.on('close', () => closed++);
  await handle.close();
  await handle.close();
  assertEquals([handle.fd, closed], [-1, 1]);
  assertEquals((await assertRejects(() => handle.stat(), 'EBADF')).message, 'file closed');
  const reading = await promises.open(path);
  assertEquals(await reading.readFile('utf8'), 'Hello');
  assertEquals(await promises.readFile(reading, 'utf8'), '');
  await assertRejects(() => reading.write('x'), 'EBADF');
  await reading.close();
  await assertRejects(() => promises.open(`${path}/x`), 'ENOTDIR');
});

test('makes and removes directories', async () => {
  const directory = fresh();
  await inAllForms('mkdir', () => [`${directory}/${counter++}/deep/er`, { recursive: true }], async (run) => {
    assertEquals(await run(), `${directory}/${counter - 1}`);
    assert(fs.statSync(`${directory}/${counter - 1}/deep/er`).isDirectory());
  });
  assertEquals(fs.mkdirSync(directory, { recursive: true }), undefined);
  assertError(assertThrows(() => fs.mkdirSync(directory)), 'EEXIST', 'mkdir', directory);
  assertError(assertThrows(() => fs.mkdirSync(`${directory}/x/y`)), 'ENOENT', 'mkdir', `${directory}/x/y`);
  fs.writeFileSync(`${directory}/file`, '');
  assertThrows(() => fs.mkdirSync(`${directory}/file`, { recursive: true }), 'EEXIST');
  assertThrows(() => fs.mkdirSync(`${directory}/file/x`, { recursive: true }), 'ENOTDIR');
  assertEquals(fs.statSync(fs.mkdtempSync(`${directory}/t-`)).mode & 0o777, 0o700);
  await inAllForms('mkdtemp', () => [`${directory}/t-`], async (run) => assert(/\/t-[A-Za-z0-9]{6}$/.test(await run())));
  assertError(assertThrows(() => fs.mkdtempSync(`${directory}/no/t-`)), 'ENOENT', 'mkdtemp', `${directory}/no/t-XXXXXX`);
  assertError(assertThrows(() => fs.rmdirSync(directory)), 'ENOTEMPTY', 'rmdir', directory);
  assertError(assertThrows(() => fs.unlinkSync(`${directory}/none`)), 'ENOENT', 'unlink', `${directory}/none`);
  assertThrows(() => fs.rmSync(directory), 'ERR_FS_EISDIR');
  assertThrows(() => fs.rmSync(`${directory}/none`), 'ENOENT');
  fs.rmSync(`${directory}/none`, { force: true });
  await inAllForms('rm', () => [`${directory}/file`, { force: true }], async (run) => run());
  fs.mkdirSync(`${directory}/empty`);
  fs.rmdirSync(`${directory}/empty`);
  fs.symlinkSync(here, `${directory}/link`);
  await promises.rm(directory, { recursive: true });
  assert(!fs.existsSync(directory) && fs.existsSync(`${here}test.mjs`));
});

test('renames and copies', async () => {
  const directory = fresh();
  fs.writeFileSync(`${directory}/a`, 'content', { mode: 0o755 });
  await inAllForms('copyFile', () => [`${directory}/a`, `${directory}/b${counter++}`], async (run) => {
    await run();
    assertEquals(fs.readFileSync(`${directory}/b${counter - 1}`, 'utf8'), 'content');
  });
  assertEquals(fs.statSync(`${directory}/b${counter - 1}`).mode & 0o777, 0o755);
  fs.copyFileSync(`${here}test.mjs`, `${directory}/copied`);
  assertEquals(fs.readFileSync(`${directory}/copied`, 'utf8'), fs.readFileSync(`${here}test.mjs`, 'utf8'));
  const exclusive = assertThrows(() => fs.copyFileSync(`${directory}/copied`, `${directory}/a`, fs.constants.COPYFILE_EXCL));
  assertError(exclusive, 'EEXIST', 'copyfile', `${directory}/copied`, `${directory}/a`);
  fs.renameSync(`${directory}/a`, `${directory}/c`);
  await called('rename', `${directory}/c`, `${directory}/d`);
  await promises.rename(`${directory}/d`, `${directory}/e`);
  assert(!fs.existsSync(`${directory}/a`) && fs.existsSync(`${directory}/e`));
  const gone = assertThrows(() => fs.renameSync(`${directory}/a`, `${directory}/z`));
  assertError(gone, 'ENOENT', 'rename', `${directory}/a`, `${directory}/z`);
});

test('times and permissions', async () => {
  const path = `${fresh()}/file`;
  fs.writeFileSync(path, '');
  fs.utimesSync(path, 1.5, new Date(3000));
  assertEquals([fs.statSync(path).atimeMs, fs.statSync(path).mtimeMs], [1500, 3000]);
  await promises.utimes(path, 4, '5');
  assertEquals(fs.statSync(path).mtimeMs, 5000);
  const fd = fs.openSync(path);
  fs.futimesSync(fd, 6, 7);
  fs.closeSync(fd);
  assertEquals(fs.statSync(path).mtime.toISOString(), '1970-01-01T00:00:07.000Z');
  await inAllForms('chmod', () => [path, '600'], async (run) => run());
  assertEquals(fs.statSync(path).mode & 0o777, 0o600);
  assertThrows(() => fs.chmodSync(path, '9'), 'ERR_INVALID_ARG_VALUE');
  assertThrows(() => fs.utimesSync(path, 'x', 1), 'ERR_INVALID_ARG_TYPE');
});

test('callbacks come later, in order', async () => {
  const order = [];
  const done = new Promise((resolve) => {
    fs.stat(here, () => order.push('stat'));
    fs.readFile(`${here}test.mjs`, () => {
      order.push('readFile');
      Promise.resolve().then(() => order.push('microtask of readFile'));
    });
    fs.access(here, () => {
      order.push('access');
      resolve();
    });
  });
  order.push('after the calls');
  Promise.resolve().then(() => order.push('microtask'));
  await done;
  // In which order operations end is not promised; that none ends during the call or before microtasks is.
  assertEquals(order.slice(0, 2), ['after the calls', 'microtask']);
});

test('an aborted read', async () => {
  const controller = new AbortController();
  controller.abort();
  await assertRejects(() => promises.readFile(here, { signal: controller.signal }), 'AbortError');
  await assertRejects(() => promises.writeFile(`${root}/x`, '', { signal: controller.signal }), 'AbortError');
});

test('relative paths are taken from the working directory', () => {
  assertEquals(fs.realpathSync('.'), fs.realpathSync(process.cwd()));
  assertEquals(fs.readdirSync('.'), fs.readdirSync(process.cwd()));
  const missing = assertThrows(() => fs.readFileSync('no/such/./file'));
  assertEquals(missing.message, "ENOENT: no such file or directory, open 'no/such/./file'");
  assertEquals(fs.statSync('/').isDirectory(), true);
});

test('paths go where links lead', () => {
  const directory = fresh();
  fs.mkdirSync(`${directory}/a/b`, { recursive: true });
  fs.writeFileSync(`${directory}/a/file`, 'beside b');
  fs.writeFileSync(`${directory}/file`, 'beside the link');
  fs.symlinkSync('a/b', `${directory}/link`);
  assertEquals(fs.readFileSync(`${directory}/link/../file`, 'utf8'), 'beside b');
  assertThrows(() => fs.readFileSync(`${directory}/none/../file`), 'ENOENT');
  assertThrows(() => fs.readFileSync(`${directory}/file/../file`), 'ENOTDIR');
  assertThrows(() => fs.readFileSync(`${directory}/file/`), 'ENOTDIR');
  assertEquals([fs.lstatSync(`${directory}/link`).isSymbolicLink(), fs.lstatSync(`${directory}/link/`).isDirectory()], [true, true]);
  fs.symlinkSync(`${here}test.mjs`, `${directory}/app`);
  assertEquals(fs.readFileSync(`${directory}/app`, 'utf8').slice(0, 6), 'import');
});

test('the end of a path matters', () => {
  const directory = fresh();
  fs.mkdirSync(`${directory}/d/e`, { recursive: true });
  fs.writeFileSync(`${directory}/f`, '');
  fs.symlinkSync('d/e', `${directory}/link`);
  const code = (body) => assertThrows(body).code;
  assertEquals(code(() => fs.mkdirSync(`${directory}/new/.`)), 'ENOENT');
  assertEquals(code(() => fs.mkdirSync(`${directory}/d/.`)), 'EEXIST');
  assertEquals(code(() => fs.mkdirSync(`${directory}/f/.`)), 'ENOTDIR');
  assertEquals(code(() => fs.rmdirSync(`${directory}/d/e/.`)), 'EINVAL');
  assertEquals(code(() => fs.rmdirSync(`${directory}/d/e/..`)), 'ENOTEMPTY');
  assertEquals(code(() => fs.renameSync(`${directory}/d/.`, `${directory}/g`)), 'EBUSY');
  assertEquals(code(() => fs.renameSync(`${directory}/d/e/..`, `${directory}/g`)), 'EBUSY');
  assertEquals(code(() => fs.renameSync(`${directory}/d`, `${directory}/.`)), 'EBUSY');
  assertEquals(code(() => fs.writeFileSync(`${directory}/new/.`, '')), 'ENOENT');
  assertEquals(code(() => fs.writeFileSync(`${directory}/d/.`, '')), 'EISDIR');
  assertEquals(code(() => fs.writeFileSync(`${directory}/d/.`, '', { flag: 'wx' })), 'EEXIST');
  assertEquals(code(() => fs.writeFileSync(`${directory}/new/`, '')), 'EISDIR');
  assertEquals(code(() => fs.unlinkSync(`${directory}/f/`)), 'ENOTDIR');
  assertEquals(code(() => fs.symlinkSync('x', `${directory}/f/`)), 'EEXIST');
  assertEquals(code(() => fs.symlinkSync('x', `${directory}/new/`)), 'ENOENT');
  assertEquals(code(() => fs.linkSync(`${directory}/f`, `${directory}/.`)), 'EEXIST');
  assertEquals(code(() => fs.linkSync(`${directory}/none`, `${directory}/.`)), 'ENOENT');
  // Node's own walk takes `..` from the text, the native one follows the link first.
  const real = fs.realpathSync(directory);
  assertEquals(fs.realpathSync(`${directory}/link/..`), real);
  assertEquals(fs.realpathSync.native(`${directory}/link/..`), `${real}/d`);
  assertEquals(fs.mkdirSync(`${directory}/x/y`, { recursive: true }), `${directory}/x`);
  assertEquals(assertThrows(() => fs.rmSync(`${directory}/d`)).path, `${directory}/d`);
  const long = 'n'.repeat(256);
  assertError(assertThrows(() => fs.renameSync(`${directory}/f`, `${directory}/${long}`)), 'ENAMETOOLONG', 'rename', `${directory}/f`, `${directory}/${long}`);
  assertEquals(code(() => fs.statSync(`${directory}/none/${long}`)), 'ENOENT');
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

test('the module', () => {
  assert(fs.promises === promises);
  assertEquals(fs.constants.O_CREAT | fs.constants.O_EXCL, 0o300);
  assertEquals(promises.constants, fs.constants);
  assertEquals([fs.readFileSync.name, fs.readFile.name, fs.readFile.length], ['readFileSync', 'readFile', 3]);
  assertEquals([fs.F_OK, fs.R_OK, fs.W_OK, fs.X_OK], [0, 4, 2, 1]);
});


test('glob', async () => {
  if (fs.globSync === undefined) return; // Node.js before 22
  const cwd = fresh();
  for (const path of ['a/b/c.js', 'a/b/d.ts', 'a/e.js', 'f.js', 'g1.txt', 'g2.txt', '.hidden/x.js', '.dot', 'a/.dot.js', 'sp[a]ce']) {
    fs.mkdirSync(`${cwd}/${path}`.replace(/\/[^/]*$/, ''), { recursive: true });
    fs.writeFileSync(`${cwd}/${path}`, '');
  }
  fs.symlinkSync('a', `${cwd}/link`);
  const found = (pattern, options) => fs.globSync(pattern, { cwd, ...options }).sort();
  const expected = {
    '*.js': ['f.js'],
    '**/*.js': ['a/b/c.js', 'a/e.js', 'f.js'],
    'a/**': ['a', 'a/b', 'a/b/c.js', 'a/b/d.ts', 'a/e.js'],
    'a/*': ['a/b', 'a/e.js'],
    '*': ['a', 'f.js', 'g1.txt', 'g2.txt', 'link', 'sp[a]ce'],
    '.*': ['.dot', '.hidden'],
    'g?.txt': ['g1.txt', 'g2.txt'],
    'g[2-9].txt': ['g2.txt'],
    'g[!2].txt': ['g1.txt'],
    'g{1,2}.txt': ['g1.txt', 'g2.txt'],
    'g{1..3}.txt': ['g1.txt', 'g2.txt'],
    '{a/b,.}/*.{js,ts}': ['a/b/c.js', 'a/b/d.ts', 'f.js'],
    'a/b/c.js': ['a/b/c.js'],
    'a/b/none': [],
    'a/': ['a'],
    'f.js/': [],
    'link/*.js': ['link/e.js'],
    'sp\\[a\\]ce': ['sp[a]ce'],
    '@(f|x).js': ['f.js'],
    '!(f).js': [],
    '+(g)[[:digit:]].txt': ['g1.txt', 'g2.txt'],
    'a/../f.js': ['f.js'],
    '**/b/*': ['a/b/c.js', 'a/b/d.ts'],
    'none/**': [],
  };
  for (const pattern in expected) assertEquals(found(pattern), expected[pattern], pattern);
  assertEquals(found(['*.txt', 'f.js', 'g1.txt']), ['f.js', 'g1.txt', 'g2.txt']);
  assertEquals(found('**/*.js', { exclude: (path) => path === 'a/b' }), ['a/e.js', 'f.js']);
  const entries = fs.globSync('a/*', { cwd, withFileTypes: true }).sort((one, other) => (one.name < other.name ? -1 : 1));
  assertEquals(entries.map((entry) => [entry.name, entry.parentPath, entry.isDirectory()]), [['b', `${cwd}/a`, true], ['e.js', `${cwd}/a`, false]]);
  assertEquals((await called('glob', '*.js', { cwd })), ['f.js']);
  const later = [];
  for await (const path of promises.glob('**/*.ts', { cwd })) later.push(path);
  assertEquals(later, ['a/b/d.ts']);
  assertThrows(() => fs.globSync(5), 'ERR_INVALID_ARG_TYPE');
  assertEquals(found(`${cwd}/*.js`), [`${cwd}/f.js`]);
});

test('many operations at a time, and what is thrown in a callback', async () => {
  const directory = fresh();
  fs.writeFileSync(`${directory}/file`, 'content');
  const all = [];
  for (let index = 0; index < 3000; index++) {
    all.push(index % 3 === 0 ? promises.readFile(`${directory}/file`, 'utf8') : index % 3 === 1 ? promises.stat(`${directory}/file`) : promises.access(`${directory}/none`).catch((error) => error.code));
  }
  const outcomes = await Promise.all(all);
  assert(outcomes.every((outcome, index) => (index % 3 === 0 ? outcome === 'content' : index % 3 === 1 ? outcome.size === 7 : outcome === 'ENOENT')));
  const seen = [];
  const caught = new Promise((resolve) => process.once('uncaughtException', (error) => resolve(error.message)));
  const last = new Promise((resolve) => {
    fs.stat(directory, () => {
      process.nextTick(() => seen.push('tick'));
      throw new Error('thrown');
    });
    fs.stat(directory, resolve);
  });
  assertEquals(await caught, 'thrown');
  await last;
  assertEquals(seen, ['tick']);
});

test('statfs and owners', async () => {
  const path = `${fresh()}/file`;
  fs.writeFileSync(path, '');
  await inAllForms('statfs', () => [path], async (run) => {
    const found = await run();
    assert(found.bsize > 0 && found.blocks >= found.bfree && Number.isInteger(found.type));
    assertEquals(Object.keys(found), ['type', 'bsize', 'blocks', 'bfree', 'bavail', 'files', 'ffree']);
  });
  assertEquals(typeof fs.statfsSync(path, { bigint: true }).blocks, 'bigint');
  assertError(assertThrows(() => fs.statfsSync(`${path}x`)), 'ENOENT', 'statfs', `${path}x`);
  const { uid, gid } = fs.statSync(path);
  for (const name of ['chown', 'lchown']) await inAllForms(name, () => [path, uid, gid], async (run) => assertEquals(await run(), undefined));
  assertThrows(() => fs.chownSync(path, 'x', 1), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => fs.chownSync(path, -2, 1), 'ERR_OUT_OF_RANGE');
  const handle = await promises.open(path);
  await handle.chown(uid, gid);
  await handle.close();
});

test('copying trees', async () => {
  const directory = fresh();
  fs.mkdirSync(`${directory}/from/inner`, { recursive: true });
  fs.writeFileSync(`${directory}/from/a`, 'a');
  fs.writeFileSync(`${directory}/from/inner/b`, 'b');
  fs.symlinkSync('a', `${directory}/from/link`);
  fs.cpSync(`${directory}/from`, `${directory}/one`, { recursive: true, verbatimSymlinks: true });
  await called('cp', `${directory}/from`, `${directory}/two`, { recursive: true });
  await promises.cp(`${directory}/from`, `${directory}/three`, { recursive: true, filter: async (path) => !path.endsWith('/b') });
  assertEquals(fs.readdirSync(`${directory}/one`, { recursive: true }).sort(), ['a', 'inner', 'inner/b', 'link']);
  assertEquals(fs.readlinkSync(`${directory}/one/link`), 'a');
  assertEquals(fs.readlinkSync(`${directory}/two/link`), `${directory}/from/a`);
  assertEquals(fs.readdirSync(`${directory}/three/inner`), []);
  assertThrows(() => fs.cpSync(`${directory}/from`, `${directory}/from/inner/x`, { recursive: true }), 'ERR_FS_CP_EINVAL');
  assertThrows(() => fs.cpSync(`${directory}/from`, `${directory}/four`), 'ERR_FS_EISDIR');
  const blob = await fs.openAsBlob(`${directory}/from/a`, { type: 'text/plain' });
  assertEquals([await blob.text(), blob.type, blob.size], ['a', 'text/plain', 1]);
});

test('clean up', () => fs.rmSync(root, { recursive: true }));
