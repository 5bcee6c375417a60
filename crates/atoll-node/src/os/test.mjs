import { test, assert, assertEquals } from '../../../atoll-test/src/harness.mjs';
import os, { EOL, constants } from 'node:os';

test('a Linux machine', () => {
  assertEquals(
    [os.platform(), os.type(), EOL, os.endianness(), os.devNull, `${os.platform}`],
    ['linux', 'Linux', '\n', 'LE', '/dev/null', 'linux'],
  );
  assert(os.totalmem() >= os.freemem() && os.cpus().length >= 1 && os.availableParallelism() >= 1);
  assert(os.homedir().startsWith('/') && os.tmpdir() === '/tmp');
  for (const read of [os.hostname, os.release, os.version, os.arch, os.machine])
    assert(typeof read() === 'string' && read().length > 0);
  assertEquals(os.loadavg().length, 3);
  assert(os.uptime() >= 0 && typeof os.userInfo().username === 'string' && typeof os.networkInterfaces() === 'object');
});

test('constants', () => {
  assertEquals(
    [constants.signals.SIGKILL, constants.errno.ENOENT, constants.errno.EWOULDBLOCK, constants.priority.PRIORITY_LOW],
    [9, 2, 11, 19],
  );
});
