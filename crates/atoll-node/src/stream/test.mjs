import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';
import Stream, { Duplex, PassThrough, Readable, Transform, Writable, finished, pipeline, promises } from 'node:stream';
import * as streamPromises from 'node:stream/promises';
import { arrayBuffer, blob, buffer, json, text } from 'node:stream/consumers';
import * as web from 'node:stream/web';
import { promisify } from 'node:util';
import { cases as ofClasses } from './cases_classes.mjs';
import { cases as ofFunctions } from './cases_functions.mjs';
import { record, turn } from './cases_tools.mjs';
import { expected } from './expected.mjs';

for (const [name, body] of Object.entries({ ...ofClasses, ...ofFunctions })) {
  test(name, async () => {
    const lines = await record(body, Stream);
    const wanted = expected[name].trim().split('\n');
    for (let index = 0; index < Math.max(lines.length, wanted.length); index++) {
      assertEquals(lines[index], wanted[index], `line ${index + 1} of\n${lines.join('\n')}\n`);
    }
  });
}

test('what there is', () => {
  assertEquals(Object.keys(Stream), [
    ...['isDestroyed', 'isDisturbed', 'isErrored', 'isReadable', 'isWritable', 'Readable', 'Writable', 'Duplex'],
    ...['Transform', 'PassThrough', 'duplexPair', 'pipeline', 'addAbortSignal', 'finished', 'destroy', 'compose'],
    ...['setDefaultHighWaterMark', 'getDefaultHighWaterMark', 'promises', 'Stream'],
    ...['_isArrayBufferView', '_isUint8Array', '_uint8ArrayToBuffer'],
  ]);
  assert(promises.pipeline === streamPromises.pipeline && promises.finished === streamPromises.finished);
  assert(promisify(pipeline) === promises.pipeline && promisify(finished) === promises.finished);
  assert(web.ReadableStream === ReadableStream && web.TransformStream === TransformStream);
  assert(web.TextDecoderStream === TextDecoderStream && web.CountQueuingStrategy === CountQueuingStrategy);
});

test('the default marks can be changed', () => {
  const bytes = Stream.getDefaultHighWaterMark(false);
  const objects = Stream.getDefaultHighWaterMark(true);
  Stream.setDefaultHighWaterMark(false, 32);
  Stream.setDefaultHighWaterMark(true, 3);
  assertEquals(new Readable().readableHighWaterMark, 32);
  assertEquals(new Writable({ objectMode: true }).writableHighWaterMark, 3);
  Stream.setDefaultHighWaterMark(false, bytes);
  Stream.setDefaultHighWaterMark(true, objects);
  assertThrows(() => Stream.setDefaultHighWaterMark(true, -1), 'ERR_OUT_OF_RANGE');
  assertThrows(() => new Readable({ highWaterMark: 'x' }), 'ERR_INVALID_ARG_VALUE');
});

test('a long queue is read in order and in any sizes', () => {
  const readable = new Readable({ read() {}, highWaterMark: 1 });
  let written = '';
  for (let index = 0; index < 5000; index++) {
    readable.push(`${index},`);
    written += `${index},`;
  }
  let got = '';
  for (let size = 1; readable.readableLength > 0; size = (size % 97) + 1) {
    got += readable.read(Math.min(size, readable.readableLength));
  }
  assertEquals(got, written);
});

test('much is piped with little in memory', async () => {
  const total = 64 * 1024 * 1024;
  let made = 0;
  let taken = 0;
  let most = 0;
  const source = new Readable({
    read(size) {
      made += size;
      this.push(made > total ? null : Buffer.alloc(size));
    },
  });
  const sink = new Writable({
    write(chunk, _, callback) {
      taken += chunk.length;
      most = Math.max(most, made - taken);
      if (taken % (16 * 65536) === 0) setImmediate(callback);
      else callback();
    },
  });
  await promises.pipeline(source, new PassThrough(), sink);
  assertEquals(taken, total);
  assert(most < 1024 * 1024, `${most} bytes were under way`);
});

