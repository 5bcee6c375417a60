// Files as streams. Imported by test.mjs.
import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';
import fs, { ReadStream, WriteStream, createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

const directory = fs.mkdtempSync('/tmp/streams-');
let files = 0;
function file(content = 'hello world') {
  const path = `${directory}/${files++}`;
  if (content !== undefined) fs.writeFileSync(path, content);
  return path;
}
const missing = () => `${directory}/missing-${files++}`;
const content = (path) => fs.readFileSync(path, 'latin1');

/** The names of a stream's events, in order; `finish` is the one after which it is over. */
function events(stream) {
  const seen = [];
  for (const name of ['open', 'ready', 'end', 'finish', 'error', 'close']) {
    stream.on(name, (value) => seen.push(value instanceof Error ? `${name} ${value.code}` : name));
  }
  return seen;
}

test('a file is read', async () => {
  const path = file();
  const stream = createReadStream(path);
  assertEquals([stream.path, stream.fd, stream.pending, stream.flags, stream.mode], [path, null, true, 'r', 0o666]);
  assertEquals([stream.bytesRead, stream.readableHighWaterMark, stream.autoClose], [0, 65536, true]);
  const seen = events(stream);
  stream.once('open', (fd) => assert(typeof fd === 'number' && stream.fd === fd && !stream.pending));
  assertEquals(await text(stream), 'hello world');
  if (!stream.closed) await once(stream, 'close');
  assertEquals(seen, ['open', 'ready', 'end', 'close']);
  assertEquals([stream.bytesRead, stream.fd, stream.pending], [11, null, true]);
});

test('a part of a file is read', async () => {
  const path = file('0123456789');
  const read = async (options) => (await createReadStream(path, options).toArray()).map(String);
  assertEquals(await read({ start: 3 }), ['3456789']);
  assertEquals(await read({ end: 3 }), ['0123']);
  assertEquals(await read({ start: 3, end: 3 }), ['3']);
  assertEquals(await read({ start: 2, end: 7, highWaterMark: 4 }), ['2345', '67']);
  assertEquals(await read({ start: 20 }), []);
  assertEquals(await read('hex'), ['30313233343536373839']);
  assertEquals(await read({ encoding: 'utf8', highWaterMark: 8 }), ['01234567', '89']);
  assertEquals(await text(createReadStream(pathToFileURL(path))), '0123456789');
  assertEquals(await text(createReadStream(Buffer.from(path), { end: 0 })), '0');
});

test('a descriptor is read, and closed unless autoClose is false', async () => {
  const path = file('0123456789');
  const closed = fs.openSync(path);
  assertEquals(await text(createReadStream('', { fd: closed })), '0123456789');
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertThrows(() => fs.fstatSync(closed), 'EBADF');
  const kept = fs.openSync(path);
  const stream = createReadStream('', { fd: kept, autoClose: false, start: 1, end: 2 });
  const seen = events(stream);
  assertEquals(await text(stream), '12');
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals([seen, stream.destroyed], [['end'], false]);
  fs.closeSync(kept);
});

test('files that cannot be read', async () => {
  for (const [path, seen] of [
    [missing(), ['error ENOENT', 'close']],
    [directory, ['open', 'ready', 'error EISDIR', 'close']],
  ]) {
    const stream = createReadStream(path);
    const found = events(stream);
    stream.resume();
    await assertRejects(finished(stream));
    await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals(found, seen);
  }
  const flags = createReadStream(file(), { flags: 'none' });
  await assertRejects(finished(flags), 'ERR_INVALID_ARG_VALUE');
  const error = await assertRejects(finished(createReadStream('/tmp/none/at/all')), 'ENOENT');
  assertEquals(
    [error.syscall, error.path, error.message],
    ['open', '/tmp/none/at/all', "ENOENT: no such file or directory, open '/tmp/none/at/all'"],
  );
});

test('arguments of read streams', () => {
  const path = file();
  for (const wrong of [undefined, null, 1, {}]) assertThrows(() => createReadStream(wrong), 'ERR_INVALID_ARG_TYPE');
  for (const options of [{ start: -1 }, { end: -1 }, { end: 1.5 }, { start: 5, end: 2 }]) {
    assertThrows(() => createReadStream(path, options), 'ERR_OUT_OF_RANGE');
  }
  for (const options of [5, { start: 'x' }, { fd: 'x' }, { fs: {} }, { fs: { open() {}, read() {} } }]) {
    assertThrows(() => createReadStream(path, options), 'ERR_INVALID_ARG_TYPE');
  }
  for (const options of ['none', { encoding: 'none' }, { highWaterMark: -1 }]) {
    assertThrows(() => createReadStream(path, options), 'ERR_INVALID_ARG_VALUE');
  }
});

test('a file is written', async () => {
  const path = missing();
  const stream = createWriteStream(path);
  assertEquals([stream.path, stream.pending, stream.flags, stream.bytesWritten], [path, true, 'w', 0]);
  const seen = events(stream);
  stream.write('a');
  stream.write(Buffer.from('b'));
  stream.end('\u00e9');
  await finished(stream);
  assertEquals([seen, content(path), stream.bytesWritten], [['open', 'ready', 'finish', 'close'], 'ab\u00c3\u00a9', 4]);
});

test('options of write streams', async () => {
  const write = async (options) => {
    const path = file('0123456789');
    const stream = createWriteStream(path, options);
    stream.write('ab');
    stream.cork();
    stream.write('cd');
    stream.write('ef');
    stream.end();
    await finished(stream);
    return content(path);
  };
  assertEquals(await write({ flags: 'a' }), '0123456789abcdef');
  assertEquals(await write({ flags: 'r+', start: 3 }), '012abcdef9');
  assertEquals(await write({ flush: true }), 'abcdef');
  assertEquals(await write({ encoding: 'hex' }), '\u00ab\u00cd\u00ef');
  await assertRejects(write({ flags: 'wx' }), 'EEXIST');
  assertThrows(() => createWriteStream(missing(), { flush: 1 }), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => createWriteStream(missing(), { start: -1 }), 'ERR_OUT_OF_RANGE');
  assertThrows(() => createWriteStream(missing(), { fs: { open() {}, close() {} } }), 'ERR_INVALID_ARG_TYPE');
  await assertRejects(finished(createWriteStream(`${missing()}/below`)), 'ENOENT');
});

test('a write stream that does not close', async () => {
  const stream = createWriteStream(missing(), { autoClose: false });
  const seen = events(stream);
  stream.write('x');
  await new Promise((resolve) => stream.close(resolve));
  assertEquals([seen, stream.fd], [['open', 'ready', 'finish', 'close'], null]);
  await new Promise((resolve) => stream.close(resolve));
});

test('destroying streams of files', async () => {
  for (const make of [() => createReadStream(file()), () => createWriteStream(missing())]) {
    const early = make();
    early.destroy();
    await once(early, 'close');
    assertEquals(early.fd, null);
    const late = make();
    await once(late, 'open');
    const { fd } = late;
    late.destroy();
    await once(late, 'close');
    assertThrows(() => fs.fstatSync(fd), 'EBADF');
  }
  if (process.versions.atoll) {
    // A request that is over gets no more turns: what it destroys in its last must not stay open.
    const tick = () => new Promise((resolve) => process.nextTick(resolve));
    for (const make of [() => createReadStream(file()), () => createWriteStream(missing())]) {
      const busy = make();
      busy.on('error', () => {});
      await once(busy, 'open');
      const { fd } = busy;
      if (busy.write) busy.write('x');
      else busy.read();
      busy.destroy();
      for (let ticks = 0; ticks < 6; ticks++) await tick();
      assertThrows(() => fs.fstatSync(fd), 'EBADF');
      // What a thread was given to write is written, though nobody waits for it.
      for (let waits = 0; busy.write && content(busy.path) !== 'x' && waits < 200; waits++) await new Promise((resolve) => setTimeout(resolve, 10));
      if (busy.write) assertEquals(content(busy.path), 'x');
      const early = make();
      let opened;
      early.on('open', (descriptor) => (opened = descriptor));
      early.destroy();
      for (let ticks = 0; ticks < 6; ticks++) await tick();
      assert(opened > 0 && early.fd === null);
      assertThrows(() => fs.fstatSync(opened), 'EBADF');
    }
  }
  const writing = createWriteStream(missing());
  let failure;
  writing.write('x', (error) => (failure = error));
  await once(writing, 'open');
  writing.on('error', () => {}); // of a write that comes to nothing
  writing.destroy();
  await new Promise((resolve) => writing.once('close', resolve));
  assert(failure === undefined || failure === null || failure.code === 'ERR_STREAM_DESTROYED');
});

test('functions in place of those of node:fs', async () => {
  const calls = [];
  const own = {};
  for (const name of ['open', 'read', 'write', 'close', 'fsync']) {
    own[name] = (...values) => {
      calls.push(name);
      fs[name](...values);
    };
  }
  assertEquals(await text(createReadStream(file(), { fs: own })), 'hello world');
  const path = missing();
  const stream = createWriteStream(path, { fs: own, flush: true });
  stream.cork();
  stream.write('a');
  stream.end('b');
  await finished(stream);
  assertEquals(content(path), 'ab');
  assertEquals(
    calls.filter((name) => name !== 'read'),
    ['open', 'close', 'open', 'write', 'write', 'fsync', 'close'],
  );
  const short = missing();
  const few = (fd, bytes, offset, length, position, callback) =>
    fs.write(fd, bytes, offset, Math.min(length, 3), position, callback);
  const shortly = createWriteStream(short, { fs: { ...own, write: few } });
  shortly.end('written in parts');
  await finished(shortly);
  assertEquals([content(short), shortly.bytesWritten], ['written in parts', 16]);
});

test('the classes', async () => {
  assert(fs.FileReadStream === ReadStream && fs.FileWriteStream === WriteStream);
  assertEquals([ReadStream.name, ReadStream.length, typeof ReadStream], ['ReadStream', 2, 'function']);
  assert(ReadStream.prototype instanceof Readable && WriteStream.prototype instanceof Writable);
  assert(ReadStream.prototype.constructor === ReadStream && Object.getPrototypeOf(WriteStream) === Writable);
  const stream = ReadStream(file());
  assert(stream instanceof ReadStream && stream instanceof fs.ReadStream && stream.constructor === ReadStream);
  stream.destroy();
  class Named extends ReadStream {
    constructor(path) {
      super(path, 'utf8');
    }
  }
  const named = new Named(file());
  assert(named instanceof Named && named instanceof ReadStream);
  assertEquals(await text(named), 'hello world');
  Named.mine = 1;
  ReadStream.shared = 2;
  assertEquals([Named.mine, Named.shared, ReadStream.mine, delete ReadStream.shared], [1, 2, undefined, true]);
  // The way in which packages replace the class and its open().
  function Old(path, options) {
    ReadStream.call(this, path, options);
  }
  Old.prototype = Object.create(ReadStream.prototype);
  Old.prototype.open = function () {
    fs.open(this.path, this.flags, this.mode, (error, fd) => {
      if (error) return this.emit('error', error);
      this.fd = fd;
      this.emit('open', fd);
    });
  };
  assertEquals(await text(new Old(file())), 'hello world');
  await assertRejects(finished(new Old(missing())), 'ENOENT');
});

test('streams of file handles', async () => {
  const path = missing();
  const writing = await open(path, 'w');
  const sink = writing.createWriteStream();
  sink.write('one\n');
  sink.end('two\r\nthree');
  await finished(sink);
  assertEquals([content(path), writing.fd], ['one\ntwo\r\nthree', -1]);

  const reading = await open(path);
  assertEquals(await text(reading.createReadStream({ start: 4, end: 6, autoClose: false })), 'two');
  assert(reading.fd > 0);
  const stream = reading.createReadStream();
  await reading.close();
  if (!stream.closed) await once(stream, 'close');
  assert(stream.destroyed);
  assertThrows(() => reading.createReadStream(), 'ERR_OUT_OF_RANGE');

  const lines = [];
  for await (const line of (await open(path)).readLines()) lines.push(line);
  assertEquals(lines, ['one', 'two', 'three']);
});

test('a file handle as a web stream', async () => {
  const path = file('0123456789'.repeat(5000));
  const handle = await open(path);
  const stream = handle.readableWebStream({ type: 'bytes' });
  assert(stream instanceof ReadableStream);
  assertThrows(() => handle.readableWebStream(), 'ERR_INVALID_STATE');
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.byteLength;
  assertEquals(bytes, 50000);
  await handle.close();
  assertThrows(() => handle.readableWebStream(), 'ERR_INVALID_STATE');
});

test('a large file is copied in little memory', async () => {
  const blocks = 6; // of 1 MiB; a tested worker's /tmp holds 16 MiB
  const source = file('');
  const block = Buffer.alloc(1024 * 1024);
  for (let index = 0; index < blocks; index++) {
    block.fill(index + 1);
    fs.appendFileSync(source, block);
  }
  const target = missing();
  const reading = createReadStream(source);
  const writing = createWriteStream(target);
  let most = 0;
  reading.on('data', () => (most = Math.max(most, reading.bytesRead - writing.bytesWritten)));
  await pipeline(reading, writing);
  assertEquals([reading.bytesRead, writing.bytesWritten], [blocks * block.length, blocks * block.length]);
  assert(most <= 4 * 65536, `${most} bytes were under way`);
  fs.rmSync(source);
  const descriptor = fs.openSync(target);
  const copied = Buffer.alloc(1024 * 1024);
  for (let index = 0; index < blocks; index++) {
    fs.readSync(descriptor, copied);
    assert(
      copied.every((byte) => byte === index + 1),
      `block ${index}`,
    );
  }
  fs.closeSync(descriptor);
  fs.rmSync(target);
});
