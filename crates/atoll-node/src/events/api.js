// node:events: EventEmitter. `exports.default` is the class, as `require('node:events')` gives it.
const {
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayPrototypeUnshift,
  AsyncIteratorPrototype,
  Boolean,
  Error,
  FunctionPrototypeCall,
  NumberMAX_SAFE_INTEGER,
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectGetPrototypeOf,
  ObjectSetPrototypeOf,
  Promise,
  PromisePrototypeThen,
  PromiseReject,
  PromiseResolve,
  ReflectApply,
  ReflectOwnKeys,
  String,
  Symbol,
  SymbolAsyncIterator,
  SymbolFor,
} = primordials;
const { AbortError, ERR_INVALID_ARG_TYPE, ERR_UNHANDLED_ERROR } = use('node/internal/errors');
const { validateAbortSignal, validateBoolean, validateFunction, validateInteger, validateNumber, validateObject } =
  use('node/internal/validators');

const kCapture = Symbol('kCapture');
const kErrorMonitor = Symbol('events.errorMonitor');
const kRejection = SymbolFor('nodejs.rejection');
const kMaxListenersOfTarget = Symbol('events.maxEventTargetListeners');
const DEFAULT_MAX_LISTENERS = 10; // per event, before a leak is suspected (Node's number)

let defaultMaxListeners = DEFAULT_MAX_LISTENERS;
let captureByDefault = false;

function inspect(value, options) {
  return use('node/internal/util/inspect').inspect(value, options);
}
function nextTick(callback, ...values) {
  use('node:process').default.nextTick(callback, ...values);
}
function checkListener(listener) {
  validateFunction(listener, 'listener');
}

function EventEmitter(options) {
  FunctionPrototypeCall(EventEmitter.init, this, options);
}
EventEmitter.prototype._events = undefined;
EventEmitter.prototype._eventsCount = 0;
EventEmitter.prototype._maxListeners = undefined;

/** The state of an emitter; what inherits the function way calls it through `EventEmitter.call(this)`. */
EventEmitter.init = function init(options) {
  if (this._events === undefined || this._events === ObjectGetPrototypeOf(this)._events) {
    this._events = { __proto__: null };
    this._eventsCount = 0;
  }
  this._maxListeners = this._maxListeners || undefined;
  if (options?.captureRejections) {
    validateBoolean(options.captureRejections, 'options.captureRejections');
    this[kCapture] = Boolean(options.captureRejections);
  } else {
    this[kCapture] = captureByDefault;
  }
};
function setHidden(object, key, value) {
  ObjectDefineProperty(object, key, { __proto__: null, value, writable: true, configurable: true, enumerable: false });
}
setHidden(EventEmitter.prototype, kCapture, false);

const { prototype } = EventEmitter;

prototype.setMaxListeners = function setMaxListeners(count) {
  validateNumber(count, 'setMaxListeners', 0);
  this._maxListeners = count;
  return this;
};
function maxListenersOf(emitter) {
  return emitter._maxListeners === undefined ? defaultMaxListeners : emitter._maxListeners;
}
prototype.getMaxListeners = function getMaxListeners() {
  return maxListenersOf(this);
};

/** A rejection of what a listener returned goes to the emitter's `nodejs.rejection` method or its 'error' event. */
function watchRejection(emitter, result, type, values) {
  if (!emitter[kCapture]) return;
  try {
    const { then } = result;
    if (typeof then !== 'function') return;
    FunctionPrototypeCall(then, result, undefined, (error) => nextTick(emitRejection, emitter, error, type, values));
  } catch (error) {
    emitter.emit('error', error);
  }
}
function emitRejection(emitter, error, type, values) {
  if (typeof emitter[kRejection] === 'function') {
    emitter[kRejection](error, type, ...values);
    return;
  }
  // The handler of the rejection must not itself be watched: it could go on for ever.
  const previous = emitter[kCapture];
  try {
    emitter[kCapture] = false;
    emitter.emit('error', error);
  } finally {
    emitter[kCapture] = previous;
  }
}

