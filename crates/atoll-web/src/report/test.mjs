import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';

const exact = globalThis.navigator?.userAgent?.startsWith('Atoll') === true;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs `body` and returns the events of a type that reached the global object meanwhile, all of them prevented. */
async function during(type, body) {
  const events = [];
  const listener = (event) => {
    event.preventDefault();
    events.push(event);
  };
  addEventListener(type, listener);
  try {
    await body();
    await sleep(10);
  } finally {
    removeEventListener(type, listener);
  }
  return events;
}

if (exact) {
  test('the global object is an event target', () => {
    assert(self === globalThis);
    let seen;
    addEventListener('custom', function (event) {
      seen = [this === globalThis, event.target === globalThis, event.currentTarget === globalThis];
    }, { once: true });
    assertEquals(dispatchEvent(new Event('custom')), true);
    assertEquals(seen, [true, true, true]);
    globalThis.addEventListener('custom', () => (seen = 'again'), { once: true });
    globalThis.dispatchEvent(new Event('custom'));
    assertEquals(seen, 'again');
  });

  test('reportError fires an error event', async () => {
    const error = new RangeError('reported');
    const events = await during('error', () => reportError(error));
    assertEquals(events.length, 1);
    const [event] = events;
    assert(event instanceof ErrorEvent && event.error === error && event.isTrusted && event.cancelable);
    assertEquals([event.message, event.filename.endsWith('test.mjs'), event.lineno > 0, event.colno > 0], ['Uncaught RangeError: reported', true, true, true]);
    assertThrows(() => reportError(), TypeError);
  });

  test('any value can be reported', async () => {
    const hostile = { get name() { throw new Error('no name'); } };
    const events = await during('error', () => {
      for (const value of ['text', null, undefined, 5, hostile, Object.create(null)]) reportError(value);
    });
    assertEquals(events.map((event) => event.message), ['Uncaught text', 'Uncaught null', 'Uncaught undefined', 'Uncaught 5', 'Uncaught exception', 'Uncaught Error: undefined']);
    assert(events[4].error === hostile);
  });

  test('what listeners and microtasks throw is reported, and does not stop what comes after', async () => {
    const calls = [];
    const events = await during('error', () => {
      const target = new EventTarget();
      target.addEventListener('x', () => { throw new Error('listener'); });
      target.addEventListener('x', { handleEvent: 5 });
      target.addEventListener('x', () => calls.push('after'));
      target.dispatchEvent(new Event('x'));
      queueMicrotask(() => { throw new Error('microtask'); });
    });
    assertEquals(calls, ['after']);
    assertEquals(events.map((event) => event.error.message), ['listener', 'The event listener has no handleEvent method.', 'microtask']);
  });

  test('what timers throw is reported; the timers after them run', async () => {
    const calls = [];
    const events = await during('error', async () => {
      setTimeout(() => { throw new Error('timer'); }, 1);
      setTimeout(() => calls.push('next'), 1);
      await sleep(20);
    });
    assertEquals([events.map((event) => event.error.message), calls], [['timer'], ['next']]);
  });

  test('onerror gets its five arguments, and true handles the error', () => {
    const seen = [];
    globalThis.onerror = (...args) => {
      seen.push(args.length, args[0], args[4].message);
      return true;
    };
    reportError(new Error('five'));
    globalThis.onerror = null;
    assertEquals(seen, [5, 'Uncaught Error: five', 'five']);
    assertEquals(globalThis.onerror, null);
  });

  test('unhandled rejections', async () => {
    const reason = new Error('nobody');
    let promise;
    const events = await during('unhandledrejection', () => {
      promise = Promise.reject(reason);
    });
    assertEquals(events.length, 1);
    assert(events[0] instanceof PromiseRejectionEvent && events[0].promise === promise && events[0].reason === reason);
    const handled = await during('unhandledrejection', () => {
      Promise.reject(reason).catch(() => {});
    });
    assertEquals(handled, []);
  });
} else {
  test('this runtime does not report errors to its global object', () => assertEquals(typeof globalThis.reportError, 'undefined'));
}
