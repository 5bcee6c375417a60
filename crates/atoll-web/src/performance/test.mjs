import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';

const exact = globalThis.navigator?.userAgent?.startsWith('Atoll') === true;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('now is monotonic and agrees with the wall clock', async () => {
  const first = performance.now();
  assert(first >= 0);
  let last = first;
  for (let index = 0; index < 1000; index++) {
    const next = performance.now();
    assert(next >= last);
    last = next;
  }
  await sleep(20);
  assert(performance.now() - first >= 19);
  assert(Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 2000);
  if (exact) {
    for (let index = 0; index < 100; index++) {
      const steps = performance.now() * 10;
      assert(Math.abs(steps - Math.round(steps)) < 1e-6, 'the clock is coarse');
    }
  }
});

test('marks', () => {
  performance.clearMarks();
  const detail = { a: [1] };
  const mark = performance.mark('m1', { startTime: 12.5, detail });
  assertEquals([mark.name, mark.entryType, mark.startTime, mark.duration], ['m1', 'mark', 12.5, 0]);
  assert(mark.detail !== detail);
  assertEquals(mark.detail, detail);
  assert(mark instanceof PerformanceMark && mark instanceof PerformanceEntry);
  assertEquals(performance.mark('m2').detail, null);
  assertEquals(performance.getEntriesByType('mark').map((entry) => entry.name), ['m1', 'm2']);
  performance.clearMarks('m1');
  assertEquals(performance.getEntriesByName('m1').length, 0);
  assertEquals(performance.getEntriesByName('m2', 'mark').length, 1);
  assertEquals(performance.getEntriesByName('m2', 'measure').length, 0);
  assertThrows(() => performance.mark('x', { startTime: -1 }), TypeError);
  assertThrows(() => performance.mark(), TypeError);
  performance.clearMarks();
});

test('measures', () => {
  performance.mark('a', { startTime: 10 });
  performance.mark('b', { startTime: 25 });
  const between = performance.measure('ab', 'a', 'b');
  assertEquals([between.startTime, between.duration, between.entryType], [10, 15, 'measure']);
  assertEquals(performance.measure('opt', { start: 5, end: 'b', detail: 1 }).duration, 20);
  assertEquals(performance.measure('len', { start: 'a', duration: 7 }).duration, 7);
  assertEquals(performance.measure('back', { end: 'b', duration: 5 }).startTime, 20);
  assertEquals(performance.measure('whole').startTime, 0);
  performance.mark('a', { startTime: 11 });
  assertEquals(performance.measure('latest', 'a').startTime, 11);
  assertThrows(() => performance.measure('x', 'missing'), 'SyntaxError');
  assertThrows(() => performance.measure('x', { start: 1, end: 2, duration: 3 }), TypeError);
  if (exact) assertThrows(() => performance.measure('x', { duration: 3 }), TypeError);
  assertEquals(performance.getEntriesByType('measure').map((entry) => entry.startTime), performance.getEntriesByType('measure').map((entry) => entry.startTime).toSorted((x, y) => x - y));
  assertEquals(JSON.parse(JSON.stringify(between)).duration, 15);
  performance.clearMeasures();
  performance.clearMarks();
  assertEquals([performance.getEntriesByType('measure'), performance.getEntriesByType('mark')], [[], []]);
});

test('shape', () => {
  assert(performance instanceof EventTarget);
  assertEquals(Object.prototype.toString.call(performance), '[object Performance]');
  assertEquals(performance.toJSON().timeOrigin, performance.timeOrigin);
  assertThrows(() => new PerformanceEntry(), TypeError);
  assertThrows(() => Performance.prototype.now.call({}), TypeError);
});

if (exact) {
  test('the timeline is bounded', () => {
    for (let index = 0; index < 10_050; index++) performance.mark(`m${index}`);
    const entries = performance.getEntriesByType('mark');
    assertEquals([entries.length, performance.getEntriesByName('m0').length, performance.getEntriesByName('m10049').length], [10_000, 0, 1]);
    performance.clearMarks();
  });
}
