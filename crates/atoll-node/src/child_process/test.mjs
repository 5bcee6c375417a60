import { test, assert, assertEquals, assertRejects, assertThrows } from '../../../atoll-test/src/harness.mjs';
import childProcess from 'node:child_process';
import { promisify } from 'node:util';

// A file that Node.js may not execute either.
const file = new URL('./test.mjs', import.meta.url).pathname;
const isAtoll = process.versions.atoll !== undefined;

test('what a package may ask for when it is loaded', () => {
  for (const name of ['exec', 'execFile', 'execFileSync', 'execSync', 'fork', 'spawn', 'spawnSync']) {
    assertEquals([typeof childProcess[name], childProcess[name].name], ['function', name]);
    assertThrows(() => childProcess[name](1), 'ERR_INVALID_ARG_TYPE');
  }
  assertEquals(typeof childProcess.ChildProcess, 'function');
});

function assertRefused(error, syscall, values) {
  assertEquals(
    [error.message, error.code, error.errno, error.syscall, error.path, error.spawnargs],
    [`${syscall} ${file} EACCES`, 'EACCES', -13, `${syscall} ${file}`, file, values],
  );
}

test('a process that is not started', async () => {
  const child = childProcess.spawn(file, ['a', 'b']);
  assertEquals([child.pid, child.spawnfile, child.spawnargs], [undefined, file, [file, 'a', 'b']]);
  const events = [];
  child.on('close', (...values) => events.push(values));
  child.stdout.on('data', () => events.push('data'));
  child.stdin.on('error', () => {});
  assertRefused(await new Promise((resolve) => child.on('error', resolve)), 'spawn', ['a', 'b']);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(events, [[-13, null]]);
});

test('callbacks and promises', async () => {
  const told = await new Promise((resolve) => childProcess.execFile(file, ['a'], (...values) => resolve(values)));
  assertRefused(told[0], 'spawn', ['a']);
  assertEquals([told[0].cmd, told[1], told[2]], [`${file} a`, '', '']);
  const rejected = await assertRejects(() => promisify(childProcess.execFile)(file), 'EACCES');
  assertEquals([rejected.stdout, rejected.stderr], ['', '']);
  assertThrows(() => childProcess.execFile(file, [], {}, 5), 'ERR_INVALID_ARG_TYPE');
});

test('at once', () => {
  const result = childProcess.spawnSync(file, ['a']);
  assertRefused(result.error, 'spawnSync', ['a']);
  assertEquals([result.status, result.signal, result.output, result.pid, result.stdout], [null, null, null, 0, null]);
  const error = assertThrows(() => childProcess.execFileSync(file, ['a']), 'EACCES');
  assertEquals([error.status, error.spawnargs], [null, ['a']]);
});

if (isAtoll) {
  test('no shell is started', async () => {
    assertThrows(() => childProcess.execSync('true'), 'EACCES', 'spawnSync /bin/sh EACCES');
    const error = await new Promise((resolve) => childProcess.exec('true', resolve));
    assertEquals([error.code, error.cmd, error.path], ['EACCES', 'true', '/bin/sh']);
    const forked = childProcess.fork(file);
    assert((await new Promise((resolve) => forked.on('error', resolve))).path === process.execPath);
  });
}
