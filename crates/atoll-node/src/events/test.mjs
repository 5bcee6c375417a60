import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';
import EventEmitter, { once, on, errorMonitor, getEventListeners, captureRejectionSymbol } from 'node:events';

test('listeners run in order, with this and all values', () => {
  const emitter = new EventEmitter();
  const seen = [];
  emitter.on('x', function (a, b) {
    seen.push(['on', a, b, this === emitter]);
  });
  emitter.prependListener('x', () => seen.push('first'));
  emitter.once('x', () => seen.push('once'));
  assert(emitter.emit('x', 1, 2));
  assert(emitter.emit('x', 3));
  assertEquals(seen, ['first', ['on', 1, 2, true], 'once', 'first', ['on', 3, undefined, true]]);
  assert(!emitter.emit('y'));
});

test('a listener removed while the event is being emitted still runs this time', () => {
  const emitter = new EventEmitter();
  const seen = [];
  const second = () => seen.push('second');
  emitter.on('x', () => emitter.off('x', second));
  emitter.on('x', second);
  emitter.emit('x');
  emitter.emit('x');
  assertEquals(seen, ['second']);
});

test('error without a listener throws', () => {
  const emitter = new EventEmitter();
  assertThrows(() => emitter.emit('error', new RangeError('r')), RangeError, 'r');
  const error = assertThrows(
    () => emitter.emit('error', { a: 1 }),
    'ERR_UNHANDLED_ERROR',
    'Unhandled error. ({ a: 1 })',
  );
  assertEquals(error.context, { a: 1 });
  let seen;
  emitter.on(errorMonitor, (value) => (seen = value));
  assertThrows(() => emitter.emit('error', new Error('watched')));
  assertEquals(seen.message, 'watched');
});

test('newListener and removeListener are announced', () => {
  const emitter = new EventEmitter();
  const seen = [];
  const f = () => {};
  emitter.on('newListener', (type, listener) => seen.push(['new', type, listener === f]));
  emitter.on('removeListener', (type, listener) => seen.push(['removed', type, listener === f]));
  emitter.once('a', f);
  emitter.off('a', f);
  assertEquals(seen, [
    ['new', 'removeListener', false],
    ['new', 'a', true],
    ['removed', 'a', true],
  ]);
});

test('counts, names, raw listeners', () => {
  const emitter = new EventEmitter();
  const f = () => {};
  const symbol = Symbol('s');
  emitter.on('a', f).on('a', f).once(symbol, f);
  assertEquals(emitter.listenerCount('a'), 2);
  assertEquals(emitter.listenerCount('a', f), 2);
  assertEquals(emitter.eventNames(), ['a', symbol]);
  assert(emitter.listeners(symbol)[0] === f);
  assert(emitter.rawListeners(symbol)[0].listener === f);
  assertEquals(getEventListeners(emitter, 'a').length, 2);
  emitter.removeAllListeners('a');
  assertEquals(emitter.eventNames(), [symbol]);
  emitter.removeAllListeners();
  assertEquals(emitter.eventNames(), []);
});

test('inheritance, the class and the function way', () => {
  class A extends EventEmitter {}
  function B() {
    EventEmitter.call(this);
  }
  Object.setPrototypeOf(B.prototype, EventEmitter.prototype);
  for (const emitter of [new A(), new B()]) {
    let seen = 0;
    emitter.on('x', () => seen++);
    emitter.emit('x');
    assertEquals(seen, 1);
    assert(emitter instanceof EventEmitter);
  }
  // Without its constructor called, an emitter makes its state when it is first needed.
  const bare = Object.create(EventEmitter.prototype);
  let seen = 0;
  bare.on('x', () => seen++);
  bare.emit('x');
  assertEquals(seen, 1);
});

test('once resolves with the values, rejects on error and abort', async () => {
  const emitter = new EventEmitter();
  queueMicrotask(() => emitter.emit('ready', 1, 2));
  assertEquals(await once(emitter, 'ready'), [1, 2]);
  queueMicrotask(() => emitter.emit('error', new Error('no')));
  await assertRejects(once(emitter, 'ready'), Error, 'no');
  const controller = new AbortController();
  queueMicrotask(() => controller.abort());
  await assertRejects(once(emitter, 'ready', { signal: controller.signal }), 'AbortError', 'aborted');
  assertEquals(emitter.listenerCount('ready') + emitter.listenerCount('error'), 0);
  const target = new EventTarget();
  queueMicrotask(() => target.dispatchEvent(new Event('go')));
  assertEquals((await once(target, 'go'))[0].type, 'go');
});

test('on iterates over events until it is left', async () => {
  const emitter = new EventEmitter();
  queueMicrotask(() => {
    emitter.emit('n', 1);
    emitter.emit('n', 2);
    emitter.emit('n', 3);
  });
  const seen = [];
  for await (const [value] of on(emitter, 'n')) {
    seen.push(value);
    if (value === 3) break;
  }
  assertEquals(seen, [1, 2, 3]);
  assertEquals(emitter.listenerCount('n'), 0);
  const closing = on(emitter, 'n', { close: ['end'] });
  emitter.emit('n', 'last');
  emitter.emit('end');
  assertEquals(await closing.next(), { value: ['last'], done: false });
  assertEquals(await closing.next(), { value: undefined, done: true });
});

test('rejections of async listeners are captured', async () => {
  const emitter = new EventEmitter({ captureRejections: true });
  const caught = once(emitter, 'error').catch((error) => error);
  const errors = [];
  emitter.on('error', (error) => errors.push(error.message));
  emitter.on('x', async () => {
    throw new Error('late');
  });
  emitter.emit('x');
  await caught;
  assertEquals(errors, ['late']);
  const own = new EventEmitter({ captureRejections: true });
  const seen = await new Promise((resolve) => {
    own[captureRejectionSymbol] = (error, type, value) => resolve([error.message, type, value]);
    own.on('y', async () => {
      throw new Error('own');
    });
    own.emit('y', 7);
  });
  assertEquals(seen, ['own', 'y', 7]);
});

test('arguments are checked', () => {
  const emitter = new EventEmitter();
  assertThrows(
    () => emitter.on('x', 5),
    'ERR_INVALID_ARG_TYPE',
    'The "listener" argument must be of type function. Received type number (5)',
  );
  assertThrows(() => emitter.setMaxListeners(-1), 'ERR_OUT_OF_RANGE');
  assertThrows(() => {
    EventEmitter.defaultMaxListeners = 'x';
  }, 'ERR_INVALID_ARG_TYPE');
});