function emitUnhandled(values) {
  const error = values[0];
  if (error instanceof Error) throw error;
  let shown;
  try {
    shown = inspect(error);
  } catch {
    shown = error;
  }
  const wrapped = ERR_UNHANDLED_ERROR(values.length > 0 ? shown : undefined);
  wrapped.context = error;
  throw wrapped;
}

/** A copy of a few elements; faster than slice for so few. */
function copyOf(list) {
  const copy = [];
  for (let index = 0; index < list.length; index++) copy[index] = list[index];
  return copy;
}

prototype.emit = function emit(type, ...values) {
  const events = this._events;
  if (type === 'error') {
    if (events !== undefined && events[kErrorMonitor] !== undefined) this.emit(kErrorMonitor, ...values);
    if (events === undefined || events.error === undefined) emitUnhandled(values);
  } else if (events === undefined) {
    return false;
  }
  const handler = events[type];
  if (handler === undefined) return false;
  if (typeof handler === 'function') {
    const result = ReflectApply(handler, this, values);
    if (result !== undefined && result !== null) watchRejection(this, result, type, values);
    return true;
  }
  const listeners = copyOf(handler);
  for (let index = 0; index < listeners.length; index++) {
    const result = ReflectApply(listeners[index], this, values);
    if (result !== undefined && result !== null) watchRejection(this, result, type, values);
  }
  return true;
};

function warnOfLeak(emitter, existing, type) {
  existing.warned = true;
  const warning = new Error(
    `Possible EventEmitter memory leak detected. ${existing.length} ${String(type)} listeners added to ${inspect(emitter, { depth: -1 })}. MaxListeners is ${maxListenersOf(emitter)}. Use emitter.setMaxListeners() to increase limit`,
  );
  warning.name = 'MaxListenersExceededWarning';
  warning.emitter = emitter;
  warning.type = type;
  warning.count = existing.length;
  use('node:process').default.emitWarning(warning);
}

function addListener(emitter, type, listener, first) {
  checkListener(listener);
  let events = emitter._events;
  if (events === undefined) {
    events = emitter._events = { __proto__: null };
    emitter._eventsCount = 0;
  } else if (events.newListener !== undefined) {
    emitter.emit('newListener', type, listener.listener ?? listener);
    events = emitter._events; // a listener may have replaced it
  }
  const existing = events[type];
  if (existing === undefined) {
    events[type] = listener;
    emitter._eventsCount++;
    return emitter;
  }
  if (typeof existing === 'function') {
    events[type] = first ? [listener, existing] : [existing, listener];
  } else if (first) {
    ArrayPrototypeUnshift(existing, listener);
  } else {
    ArrayPrototypePush(existing, listener);
  }
  const list = events[type];
  const limit = maxListenersOf(emitter);
  if (limit > 0 && list.length > limit && !list.warned) warnOfLeak(emitter, list, type);
  return emitter;
}

prototype.addListener = function addListenerMethod(type, listener) {
  return addListener(this, type, listener, false);
};
ObjectDefineProperty(prototype.addListener, 'name', { __proto__: null, value: 'addListener', configurable: true });
prototype.on = prototype.addListener;
prototype.prependListener = function prependListener(type, listener) {
  return addListener(this, type, listener, true);
};

/** A listener that takes itself away before it runs. */
function onceWrapper(emitter, type, listener) {
  let fired = false;
  function wrapper(...values) {
    if (fired) return undefined;
    emitter.removeListener(type, wrapper);
    fired = true;
    return ReflectApply(listener, emitter, values);
  }
  wrapper.listener = listener;
  return wrapper;
}
prototype.once = function once(type, listener) {
  checkListener(listener);
  this.on(type, onceWrapper(this, type, listener));
  return this;
};
prototype.prependOnceListener = function prependOnceListener(type, listener) {
  checkListener(listener);
  this.prependListener(type, onceWrapper(this, type, listener));
  return this;
};

