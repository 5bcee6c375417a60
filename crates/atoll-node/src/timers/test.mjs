import { test, assert, assertEquals, assertRejects } from '../../../atoll-test/src/harness.mjs';
import timers, { setTimeout as start, clearTimeout as clear } from 'node:timers';
import promises, {
  setTimeout as wait,
  setImmediate as soon,
  setInterval as every,
  scheduler,
} from 'node:timers/promises';
import { promisify } from 'node:util';

test('the same functions as the globals', () => {
  assert(
    start === globalThis.setTimeout &&
      clear === globalThis.clearTimeout &&
      timers.setImmediate === globalThis.setImmediate &&
      timers.promises === promises,
  );
  assert(globalThis.global === globalThis);
});

test('an immediate runs after microtasks and can be cleared', async () => {
  const seen = [];
  await new Promise((resolve) => {
    clearImmediate(setImmediate(() => seen.push('cleared')));
    setImmediate((value) => {
      seen.push(value);
      resolve();
    }, 'immediate');
    Promise.resolve().then(() => seen.push('microtask'));
  });
  assertEquals(seen, ['microtask', 'immediate']);
});

test('promises', async () => {
  assertEquals(
    [
      await wait(1, 'value'),
      await soon('now'),
      await scheduler.wait(1),
      await promisify(setTimeout)(1, 'p'),
      await promisify(setImmediate)('q'),
    ],
    ['value', 'now', undefined, 'p', 'q'],
  );
  await assertRejects(wait('x'), 'ERR_INVALID_ARG_TYPE');
});

test('a signal cuts them short', async () => {
  const controller = new AbortController();
  const waiting = wait(60_000, null, { signal: controller.signal });
  controller.abort(new Error('enough'));
  const error = await assertRejects(waiting, 'AbortError');
  assertEquals([error.code, error.cause.message], ['ABORT_ERR', 'enough']);
  await assertRejects(soon(1, { signal: AbortSignal.abort() }), 'AbortError');
});

test('intervals', async () => {
  const seen = [];
  for await (const value of every(1, 'tick')) {
    seen.push(value);
    if (seen.length === 3) break;
  }
  assertEquals(seen, ['tick', 'tick', 'tick']);
});
