import { test, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import net, { isIP, isIPv4, isIPv6 } from 'node:net';

const isAtoll = process.versions.atoll !== undefined;

test('what is an IP address', () => {
  for (const [input, family] of [
    ['127.0.0.1', 4], ['255.255.255.255', 4], ['::1', 6], ['fe80::1%eth0', 6], ['::ffff:127.0.0.1', 6], ['01.1.1.1', 0],
    ['1.1.1', 0], ['localhost', 0], ['', 0], [undefined, 0], [null, 0], [4, 0], [{ toString: () => '::2001:252:1:255.255.255.255' }, 6],
  ]) {
    assertEquals([isIP(input), isIPv4(input), isIPv6(input)], [family, family === 4, family === 6]);
  }
});

test('settings of connections', () => {
  const before = net.getDefaultAutoSelectFamilyAttemptTimeout();
  net.setDefaultAutoSelectFamilyAttemptTimeout(before * 2);
  assertEquals(net.getDefaultAutoSelectFamilyAttemptTimeout(), before * 2);
  net.setDefaultAutoSelectFamilyAttemptTimeout(1);
  assertEquals(net.getDefaultAutoSelectFamilyAttemptTimeout(), 10);
  assertThrows(() => net.setDefaultAutoSelectFamilyAttemptTimeout(0), 'ERR_OUT_OF_RANGE');
  assertThrows(() => net.setDefaultAutoSelectFamily(1), 'ERR_INVALID_ARG_TYPE');
  net.setDefaultAutoSelectFamily(true);
  assertEquals(net.getDefaultAutoSelectFamily(), true);
});

if (isAtoll) {
  test('no socket is opened', () => {
    for (const name of ['connect', 'createConnection', 'createServer']) {
      assertEquals(assertThrows(() => net[name](1), 'ERR_ACCESS_DENIED').permission, 'Net');
    }
    assertThrows(() => new net.Socket(), 'ERR_ACCESS_DENIED');
    assertThrows(() => new net.Server(), 'ERR_ACCESS_DENIED');
  });
}