function dropEvent(emitter, events, type) {
  if (--emitter._eventsCount === 0) emitter._events = { __proto__: null };
  else delete events[type];
}

prototype.removeListener = function removeListener(type, listener) {
  checkListener(listener);
  const events = this._events;
  const list = events?.[type];
  if (list === undefined) return this;
  if (list === listener || list.listener === listener) {
    dropEvent(this, events, type);
    if (events.removeListener !== undefined) this.emit('removeListener', type, list.listener ?? listener);
    return this;
  }
  if (typeof list === 'function') return this;
  let position = list.length - 1;
  while (position >= 0 && list[position] !== listener && list[position].listener !== listener) position--;
  if (position < 0) return this;
  for (let index = position; index < list.length - 1; index++) list[index] = list[index + 1];
  list.length--;
  if (list.length === 1) events[type] = list[0];
  if (events.removeListener !== undefined) this.emit('removeListener', type, listener);
  return this;
};
prototype.off = prototype.removeListener;

prototype.removeAllListeners = function removeAllListeners(type) {
  const events = this._events;
  if (events === undefined) return this;
  if (events.removeListener === undefined) {
    if (arguments.length === 0) {
      this._events = { __proto__: null };
      this._eventsCount = 0;
    } else if (events[type] !== undefined) {
      dropEvent(this, events, type);
    }
    return this;
  }
  // Each removal is to be announced.
  if (arguments.length === 0) {
    const types = ReflectOwnKeys(events);
    for (let index = 0; index < types.length; index++)
      if (types[index] !== 'removeListener') this.removeAllListeners(types[index]);
    this.removeAllListeners('removeListener');
    this._events = { __proto__: null };
    this._eventsCount = 0;
    return this;
  }
  const listeners = events[type];
  if (typeof listeners === 'function') this.removeListener(type, listeners);
  else if (listeners !== undefined)
    for (let index = listeners.length - 1; index >= 0; index--) this.removeListener(type, listeners[index]);
  return this;
};

function listenersOf(emitter, type, unwrap) {
  const listeners = emitter._events?.[type];
  if (listeners === undefined) return [];
  const list = typeof listeners === 'function' ? [listeners] : ArrayPrototypeSlice(listeners);
  if (unwrap) for (let index = 0; index < list.length; index++) list[index] = list[index].listener ?? list[index];
  return list;
}
prototype.listeners = function listeners(type) {
  return listenersOf(this, type, true);
};
prototype.rawListeners = function rawListeners(type) {
  return listenersOf(this, type, false);
};

prototype.listenerCount = function listenerCount(type, listener) {
  const listeners = this._events?.[type];
  if (listeners === undefined) return 0;
  if (typeof listeners === 'function')
    return listener == null || listeners === listener || listeners.listener === listener ? 1 : 0;
  if (listener == null) return listeners.length;
  let count = 0;
  for (let index = 0; index < listeners.length; index++)
    if (listeners[index] === listener || listeners[index].listener === listener) count++;
  return count;
};

prototype.eventNames = function eventNames() {
  return this._eventsCount > 0 ? ReflectOwnKeys(this._events) : [];
};

// --- functions beside the class ---

function isEmitter(value) {
  return typeof value?.on === 'function';
}
function isTarget(value) {
  return typeof value?.addEventListener === 'function';
}

/** Listens on an emitter or an event target. */
function listen(emitter, type, listener, options) {
  if (isEmitter(emitter)) {
    if (options?.once) emitter.once(type, listener);
    else emitter.on(type, listener);
  } else if (isTarget(emitter)) {
    emitter.addEventListener(type, listener, options);
  } else {
    throw ERR_INVALID_ARG_TYPE('emitter', 'EventEmitter', emitter);
  }
}
function unlisten(emitter, type, listener, options) {
  if (typeof emitter?.removeListener === 'function') emitter.removeListener(type, listener);
  else if (typeof emitter?.removeEventListener === 'function') emitter.removeEventListener(type, listener, options);
  else throw ERR_INVALID_ARG_TYPE('emitter', 'EventEmitter', emitter);
}
function abortError(signal) {
  return new AbortError(undefined, { cause: signal?.reason });
}