test('a destroyed stream lets go of what waits', async () => {
  const writable = new Writable({ write: (chunk, _, callback) => setImmediate(callback) });
  const errors = [];
  writable.on('error', () => {});
  for (let index = 0; index < 3; index++) writable.write('x', (error) => errors.push(error?.code ?? 'written'));
  writable.end((error) => errors.push(error.code));
  writable.destroy();
  await turn(2);
  assertEquals(errors, ['written', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_DESTROYED']);
});

test('consumers', async () => {
  const euro = () => Readable.from([Buffer.from([0xe2, 0x82]), Buffer.from([0xac])]);
  assertEquals(await text(euro()), '\u20ac');
  assertEquals([...(await buffer(euro()))], [0xe2, 0x82, 0xac]);
  assertEquals((await arrayBuffer(euro())).byteLength, 3);
  assertEquals(await (await blob(euro())).text(), '\u20ac');
  assertEquals(await json(Readable.from(['{"a":', '[1]}'])), { a: [1] });
  assertEquals(await text(new Response('web').body), 'web');
  await assertRejects(json(Readable.from(['{'])), SyntaxError);
});

// --- web streams -----------------------------------------------------------------------------------------------------

const upper = () => new Transform({ transform: (chunk, _, callback) => callback(null, String(chunk).toUpperCase()) });

test('web streams as Node streams', async () => {
  const source = () => new Response('from the web').body;
  assertEquals(await text(Readable.fromWeb(source())), 'from the web');
  assertEquals((await Readable.fromWeb(source(), { encoding: 'hex' }).toArray()).join(''), '66726f6d2074686520776562');
  const written = [];
  const sink = Writable.fromWeb(
    new WritableStream({ write: (chunk) => void written.push(String(Buffer.from(chunk))) }),
  );
  sink.write('a');
  sink.end('b');
  await promises.finished(sink);
  assertEquals(written, ['a', 'b']);
  const both = Duplex.fromWeb(new TransformStream(), { encoding: 'utf8' });
  both.end('through');
  assertEquals(await text(both), 'through');
  assertThrows(() => Readable.fromWeb({}), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => Writable.fromWeb(new ReadableStream()), 'ERR_INVALID_ARG_TYPE');
});

test('failures of web streams are errors of Node streams, and the other way', async () => {
  const failing = Readable.fromWeb(new ReadableStream({ pull: (controller) => controller.error(new Error('web')) }));
  await assertRejects(text(failing), Error, 'web');
  const reasons = [];
  const source = new ReadableStream({ cancel: (reason) => void reasons.push(reason.message) });
  const stopped = Readable.fromWeb(source);
  stopped.on('error', () => {});
  stopped.destroy(new Error('stop'));
  await turn(2);
  assertEquals(reasons, ['stop']);
  const broken = Readable.toWeb(
    new Readable({
      read() {
        this.destroy(new Error('node'));
      },
    }),
  );
  await assertRejects(text(broken), Error, 'node');
  const writer = Writable.toWeb(
    new Writable({ write: (chunk, _, callback) => callback(new Error('sink')) }),
  ).getWriter();
  writer.closed.catch(() => {});
  writer.write('a').catch(() => {});
  await turn(2);
  await assertRejects(writer.write('b'), Error, 'sink');
});

test('Node streams as web streams', async () => {
  assertEquals(
    await new Response(Readable.toWeb(Readable.from([Buffer.from('to the '), Buffer.from('web')]))).text(),
    'to the web',
  );
  let made = 0;
  const endless = new Readable({
    highWaterMark: 4,
    read() {
      this.push(`${made++}`);
    },
  });
  const reader = Readable.toWeb(endless).getReader();
  await turn(3);
  assert(made < 20, `${made} chunks for a reader that waits`);
  await reader.cancel();
  await turn();
  assert(endless.destroyed);
  const { readable, writable } = Duplex.toWeb(upper());
  const writer = writable.getWriter();
  writer.write('abc');
  writer.close();
  assertEquals(await text(readable), 'ABC');
});

test('web streams in pipelines', async () => {
  const written = [];
  const sink = () => new WritableStream({ write: (chunk) => void written.push(String(chunk)) });
  await promises.pipeline(
    Readable.from(['a']),
    new TransformStream({ transform: (chunk, to) => to.enqueue(`${chunk}!`) }),
    sink(),
  );
  await promises.pipeline(
    new Response('b').body,
    upper(),
    async function* (chunks) {
      yield* chunks;
    },
    sink(),
  );
  assertEquals(written, ['a!', 'B']);
  const failing = new WritableStream({
    write() {
      throw new Error('sink');
    },
  });
  await assertRejects(promises.pipeline(['a', 'b'], failing), Error, 'sink');
});

test('what is said of web streams', async () => {
  const stream = new ReadableStream({ start: (controller) => controller.enqueue('a') });
  assertEquals([Stream.isReadable(stream), Stream.isErrored(stream), Stream.isDisturbed(stream)], [true, false, false]);
  let called = 0;
  finished(stream, (error) => {
    called++;
    assertEquals(error, undefined);
  });
  const reader = stream.getReader();
  await reader.read();
  assert(Stream.isDisturbed(stream));
  await reader.cancel();
  await turn();
  assertEquals([called, Stream.isReadable(stream)], [1, false]);
  const failed = new WritableStream({ start: (controller) => controller.error(new Error('failed')) });
  await turn();
  await assertRejects(promises.finished(failed), Error, 'failed');
  const controller = new AbortController();
  const aborted = Stream.addAbortSignal(controller.signal, new ReadableStream());
  controller.abort();
  await assertRejects(aborted.getReader().read(), 'AbortError');
});
