import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';

// Some runtimes this file is compared with deviate from the standard here.
const exact = globalThis.navigator?.userAgent?.startsWith('Atoll') === true;

test('event members after construction', () => {
  const event = new Event('ping', { cancelable: true, bubbles: 1 });
  assertEquals([event.type, event.bubbles, event.cancelable, event.composed], ['ping', true, true, false]);
  assertEquals([event.target, event.currentTarget, event.srcElement, event.eventPhase], [null, null, null, 0]);
  assertEquals([event.defaultPrevented, event.returnValue, event.cancelBubble, event.isTrusted], [false, true, false, false]);
  assertEquals(event.composedPath(), []);
  assert(event.timeStamp >= 0);
  assertEquals(Event.length, 1);
  if (exact) assertEquals([Event.AT_TARGET, Event.prototype.BUBBLING_PHASE, event.CAPTURING_PHASE, event.NONE], [2, 3, 1, 0]);
  assertThrows(() => new Event(), TypeError);
  assertThrows(() => new Event('x', 1), TypeError);
  assertThrows(() => Event('x'), TypeError);
  assertEquals(new Event(undefined).type, 'undefined');
});

test('guests cannot make a trusted event', () => {
  const event = new Event('x', { isTrusted: true });
  assertEquals(event.isTrusted, false);
  assertThrows(() => { event.isTrusted = true; }, TypeError);
});

test('dispatch sets target and phase, and clears them again', () => {
  const target = new EventTarget();
  let seen;
  target.addEventListener('ping', function (event) {
    seen = [this === target, event.target === target, event.currentTarget === target, event.eventPhase, event.composedPath().length];
  });
  const event = new Event('ping');
  assertEquals(target.dispatchEvent(event), true);
  assertEquals(seen, [true, true, true, 2, 1]);
  assertEquals([event.target === target, event.currentTarget, event.eventPhase], [true, null, 0]);
});

test('order: capturing listeners first, then as added; the same listener only once', () => {
  const target = new EventTarget();
  const calls = [];
  const twice = () => calls.push('bubble');
  target.addEventListener('x', twice);
  target.addEventListener('x', twice);
  target.addEventListener('x', twice, false);
  target.addEventListener('x', twice, { capture: true });
  target.addEventListener('x', () => calls.push('last'));
  target.dispatchEvent(new Event('x'));
  assertEquals(calls.filter((call) => call === 'bubble').length, 2);
  assertEquals(calls.at(-1), 'last');
});

test('handleEvent is read at each dispatch', () => {
  const target = new EventTarget();
  const calls = [];
  const listener = {
    handleEvent(event) {
      calls.push(['first', this === listener, event.type]);
    },
  };
  target.addEventListener('x', listener);
  target.dispatchEvent(new Event('x'));
  listener.handleEvent = () => calls.push('second');
  target.dispatchEvent(new Event('x'));
  assertEquals(calls, [['first', true, 'x'], 'second']);
});

test('once, removal during dispatch, additions during dispatch', () => {
  const target = new EventTarget();
  const calls = [];
  const removed = () => calls.push('removed');
  target.addEventListener('x', () => {
    calls.push('once');
    target.removeEventListener('x', removed);
    target.addEventListener('x', () => calls.push('added'), { once: true });
  }, { once: true });
  target.addEventListener('x', removed);
  target.dispatchEvent(new Event('x'));
  assertEquals(calls, ['once']);
  target.dispatchEvent(new Event('x'));
  target.dispatchEvent(new Event('x'));
  assertEquals(calls, ['once', 'added']);
});

test('a once listener may dispatch again without being called again', () => {
  const target = new EventTarget();
  let count = 0;
  target.addEventListener('x', () => {
    count++;
    target.dispatchEvent(new Event('x'));
  }, { once: true });
  target.dispatchEvent(new Event('x'));
  assertEquals(count, 1);
});

test('signal removes the listener', () => {
  const target = new EventTarget();
  const controller = new AbortController();
  let count = 0;
  target.addEventListener('x', () => count++, { signal: controller.signal });
  target.dispatchEvent(new Event('x'));
  controller.abort();
  target.dispatchEvent(new Event('x'));
  target.addEventListener('x', () => count++, { signal: controller.signal });
  target.dispatchEvent(new Event('x'));
  assertEquals(count, 1);
  assertThrows(() => target.addEventListener('x', () => {}, { signal: {} }), TypeError);
  assertThrows(() => target.addEventListener('x', () => {}, { signal: null }), TypeError);
});

