import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';
import readline, { Interface, createInterface } from 'node:readline';
import * as readlinePromises from 'node:readline/promises';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { promisify } from 'node:util';

const turn = () => new Promise((resolve) => setTimeout(resolve, 2));

function start(options) {
  const input = new PassThrough();
  const output = new PassThrough({ encoding: 'utf8' });
  const lines = createInterface({ input, output, ...options });
  const seen = [];
  for (const event of ['line', 'pause', 'resume', 'close']) {
    lines.on(event, (line) => seen.push(line === undefined ? event : `${event} ${line}`));
  }
  return { input, output, lines, seen };
}

test('lines of all ends, in pieces', async () => {
  const read = async (...parts) => {
    const { input, lines, seen } = start();
    for (const part of parts) {
      input.write(part);
      await turn();
    }
    input.end();
    await once(lines, 'close');
    return seen.filter((each) => each.startsWith('line')).map((each) => each.slice(5));
  };
  assertEquals(await read('a\nb\r\nc'), ['a', 'b', 'c']);
  assertEquals(await read('a\r', '\nb\n'), ['a', 'b']);
  assertEquals(await read('one', ' two', '\nthree\n'), ['one two', 'three']);
  assertEquals(await read('\n\n\r\n\r'), ['', '', '', '']);
  assertEquals(await read(Buffer.from([0xe2, 0x82]), Buffer.from([0xac, 10])), ['\u20ac']);
  assertEquals(await read('x\u2028y'), ['x\u2028y']);
  assertEquals(await read(''), []);
});

test('a late line feed is a line of its own', async () => {
  const { input, lines, seen } = start({ crlfDelay: 1 });
  input.write('a\r');
  await new Promise((resolve) => setTimeout(resolve, 130));
  input.write('\nb\n');
  await turn();
  lines.close();
  assertEquals(seen, ['line a', 'line ', 'line b', 'pause', 'close']);
});

test('prompting, pausing, closing', async () => {
  const { input, output, lines, seen } = start();
  lines.prompt();
  lines.setPrompt('? ');
  assertEquals(lines.getPrompt(), '? ');
  lines.pause();
  lines.prompt();
  lines.write('typed\npart');
  input.write(' and rest\n');
  await turn();
  lines.close();
  lines.close();
  assert(lines.closed && input.isPaused());
  assertEquals(output.read(), '> ? ');
  assertEquals(seen, ['pause', 'resume', 'line typed', 'line part and rest', 'pause', 'close']);
  assertThrows(() => lines.question('late?', () => {}), 'ERR_USE_AFTER_CLOSE');
});

test('questions', async () => {
  const { input, output, lines, seen } = start();
  const answers = [];
  lines.question('name? ', (name) => {
    answers.push(name);
    lines.question('age? ', (age) => answers.push(age));
  });
  input.write('joe\n5\nmore\n');
  await turn();
  assertEquals([answers, seen, output.read()], [['joe', '5'], ['line more'], 'name? age? ']);
  const ask = promisify(lines.question).bind(lines);
  setTimeout(() => input.write('yes\n'), 1);
  assertEquals(await ask('sure? '), 'yes');
  const controller = new AbortController();
  lines.question('never? ', { signal: controller.signal }, () => answers.push('never'));
  controller.abort();
  input.write('x\n');
  await turn();
  assertEquals([answers.length, lines.getPrompt()], [2, '> ']);
  lines.close();
});

test('questions as promises', async () => {
  const input = new PassThrough();
  const lines = readlinePromises.createInterface({ input });
  assert(readline.promises.createInterface === readlinePromises.createInterface);
  setTimeout(() => input.write('one\n'), 1);
  assertEquals(await lines.question('? '), 'one');
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 1);
  await assertRejects(lines.question('? ', { signal: controller.signal }), 'AbortError');
  await assertRejects(lines.question('? ', { signal: AbortSignal.abort() }), 'AbortError');
  lines.close();
  await assertRejects(lines.question('? '), 'ERR_USE_AFTER_CLOSE');
});

test('an async iterator over the lines', async () => {
  const lines = [];
  for await (const line of createInterface({ input: Readable.from(['a\nb\n', 'c\nlast']) })) lines.push(line);
  assertEquals(lines, ['a', 'b', 'c', 'last']);
  const long = Readable.from([Array.from({ length: 5000 }, (_, index) => `line ${index}`).join('\n')]);
  let count = 0;
  for await (const line of createInterface({ input: long, crlfDelay: Infinity })) assertEquals(line, `line ${count++}`);
  assertEquals(count, 5000);
  const broken = new PassThrough();
  setTimeout(() => broken.destroy(new Error('broken')), 1);
  await assertRejects(
    async () => {
      for await (const line of createInterface({ input: broken })) void line;
    },
    Error,
    'broken',
  );
});

test('arguments', () => {
  const input = new PassThrough();
  assert(Interface({ input }) instanceof Interface && createInterface(input) instanceof Interface);
  assertThrows(() => createInterface({ input, completer: 5 }), 'ERR_INVALID_ARG_VALUE');
  assertThrows(() => createInterface({ input, history: 5 }), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => createInterface({ input, historySize: -1 }), 'ERR_OUT_OF_RANGE');
  assertThrows(() => createInterface({ input, tabSize: 0 }), 'ERR_OUT_OF_RANGE');
  assertThrows(() => createInterface({ input, signal: 5 }), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => createInterface(5), TypeError);
  const controller = new AbortController();
  const lines = createInterface({ input, signal: controller.signal });
  controller.abort();
  assert(lines.closed);
});

test('control sequences', async () => {
  const output = new PassThrough({ encoding: 'utf8' });
  readline.clearLine(output, -1);
  readline.clearLine(output, 0);
  readline.clearScreenDown(output);
  readline.cursorTo(output, 1);
  readline.cursorTo(output, 1, 2);
  readline.moveCursor(output, -3, 4);
  assert(readline.moveCursor(output, 0, 0));
  assertEquals(output.read(), '\x1b[1K\x1b[2K\x1b[0J\x1b[2G\x1b[3;2H\x1b[3D\x1b[4B');
  assertThrows(() => readline.cursorTo(output, NaN), 'ERR_INVALID_ARG_VALUE');
  assertThrows(() => readline.cursorTo(output, 'a', 1), 'ERR_INVALID_CURSOR_POS');
  const together = new readlinePromises.Readline(output);
  await together.cursorTo(0).clearLine(1).moveCursor(1, 0).commit();
  await together.clearScreenDown().rollback().commit();
  assertEquals(output.read(), '\x1b[1G\x1b[0K\x1b[1C');
});