/** Resolves with the values of the next `name` event; rejects with an 'error' that comes before. */
async function once(emitter, name, options = {}) {
  validateObject(options, 'options');
  const { signal } = options;
  validateAbortSignal(signal, 'options.signal');
  if (signal?.aborted) throw abortError(signal);
  return new Promise((resolve, reject) => {
    const onError = (error) => {
      emitter.removeListener(name, onEvent);
      if (signal != null) unlisten(signal, 'abort', onAbort);
      reject(error);
    };
    const onEvent = (...values) => {
      if (typeof emitter.removeListener === 'function') emitter.removeListener('error', onError);
      if (signal != null) unlisten(signal, 'abort', onAbort);
      resolve(values);
    };
    const onAbort = () => {
      unlisten(emitter, name, onEvent);
      unlisten(emitter, 'error', onError);
      reject(abortError(signal));
    };
    listen(emitter, name, onEvent, { once: true });
    if (name !== 'error' && typeof emitter.once === 'function') emitter.once('error', onError);
    if (signal != null) listen(signal, 'abort', onAbort, { once: true });
  });
}

/** An async iterator over the values of `event`. With `highWaterMark`, a pausable emitter is paused while values queue up. */
function on(emitter, event, options = {}) {
  validateObject(options, 'options');
  const { signal, close } = options;
  validateAbortSignal(signal, 'options.signal');
  if (signal?.aborted) throw abortError(signal);
  const highWaterMark = options.highWaterMark ?? options.highWatermark ?? NumberMAX_SAFE_INTEGER;
  validateInteger(highWaterMark, 'options.highWaterMark', 1);
  const lowWaterMark = options.lowWaterMark ?? options.lowWatermark ?? 1;
  validateInteger(lowWaterMark, 'options.lowWaterMark', 1);

  let values = []; // events that nobody asked for yet
  let head = 0;
  let waiting = []; // promises that wait for an event
  let failure = null;
  let finished = false;
  let paused = false;

  const onEvent = (...args) => {
    if (waiting.length > 0) {
      const { resolve } = waiting[0];
      waiting = ArrayPrototypeSlice(waiting, 1);
      resolve({ value: args, done: false });
      return;
    }
    ArrayPrototypePush(values, args);
    if (!paused && values.length - head > highWaterMark) {
      paused = true;
      emitter.pause?.();
    }
  };
  const onError = (error) => {
    if (waiting.length > 0) {
      const { reject } = waiting[0];
      waiting = ArrayPrototypeSlice(waiting, 1);
      reject(error);
    } else {
      failure = error;
    }
    stop();
  };
  const onAbort = () => onError(abortError(signal));
  const onClose = () => stop();
  const stop = () => {
    unlisten(emitter, event, onEvent);
    if (isEmitter(emitter)) emitter.removeListener('error', onError);
    for (let index = 0; index < (close?.length ?? 0); index++) unlisten(emitter, close[index], onClose);
    if (signal) unlisten(signal, 'abort', onAbort);
    finished = true;
    const pending = waiting;
    waiting = [];
    for (let index = 0; index < pending.length; index++) pending[index].resolve({ value: undefined, done: true });
    return PromiseResolve({ value: undefined, done: true });
  };

  const iterator = {
    next() {
      if (head < values.length) {
        const value = values[head++];
        if (head === values.length) {
          values = [];
          head = 0;
        }
        if (paused && values.length - head < lowWaterMark) {
          paused = false;
          emitter.resume?.();
        }
        return PromiseResolve({ value, done: false });
      }
      if (failure !== null) {
        const rejected = PromiseReject(failure);
        failure = null;
        return rejected;
      }
      if (finished) return PromiseResolve({ value: undefined, done: true });
      return new Promise((resolve, reject) => ArrayPrototypePush(waiting, { resolve, reject }));
    },
    return() {
      return stop();
    },
    throw(error) {
      if (!(error instanceof Error)) throw ERR_INVALID_ARG_TYPE('EventEmitter.AsyncIterator', 'Error', error);
      onError(error);
    },
    [SymbolAsyncIterator]() {
      return this;
    },
  };
  ObjectSetPrototypeOf(iterator, AsyncIteratorPrototype);

  listen(emitter, event, onEvent);
  if (event !== 'error' && isEmitter(emitter)) emitter.on('error', onError);
  for (let index = 0; index < (close?.length ?? 0); index++) listen(emitter, close[index], onClose);
  if (signal) listen(signal, 'abort', onAbort, { once: true });
  return iterator;
}