test('preventDefault needs cancelable and an active listener', () => {
  const target = new EventTarget();
  target.addEventListener('x', (event) => event.preventDefault());
  assertEquals(target.dispatchEvent(new Event('x')), true);
  const event = new Event('x', { cancelable: true });
  assertEquals(target.dispatchEvent(event), false);
  assertEquals([event.defaultPrevented, event.returnValue], [true, false]);
});

test('stopImmediatePropagation ends the list', () => {
  const target = new EventTarget();
  const calls = [];
  target.addEventListener('x', (event) => {
    calls.push(1);
    event.stopImmediatePropagation();
  });
  target.addEventListener('x', () => calls.push(2));
  target.dispatchEvent(new Event('x'));
  assertEquals(calls, [1]);
});

test('dispatching an event during its dispatch is an InvalidStateError', () => {
  const target = new EventTarget();
  let caught;
  target.addEventListener('x', (event) => {
    try {
      target.dispatchEvent(event);
    } catch (error) {
      caught = error;
    }
  });
  target.dispatchEvent(new Event('x'));
  assert(caught !== undefined);
});

test('arguments', () => {
  const target = new EventTarget();
  assertEquals(target.addEventListener('x', null), undefined);
  assertEquals(target.removeEventListener('x', null), undefined);
  assertThrows(() => target.dispatchEvent({}), TypeError);
  assertThrows(() => target.dispatchEvent(null), TypeError);
  assertThrows(() => EventTarget.prototype.addEventListener.call({}, 'x', () => {}), TypeError);
});

test('subclasses and CustomEvent', () => {
  class Bus extends EventTarget {}
  const bus = new Bus();
  let detail;
  bus.addEventListener('news', (event) => (detail = event.detail));
  const payload = { a: 1 };
  bus.dispatchEvent(new CustomEvent('news', { detail: payload }));
  assert(detail === payload);
  assertEquals(new CustomEvent('x').detail, null);
  assertEquals(Object.prototype.toString.call(new CustomEvent('x')), '[object CustomEvent]');
});

test('listeners are not found through patched prototypes', () => {
  const target = new EventTarget();
  const { push, splice } = Array.prototype;
  const { get } = Map.prototype;
  let leaked = false;
  let calls = 0;
  Array.prototype.push = Array.prototype.splice = function () { leaked = true; };
  Map.prototype.get = function () { leaked = true; };
  try {
    target.addEventListener('x', () => calls++, { once: true });
    target.dispatchEvent(new Event('x'));
    target.dispatchEvent(new Event('x'));
  } finally {
    Array.prototype.push = push;
    Array.prototype.splice = splice;
    Map.prototype.get = get;
  }
  assertEquals(calls, 1);
  if (exact) assertEquals(leaked, false);
});

if (globalThis.ErrorEvent !== undefined) {
  test('ErrorEvent and PromiseRejectionEvent carry their data', () => {
    const error = new Error('x');
    const event = new ErrorEvent('error', { message: 'm', filename: 'f', lineno: 3, colno: 4, error });
    assertEquals([event.message, event.filename, event.lineno, event.colno, event.error === error], ['m', 'f', 3, 4, true]);
    assertEquals([new ErrorEvent('error').error, new ErrorEvent('error', null).message], [undefined, '']);
    const promise = Promise.resolve();
    const rejection = new PromiseRejectionEvent('unhandledrejection', { promise, reason: 7 });
    assert(rejection.promise === promise && rejection.reason === 7);
    assertThrows(() => new PromiseRejectionEvent('x'), TypeError);
    assertThrows(() => new PromiseRejectionEvent('x', {}), TypeError);
  });
}

if (globalThis.MessageEvent !== undefined) {
  test('MessageEvent', () => {
    const event = new MessageEvent('message', { data: [1], origin: 'o', lastEventId: 5 });
    assertEquals([event.data, event.origin, event.lastEventId, event.source, event.ports], [[1], 'o', '5', null, []]);
    assertEquals(new MessageEvent('x').data, null);
  });
}
