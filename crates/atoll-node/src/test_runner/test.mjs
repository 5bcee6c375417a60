import { test, assert, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import nodeTest, { describe, it, mock } from 'node:test';

test('what there is', () => {
  for (const name of ['test', 'it', 'describe', 'suite', 'before', 'after', 'beforeEach', 'afterEach']) {
    assertEquals(typeof nodeTest[name], 'function', name);
  }
  for (const name of ['skip', 'todo', 'only']) assertEquals([typeof it[name], typeof describe[name]], ['function', 'function']);
});

test('mocked functions note their calls', () => {
  const add = mock.fn((one, other) => one + other);
  assertEquals([add(1, 2), add.call('x', 3, 4)], [3, 7]);
  assertEquals(add.mock.callCount(), 2);
  const [first, second] = add.mock.calls;
  assertEquals([first.arguments, first.result, first.error, first.this, first.target], [[1, 2], 3, undefined, undefined, undefined]);
  assertEquals([second.this, first.stack instanceof Error], ['x', true]);
  add.mock.mockImplementationOnce(() => 'once');
  assertEquals([add(1, 2), add(1, 2)], ['once', 3]);
  add.mock.mockImplementation(() => {
    throw new RangeError('no');
  });
  assertThrows(() => add(1), RangeError);
  assertEquals(add.mock.calls[4].error.message, 'no');
  add.mock.resetCalls();
  assertEquals(add.mock.calls, []);
  add.mock.restore();
  assertEquals(add(1, 2), 3);
});

test('mocks for a number of calls, and of classes', () => {
  const twice = mock.fn(() => 'original', () => 'mocked', { times: 2 });
  assertEquals([twice(), twice(), twice()], ['mocked', 'mocked', 'original']);
  class Point {
    constructor(x) {
      this.x = x;
    }
  }
  const Mocked = mock.fn(Point);
  const point = new Mocked(5);
  assert(point instanceof Point);
  assertEquals([point.x, Mocked.mock.calls[0].target === Point, Mocked.mock.calls[0].this === point], [5, true, true]);
  assertThrows(() => mock.fn(() => 1, { times: 0 }), 'ERR_OUT_OF_RANGE');
  assertThrows(() => mock.fn(5), 'ERR_INVALID_ARG_TYPE');
});

test('methods, getters and setters', () => {
  class Base {
    method() {
      return `${this.name} method`;
    }
  }
  class Thing extends Base {
    name = 'thing';
    get value() {
      return 1;
    }
    set value(_) {}
  }
  const thing = new Thing();
  const spy = mock.method(thing, 'method');
  assertEquals([thing.method(), spy.mock.callCount(), thing.method === spy], ['thing method', 1, true]);
  spy.mock.restore();
  assertEquals([thing.method(), spy.mock.callCount()], ['thing method', 1]);
  mock.method(thing, 'method', () => 'other');
  const getter = mock.getter(thing, 'value', () => 42);
  assertEquals([thing.method(), thing.value, getter.mock.callCount()], ['other', 42, 1]);
  mock.reset();
  const setter = mock.setter(thing, 'value', () => {});
  thing.value = 7;
  assertEquals(setter.mock.calls[0].arguments, [7]);
  mock.reset();
  assertEquals([thing.method(), thing.value], ['thing method', 1]);
  assertThrows(() => mock.method(thing, 'name'), 'ERR_INVALID_ARG_VALUE');
  assertThrows(() => mock.method(5, 'name'), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => mock.method(thing, 'value', { getter: true, setter: true }), 'ERR_INVALID_ARG_VALUE');
});
