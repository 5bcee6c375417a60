import { test, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import threads, { Worker, isMainThread } from 'node:worker_threads';

const isAtoll = process.versions.atoll !== undefined;

test('the main thread', () => {
  assertEquals([isMainThread, threads.threadId, threads.parentPort, threads.workerData], [true, 0, null, null]);
  assertEquals([threads.resourceLimits, threads.SHARE_ENV], [{}, Symbol.for('nodejs.worker_threads.SHARE_ENV')]);
});

test('data of the environment', () => {
  threads.setEnvironmentData('a', { b: 1 });
  assertEquals([threads.getEnvironmentData('a'), threads.getEnvironmentData('b')], [{ b: 1 }, undefined]);
  threads.setEnvironmentData('a');
  assertEquals(threads.getEnvironmentData('a'), undefined);
});

if (isAtoll) {
  test('no other thread is started', () => {
    const error = assertThrows(() => new Worker('/app/other.js'), 'ERR_ACCESS_DENIED', 'one thread');
    assertEquals([error.permission, error.resource], ['WorkerThreads', '/app/other.js']);
  });
}