function getEventListeners(target, type) {
  if (typeof target?.listeners === 'function') return target.listeners(type);
  if (isTarget(target)) return use('web/events').listenersOf?.(target, type) ?? [];
  throw ERR_INVALID_ARG_TYPE('emitter', ['EventEmitter', 'EventTarget'], target);
}
function getMaxListeners(target) {
  if (typeof target?.getMaxListeners === 'function') return maxListenersOf(target);
  if (isTarget(target)) return target[kMaxListenersOfTarget] ?? defaultMaxListeners;
  throw ERR_INVALID_ARG_TYPE('emitter', ['EventEmitter', 'EventTarget'], target);
}
function setMaxListeners(count = defaultMaxListeners, ...targets) {
  validateNumber(count, 'setMaxListeners', 0);
  if (targets.length === 0) defaultMaxListeners = count;
  for (let index = 0; index < targets.length; index++) {
    const target = targets[index];
    if (typeof target?.setMaxListeners === 'function') target.setMaxListeners(count);
    else if (isTarget(target)) setHidden(target, kMaxListenersOfTarget, count);
    else throw ERR_INVALID_ARG_TYPE('eventTargets', ['EventEmitter', 'EventTarget'], target);
  }
}
function listenerCount(emitter, type) {
  if (typeof emitter.listenerCount === 'function') return emitter.listenerCount(type);
  return FunctionPrototypeCall(prototype.listenerCount, emitter, type);
}

/** Calls `listener` when the signal aborts, whatever others do to the event; returns what takes it away. */
function addAbortListener(signal, listener) {
  if (signal === undefined) throw ERR_INVALID_ARG_TYPE('signal', 'AbortSignal', signal);
  validateAbortSignal(signal, 'signal');
  validateFunction(listener, 'listener');
  let remove;
  if (signal.aborted) {
    PromisePrototypeThen(PromiseResolve(), () => listener());
  } else {
    signal.addEventListener('abort', listener, { once: true });
    remove = () => signal.removeEventListener('abort', listener);
  }
  const dispose = Symbol.dispose ?? SymbolFor('nodejs.dispose');
  return {
    __proto__: null,
    [dispose]() {
      remove?.();
    },
  };
}

ObjectDefineProperties(EventEmitter, {
  captureRejections: {
    __proto__: null,
    get() {
      return captureByDefault;
    },
    set(value) {
      validateBoolean(value, 'EventEmitter.captureRejections');
      captureByDefault = value;
    },
    configurable: true,
    enumerable: true,
  },
  defaultMaxListeners: {
    __proto__: null,
    get() {
      return defaultMaxListeners;
    },
    set(value) {
      validateNumber(value, 'defaultMaxListeners', 0);
      defaultMaxListeners = value;
    },
    configurable: true,
    enumerable: true,
  },
});
EventEmitter.once = once;
EventEmitter.on = on;
EventEmitter.getEventListeners = getEventListeners;
EventEmitter.getMaxListeners = getMaxListeners;
EventEmitter.setMaxListeners = setMaxListeners;
EventEmitter.listenerCount = listenerCount;
EventEmitter.addAbortListener = addAbortListener;
EventEmitter.EventEmitter = EventEmitter;
EventEmitter.usingDomains = false;
EventEmitter.captureRejectionSymbol = kRejection;
EventEmitter.errorMonitor = kErrorMonitor;
exports.default = EventEmitter;
