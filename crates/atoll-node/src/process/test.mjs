import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import process from 'node:process';

test('what the program was started with', () => {
  assert(globalThis.process === process);
  assert(Array.isArray(process.argv) && typeof process.argv[0] === 'string');
  assertEquals(process.platform, 'linux');
  assert(/^v\d+\.\d+\.\d+$/.test(process.version) && process.versions.node === process.version.slice(1));
  assert(process.cwd().startsWith('/'));
  assertEquals(Object.prototype.toString.call(process), '[object process]');
  assertEquals(process.release.name, 'node');
});

test('environment variables are strings', () => {
  process.env.ATOLL_TEST = 5;
  assertEquals(process.env.ATOLL_TEST, '5');
  assert('ATOLL_TEST' in process.env && Object.keys(process.env).includes('ATOLL_TEST'));
  delete process.env.ATOLL_TEST;
  assertEquals(process.env.ATOLL_TEST, undefined);
  assertThrows(() => {
    process.env.X = Symbol('s');
  }, TypeError);
});

test('time', () => {
  const start = process.hrtime();
  const [seconds, nanoseconds] = process.hrtime(start);
  assert(seconds === 0 && nanoseconds >= 0 && nanoseconds < 1e9);
  assert(typeof process.hrtime.bigint() === 'bigint' && process.uptime() >= 0);
});

test('each look at the clock tells a later time', () => {
  const seen = [];
  for (let index = 0; index < 100; index++) seen.push(process.hrtime.bigint());
  assert(seen.every((time, index) => index === 0 || time > seen[index - 1]));
  const [seconds, nanoseconds] = process.hrtime(process.hrtime());
  assert(seconds * 1e9 + nanoseconds > 0);
});

test('the user, the umask and the working directory', () => {
  assertEquals([process.geteuid(), process.getegid()], [process.getuid(), process.getgid()]);
  assert(Number.isInteger(process.getuid()) && process.getgroups().every(Number.isInteger));
  const before = process.umask(0o77);
  assertEquals([process.umask(), process.umask('22'), process.umask(before)], [0o77, 0o77, 0o22]);
  assertThrows(() => process.umask('x'), 'ERR_INVALID_ARG_VALUE');
  assertThrows(() => process.umask({}), 'ERR_INVALID_ARG_TYPE');
  const directory = process.cwd();
  process.chdir('/');
  assertEquals(process.cwd(), '/');
  const error = assertThrows(() => process.chdir('none'), 'ENOENT');
  assertEquals([error.message, error.syscall, error.path, error.dest], ["ENOENT: no such file or directory, chdir '/' -> 'none'", 'chdir', '/', 'none']);
  process.chdir(directory);
  assertEquals(process.cwd(), directory);
  assertThrows(() => process.chdir(1), 'ERR_INVALID_ARG_TYPE');
});

test('ticks run before promises, in order, and ticks of ticks too', async () => {
  const seen = [];
  await new Promise((resolve) => {
    setTimeout(() => {
      Promise.resolve().then(() => seen.push('promise'));
      process.nextTick((value) => {
        seen.push(value);
        process.nextTick(() => seen.push('tick 3'));
        Promise.resolve().then(() => {
          seen.push('promise 2');
          process.nextTick(() => {
            seen.push('tick 4');
            resolve();
          });
        });
      }, 'tick 1');
      process.nextTick(() => seen.push('tick 2'));
      seen.push('now');
    }, 0);
  });
  assertEquals(seen, ['now', 'tick 1', 'tick 2', 'tick 3', 'promise', 'promise 2', 'tick 4']);
  assertThrows(() => process.nextTick('x'), 'ERR_INVALID_ARG_TYPE', 'The "callback" argument must be of type function');
});

test('warnings', async () => {
  const warning = await new Promise((resolve) => {
    process.once('warning', resolve);
    process.emitWarning('careful', { type: 'TestWarning', code: 'T1', detail: 'more' });
  });
  assertEquals([warning.name, warning.message, warning.code, warning.detail], ['TestWarning', 'careful', 'T1', 'more']);
});

test('exitCode takes integers', () => {
  process.exitCode = 3;
  assertEquals(process.exitCode, 3);
  assertThrows(() => {
    process.exitCode = 1.5;
  }, 'ERR_OUT_OF_RANGE');
  assertThrows(() => {
    process.exitCode = 'x';
  }, 'ERR_INVALID_ARG_TYPE');
  process.exitCode = undefined;
  assertEquals(process.exitCode, undefined);
});

test('builtins by name', async () => {
  const path = await import('node:path');
  assert(process.getBuiltinModule('node:path') === path.default && process.getBuiltinModule('path') === path.default);
  assertEquals(process.getBuiltinModule('no-such-module'), undefined);
});

test('output', async () => {
  assertEquals([process.stdout.fd, process.stderr.fd, process.stdout.writable], [1, 2, true]);
  await new Promise((resolve) => process.stdout.write('', resolve));
  assertThrows(() => process.stdout.write(5), 'ERR_INVALID_ARG_TYPE');
});

test('standard input is a stream', () => {
  assertEquals(typeof process.stdin.read, 'function');
  assertEquals(process.stdin.fd, 0);
});
