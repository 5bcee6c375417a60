import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';

const exact = globalThis.navigator?.userAgent?.startsWith('Atoll') === true;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const busy = (ms) => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};

test('timers fire in order of their deadlines, ties in order of creation', async () => {
  const calls = [];
  setTimeout(() => calls.push('30'), 30);
  setTimeout(() => calls.push('10a'), 10);
  setTimeout(() => calls.push('1'), 1);
  setTimeout(() => calls.push('0'), 0);
  setTimeout(() => calls.push('10b'), 10);
  await sleep(60);
  assertEquals(calls, ['1', '0', '10a', '10b', '30']);
});

test('many timers keep their order', async () => {
  const fired = [];
  for (let index = 0; index < 500; index++) {
    const delay = ((index * 7919) % 40) + 1;
    const deadline = performance.now() + delay;
    setTimeout(() => fired.push(deadline), delay);
  }
  busy(60);
  await sleep(80);
  assertEquals(fired.length, 500);
  // Clocks are coarse and read one after the other: what is three milliseconds apart must not be swapped.
  for (let index = 1; index < fired.length; index++) assert(fired[index] > fired[index - 1] - 3, `${index}`);
});

test('arguments and this', async () => {
  let seen;
  const timeout = setTimeout(function (...args) {
    seen = [this === timeout, ...args];
  }, 1, 'a', 2);
  await sleep(20);
  assertEquals(seen, [true, 'a', 2]);
});

test('never synchronous, never early', async () => {
  let fired = false;
  const start = performance.now();
  await new Promise((resolve) => {
    setTimeout(() => {
      fired = true;
      resolve();
    }, 20);
    assertEquals(fired, false);
  });
  assert(performance.now() - start >= 19, `${performance.now() - start} ms`);
});

test('delays convert', async () => {
  const calls = [];
  setTimeout(() => calls.push('string'), '2');
  setTimeout(() => calls.push('nan'), 'soon');
  setTimeout(() => calls.push('negative'), -5);
  setTimeout(() => calls.push('missing'));
  setTimeout(() => calls.push('object'), { valueOf: () => 3 });
  await sleep(30);
  assertEquals(calls.toSorted(), ['missing', 'nan', 'negative', 'object', 'string']);
});

test('clearTimeout takes the object, its number, a string, and anything else', async () => {
  let count = 0;
  clearTimeout(setTimeout(() => count++, 1));
  clearTimeout(+setTimeout(() => count++, 1));
  clearTimeout(`${setTimeout(() => count++, 1)}`);
  clearInterval(setTimeout(() => count++, 1));
  for (const value of [undefined, null, NaN, -1, 1e9, {}, 'x', Symbol('x'), () => {}]) clearTimeout(value);
  await sleep(20);
  assertEquals(count, 0);
});

test('a timer may clear another that is due', async () => {
  const calls = [];
  setTimeout(() => {
    calls.push('first');
    clearTimeout(second);
  }, 1);
  const second = setTimeout(() => calls.push('second'), 2);
  busy(10);
  await sleep(20);
  assertEquals(calls, ['first']);
});

test('intervals repeat until cleared, also by themselves', async () => {
  let count = 0;
  const interval = setInterval(() => {
    if (++count === 3) clearInterval(interval);
  }, 1);
  await sleep(40);
  assertEquals(count, 3);
});

test('microtasks run between callbacks', async () => {
  const calls = [];
  setTimeout(() => {
    calls.push('a');
    queueMicrotask(() => calls.push('microtask of a'));
    Promise.resolve().then(() => calls.push('promise of a'));
  }, 1);
  setTimeout(() => calls.push('b'), 1);
  busy(5);
  await sleep(20);
  assertEquals(calls, ['a', 'microtask of a', 'promise of a', 'b']);
});

test('timers that timers set wait for a later round', async () => {
  const calls = [];
  setTimeout(() => {
    calls.push('outer');
    setTimeout(() => calls.push('inner'), 0);
  }, 0);
  setTimeout(() => calls.push('sibling'), 0);
  await sleep(30);
  assertEquals(calls, ['outer', 'sibling', 'inner']);
});

test('Timeout objects', async () => {
  let count = 0;
  const timeout = setTimeout(() => count++, 5);
  assertEquals(typeof +timeout, 'number');
  assertEquals(+timeout, +timeout);
  assertEquals(timeout.hasRef(), true);
  assert(timeout.unref() === timeout);
  assertEquals(timeout.hasRef(), false);
  assert(timeout.ref() === timeout);
  await sleep(30);
  assertEquals(count, 1);
  assert(timeout.refresh() === timeout);
  await sleep(30);
  assertEquals(count, 2);
  timeout.refresh();
  clearTimeout(timeout);
  await sleep(20);
  assertEquals(count, 2);
});

test('refresh moves the deadline', async () => {
  let fired = false;
  const timeout = setTimeout(() => (fired = true), 30);
  await sleep(20);
  timeout.refresh();
  await sleep(20);
  assertEquals(fired, false);
  await sleep(30);
  assertEquals(fired, true);
});

test('timers are disposable', async () => {
  let fired = false;
  const timeout = setTimeout(() => (fired = true), 1);
  timeout[Symbol.dispose]();
  await sleep(20);
  assertEquals(fired, false);
});

test('callbacks must be functions', () => {
  for (const value of [undefined, null, 'alert(1)', {}]) {
    assertThrows(() => setTimeout(value, 1), TypeError);
    assertThrows(() => setInterval(value, 1), TypeError);
    assertThrows(() => queueMicrotask(value), TypeError);
  }
});

test('queueMicrotask runs after this script and in turn', async () => {
  const calls = [];
  queueMicrotask(() => calls.push(2));
  Promise.resolve().then(() => calls.push(3));
  queueMicrotask(() => calls.push(4));
  calls.push(1);
  await null;
  await null;
  assertEquals(calls, [1, 2, 3, 4]);
});

test('a patched Promise does not change queueMicrotask', async () => {
  const { then } = Promise.prototype;
  const constructor = Object.getOwnPropertyDescriptor(Promise.prototype, 'constructor');
  let touched = false;
  let ran = false;
  Promise.prototype.then = function (...args) {
    touched = true;
    return then.apply(this, args);
  };
  Object.defineProperty(Promise.prototype, 'constructor', { configurable: true, get() { touched = true; return Promise; } });
  try {
    queueMicrotask(() => (ran = true));
  } finally {
    Promise.prototype.then = then;
    Object.defineProperty(Promise.prototype, 'constructor', constructor);
  }
  await null;
  assertEquals([ran, touched], [true, false]);
});

if (exact) {
  test('what a listener throws does not stop the others', () => {
    const target = new EventTarget();
    const seen = [];
    const onError = (event) => {
      seen.push(event.message, event.error.message, event.filename.endsWith('test.mjs'), event.lineno > 0);
      event.preventDefault();
    };
    addEventListener('error', onError);
    target.addEventListener('x', () => { throw new RangeError('from a listener'); });
    target.addEventListener('x', () => seen.push('second'));
    target.dispatchEvent(new Event('x'));
    removeEventListener('error', onError);
    assertEquals(seen, ['Uncaught RangeError: from a listener', 'from a listener', true, true, 'second']);
  });
}
