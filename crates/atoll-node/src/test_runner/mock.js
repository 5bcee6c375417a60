// Mocks of node:test: functions in the place of others, which note their calls.
const {
  ArrayPrototypePush, ArrayPrototypeSlice, Error, ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ObjectGetPrototypeOf, Proxy,
  ReflectApply, ReflectConstruct, ReflectGet, SafeMap, String,
} = primordials;
const { ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE } = use('node/internal/errors');
const { validateBoolean, validateFunction, validateInteger, validateObject } = use('node/internal/validators');

/** What a mock knows of its calls: its property `mock`. */
class MockFunctionContext {
  #calls = [];
  #once = new SafeMap(); // call → implementation for that call alone
  #implementation;
  #original;
  #restore;
  #times; // calls that the implementation is for; the original takes those after

  constructor(original, implementation, restore, times) {
    this.#original = original;
    this.#implementation = implementation;
    this.#restore = restore;
    this.#times = times;
  }

  get calls() {
    return ArrayPrototypeSlice(this.#calls, 0);
  }

  callCount() {
    return this.#calls.length;
  }

  mockImplementation(implementation) {
    validateFunction(implementation, 'implementation');
    this.#implementation = implementation;
  }

  mockImplementationOnce(implementation, onCall = undefined) {
    validateFunction(implementation, 'implementation');
    const call = onCall ?? this.#calls.length;
    validateInteger(call, 'onCall', this.#calls.length);
    this.#once.set(call, implementation);
  }

  resetCalls() {
    this.#calls = [];
  }

  restore() {
    const { descriptor, object, name } = this.#restore;
    if (descriptor !== undefined) ObjectDefineProperty(object, name, { __proto__: null, ...descriptor });
    else this.#implementation = this.#original;
  }

  /** Makes a call: `perform(implementation)`. */
  static make(context, call, perform) {
    const number = context.#calls.length;
    let implementation = number < context.#times ? context.#implementation : context.#original;
    if (context.#once.has(number)) {
      implementation = context.#once.get(number);
      context.#once.delete(number);
    }
    if (number + 1 === context.#times) context.restore();
    try {
      call.result = perform(implementation);
      return call.result;
    } catch (error) {
      call.error = error;
      throw error;
    } finally {
      ArrayPrototypePush(context.#calls, call);
    }
  }
}
const { make } = MockFunctionContext;
delete MockFunctionContext.make;

function mockOf(original, implementation, restore, times) {
  const context = new MockFunctionContext(original, implementation, restore, times);
  const mock = new Proxy(original, {
    __proto__: null,
    apply(_, receiver, values) {
      const call = { arguments: values, error: undefined, result: undefined, stack: new Error(), target: undefined, this: receiver };
      return make(context, call, (body) => ReflectApply(body, receiver, values));
    },
    construct(_, values, NewTarget) {
      const target = NewTarget === mock ? original : NewTarget;
      const call = { arguments: values, error: undefined, result: undefined, stack: new Error(), target, this: undefined };
      return make(context, call, (body) => {
        const made = ReflectConstruct(body, values, target);
        call.this = made;
        return made;
      });
    },
    get: (of, key, receiver) => (key === 'mock' ? context : ReflectGet(of, key, receiver)),
  });
  return { context, mock };
}

function timesOf(options) {
  const { times = Infinity } = options;
  if (times !== Infinity) validateInteger(times, 'options.times', 1);
  return times;
}

function findDescriptor(object, name) {
  for (let at = object; at !== null; at = ObjectGetPrototypeOf(at)) {
    const descriptor = ObjectGetOwnPropertyDescriptor(at, name);
    if (descriptor !== undefined) return descriptor;
  }
  return undefined;
}

class MockTracker {
  #contexts = [];

  /** A function that notes its calls: of `original`, or of `implementation` in its stead. */
  fn(original = function () {}, implementation = original, options = {}) {
    let body = implementation;
    let settings = options;
    let own = original;
    if (original !== null && typeof original === 'object') {
      settings = original;
      own = function () {};
      body = own;
    } else if (implementation !== null && typeof implementation === 'object') {
      settings = implementation;
      body = original;
    }
    validateFunction(own, 'original');
    validateFunction(body, 'implementation');
    validateObject(settings, 'options');
    const { context, mock } = mockOf(own, body, { __proto__: null }, timesOf(settings));
    ArrayPrototypePush(this.#contexts, context);
    return mock;
  }

  /** A mock in the place of a method, or of the getter or setter of a property. */
  method(object, name, implementation = undefined, options = {}) {
    let body = implementation;
    let settings = options;
    if ((typeof object !== 'object' || object === null) && typeof object !== 'function') {
      throw ERR_INVALID_ARG_TYPE('object', ['Object', 'Function'], object);
    }
    if (typeof name !== 'string' && typeof name !== 'symbol') throw ERR_INVALID_ARG_TYPE('methodName', ['string', 'symbol'], name);
    if (implementation !== null && typeof implementation === 'object') {
      settings = implementation;
      body = undefined;
    }
    validateObject(settings, 'options');
    const { getter = false, setter = false } = settings;
    validateBoolean(getter, 'options.getter');
    validateBoolean(setter, 'options.setter');
    if (getter && setter) throw ERR_INVALID_ARG_VALUE('options.setter', setter, "cannot be used with 'options.getter'");
    const descriptor = findDescriptor(object, name);
    const original = getter ? descriptor?.get : setter ? descriptor?.set : descriptor?.value;
    if (typeof original !== 'function') throw ERR_INVALID_ARG_VALUE('methodName', String(name), 'must be a method');
    if (body !== undefined) validateFunction(body, 'implementation');
    const { context, mock } = mockOf(original, body ?? original, { __proto__: null, descriptor, object, name }, timesOf(settings));
    const { configurable, enumerable } = descriptor;
    const replaced = { __proto__: null, configurable, enumerable };
    if (getter) {
      replaced.get = mock;
      replaced.set = descriptor.set;
    } else if (setter) {
      replaced.get = descriptor.get;
      replaced.set = mock;
    } else {
      replaced.writable = descriptor.writable;
      replaced.value = mock;
    }
    ObjectDefineProperty(object, name, replaced);
    ArrayPrototypePush(this.#contexts, context);
    return mock;
  }

  getter(object, name, implementation = undefined, options = {}) {
    return accessor(this, object, name, implementation, options, 'getter');
  }

  setter(object, name, implementation = undefined, options = {}) {
    return accessor(this, object, name, implementation, options, 'setter');
  }

  reset() {
    this.restoreAll();
    this.#contexts = [];
  }

  restoreAll() {
    for (let index = this.#contexts.length - 1; index >= 0; index--) this.#contexts[index].restore();
  }
}

function accessor(tracker, object, name, implementation, options, kind) {
  const hasBody = implementation === null || typeof implementation !== 'object';
  const settings = hasBody ? options : implementation;
  validateObject(settings, 'options');
  if (settings[kind] === false) throw ERR_INVALID_ARG_VALUE(`options.${kind}`, false, 'cannot be false');
  return tracker.method(object, name, hasBody ? implementation : undefined, { __proto__: null, ...settings, [kind]: true });
}

exports.MockTracker = MockTracker;
