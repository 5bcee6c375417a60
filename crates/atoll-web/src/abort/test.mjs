import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';

const exact = globalThis.navigator?.userAgent?.startsWith('Atoll') === true;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('abort sets state, reason, and fires once', () => {
  const controller = new AbortController();
  const { signal } = controller;
  assert(signal === controller.signal);
  assertEquals([signal.aborted, signal.reason, signal.onabort], [false, undefined, null]);
  const events = [];
  signal.addEventListener('abort', (event) => events.push([event.type, event.target === signal, event.isTrusted, event.cancelable]));
  controller.abort();
  controller.abort('again');
  assertEquals(events, [['abort', true, true, false]]);
  assertEquals([signal.aborted, signal.reason.name, signal.reason instanceof DOMException], [true, 'AbortError', true]);
});

test('reasons are kept as they are', () => {
  for (const reason of ['text', null, 0, false]) {
    const controller = new AbortController();
    controller.abort(reason);
    assertEquals(controller.signal.reason, reason);
    assertEquals(AbortSignal.abort(reason).reason, reason);
  }
  assertEquals(AbortSignal.abort().reason.name, 'AbortError');
  assertEquals(AbortSignal.abort(undefined).reason.code, 20);
});

test('throwIfAborted', () => {
  const reason = new RangeError('why');
  new AbortController().signal.throwIfAborted();
  let caught;
  try {
    AbortSignal.abort(reason).throwIfAborted();
  } catch (error) {
    caught = error;
  }
  assert(caught === reason);
});

test('signals are not constructible, receivers are checked', () => {
  assertThrows(() => new AbortSignal(), TypeError);
  assertThrows(() => AbortController(), TypeError);
  assertThrows(() => Reflect.get(AbortSignal.prototype, 'aborted', {}), TypeError);
  assertThrows(() => AbortController.prototype.abort.call({}), TypeError);
  assertEquals(Object.prototype.toString.call(new AbortController().signal), '[object AbortSignal]');
});

test('onabort keeps its place among the listeners and can be replaced', () => {
  const controller = new AbortController();
  const { signal } = controller;
  const calls = [];
  signal.onabort = () => calls.push('old');
  signal.addEventListener('abort', () => calls.push('listener'));
  const replacement = function () {
    calls.push(this === signal ? 'new' : 'wrong this');
  };
  signal.onabort = replacement;
  assert(signal.onabort === replacement);
  controller.abort();
  assertEquals(calls, ['new', 'listener']);
  if (exact) {
    signal.onabort = 5;
    assertEquals(signal.onabort, null);
  }
});

test('timeout', async () => {
  const signal = AbortSignal.timeout(5);
  assertEquals(signal.aborted, false);
  await sleep(60);
  assertEquals([signal.aborted, signal.reason.name, signal.reason.code], [true, 'TimeoutError', 23]);
  assertThrows(() => AbortSignal.timeout(), TypeError);
  if (exact) {
    assertThrows(() => AbortSignal.timeout(-1), TypeError);
    assertThrows(() => AbortSignal.timeout(NaN), TypeError);
    assertThrows(() => AbortSignal.timeout(Infinity), TypeError);
    assertEquals(AbortSignal.timeout(2 ** 40).aborted, false);
  }
});

test('any follows its sources', () => {
  const [first, second] = [new AbortController(), new AbortController()];
  const signal = AbortSignal.any([first.signal, second.signal]);
  const events = [];
  signal.onabort = (event) => events.push(event.target === signal);
  assertEquals(signal.aborted, false);
  second.abort('second');
  first.abort('first');
  assertEquals([signal.aborted, signal.reason, events], [true, 'second', [true]]);
});

test('any of nothing, of one aborted, of any', () => {
  assertEquals(AbortSignal.any([]).aborted, false);
  assertEquals(AbortSignal.any([new AbortController().signal, AbortSignal.abort(7), AbortSignal.abort(8)]).reason, 7);
  const controller = new AbortController();
  const nested = AbortSignal.any([AbortSignal.any([AbortSignal.any([controller.signal]), new AbortController().signal])]);
  controller.abort('deep');
  assertEquals([nested.aborted, nested.reason], [true, 'deep']);
  assertThrows(() => AbortSignal.any(), TypeError);
  assertThrows(() => AbortSignal.any([{}]), TypeError);
  assertThrows(() => AbortSignal.any(5), TypeError);
});

test('dependents are aborted before any listener runs', () => {
  const controller = new AbortController();
  const dependent = AbortSignal.any([controller.signal]);
  let seen;
  controller.signal.addEventListener('abort', () => (seen = dependent.aborted));
  controller.abort();
  if (exact) assertEquals(seen, true);
  assertEquals(dependent.aborted, true);
});

test('a dependent that is listened to survives collection', async () => {
  const controller = new AbortController();
  let heard = 0;
  for (let round = 0; round < 200; round++) {
    AbortSignal.any([controller.signal]).addEventListener('abort', () => heard++);
    AbortSignal.any([controller.signal]); // nobody's
  }
  await sleep(1);
  globalThis.gc?.();
  await sleep(1);
  controller.abort();
  assertEquals(heard, 200);
});
