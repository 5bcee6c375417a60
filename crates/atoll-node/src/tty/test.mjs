import { test, assertEquals } from '../../../atoll-test/src/harness.mjs';
import tty, { isatty } from 'node:tty';

test('what is no terminal', () => {
  assertEquals([isatty(-1), isatty(1000), isatty('1'), isatty(), tty.isatty === isatty], [false, false, false, false, true]);
});
