// Open files, metadata, and when callbacks come.
import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';
import { assertError, called, fresh, here, inAllForms } from './test_support.mjs';
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { Buffer } from 'node:buffer';

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

test('the module', () => {
  assert(fs.promises === promises);
  assertEquals(fs.constants.O_CREAT | fs.constants.O_EXCL, 0o300);
  assertEquals(promises.constants, fs.constants);
  assertEquals([fs.readFileSync.name, fs.readFile.name, fs.readFile.length], ['readFileSync', 'readFile', 3]);
  assertEquals([fs.F_OK, fs.R_OK, fs.W_OK, fs.X_OK], [0, 4, 2, 1]);
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

test('positions may be as large as the kernel has them', () => {
  const fd = fs.openSync(`${here}test.mjs`);
  for (const position of [2n ** 63n - 1n, 2n ** 53n, Number.MAX_SAFE_INTEGER]) {
    let count = 0;
    try {
      count = fs.readSync(fd, Buffer.alloc(4), 0, 4, position);
    } catch (error) {
      assert(['EFBIG', 'EINVAL', 'EOVERFLOW'].includes(error.code), error.code);
    }
    assertEquals(count, 0);
  }
  assertThrows(() => fs.readSync(fd, Buffer.alloc(4), 0, 4, 2n ** 63n), 'ERR_OUT_OF_RANGE');
  fs.closeSync(fd);
});

test('what is wrong with arguments is told before a missing callback', () => {
  assertThrows(() => fs.fchmod(1, '123x'), 'ERR_INVALID_ARG_VALUE');
  assertThrows(() => fs.fchown(1, NaN), 'ERR_OUT_OF_RANGE');
  assertThrows(() => fs.fchown(1, 1, -2), 'ERR_OUT_OF_RANGE');
  assertThrows(() => fs.fchmod(1, 0o600), 'ERR_INVALID_ARG_TYPE', 'cb');
  assertThrows(() => fs.open(here, 'r'), 'ERR_INVALID_ARG_TYPE', 'cb');
});

test('the stack of a rejection tells who waits', async () => {
  async function waiting() {
    await promises.stat('/tmp/none/x');
  }
  const error = await assertRejects(() => waiting(), 'ENOENT');
  assert(/at async waiting/.test(error.stack), error.stack);
});

test('methods of FileHandle on something else, and what Linux lacks', async () => {
  const handle = await promises.open(`${here}test.mjs`);
  await assertRejects(() => handle.stat.call({}), 'ERR_INTERNAL_ASSERTION', 'handle must be an instance of FileHandle');
  await handle.close();
  await assertRejects(() => promises.lchmod(here, 0o600), 'ERR_METHOD_NOT_IMPLEMENTED', 'The lchmod() method is not implemented');
  assertEquals([fs.lchmod, 'lchmod' in fs], [undefined, true]);
});

test('the JSON of Stats has their dates', () => {
  const stats = fs.statSync(here);
  const parsed = JSON.parse(JSON.stringify(stats));
  for (const name of ['atime', 'mtime', 'ctime', 'birthtime']) assertEquals(parsed[name], stats[name].toJSON());
  assertEquals([parsed.size, parsed.mtimeMs], [stats.size, stats.mtimeMs]);
});
