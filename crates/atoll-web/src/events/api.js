// Events: https://dom.spec.whatwg.org/#events
//
// There is no tree here: an event is dispatched at one target, in two passes (capturing listeners, then the others).

const {
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ArrayPrototypeSplice,
  FunctionPrototypeCall,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  SafeMap,
  TypeError,
} = primordials;
const webidl = use('web/webidl');
const { convert, defineConstants, defineEnumerable, illegalInvocation, isObject, member } = webidl;
const { requireArguments, setToStringTag } = webidl;

const globalObject = globalThis;

const PHASES = { __proto__: null, NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 };

// --- Event -----------------------------------------------------------------------------------------------------------

let stateOfEvent;
let isEvent;

/** What an event knows; a class, for objects of a literal without a prototype are slow. */
class EventState {
  constructor(type, bubbles, cancelable, composed) {
    this.type = type;
    this.bubbles = bubbles;
    this.cancelable = cancelable;
    this.composed = composed;
    this.trusted = false;
    this.target = null;
    this.currentTarget = null;
    this.phase = PHASES.NONE;
    this.dispatching = false;
    this.propagationStopped = false;
    this.immediatelyStopped = false;
    this.canceled = false;
    this.inPassiveListener = false;
    this.timeStamp = native.now();
  }
}

class Event {
  #state;

  static {
    stateOfEvent = (event) => (isObject(event) && #state in event ? event.#state : illegalInvocation());
    isEvent = (event) => isObject(event) && #state in event;
  }

  constructor(type, init = undefined) {
    requireArguments(arguments.length, 1, "Failed to construct 'Event'");
    const options = convert.dictionary(init, "Failed to construct 'Event': the second argument");
    this.#state = new EventState(
      convert.DOMString(type),
      member(options, 'bubbles', convert.boolean, false),
      member(options, 'cancelable', convert.boolean, false),
      member(options, 'composed', convert.boolean, false),
    );
  }

  get type() {
    return stateOfEvent(this).type;
  }

  get target() {
    return stateOfEvent(this).target;
  }

  get srcElement() {
    return stateOfEvent(this).target;
  }

  get currentTarget() {
    return stateOfEvent(this).currentTarget;
  }

  composedPath() {
    const { currentTarget } = stateOfEvent(this);
    return currentTarget === null ? [] : [currentTarget];
  }

  get eventPhase() {
    return stateOfEvent(this).phase;
  }

  stopPropagation() {
    stateOfEvent(this).propagationStopped = true;
  }

  get cancelBubble() {
    return stateOfEvent(this).propagationStopped;
  }

  set cancelBubble(value) {
    const state = stateOfEvent(this);
    if (value) state.propagationStopped = true;
  }

  stopImmediatePropagation() {
    const state = stateOfEvent(this);
    state.propagationStopped = true;
    state.immediatelyStopped = true;
  }

  get bubbles() {
    return stateOfEvent(this).bubbles;
  }

  get cancelable() {
    return stateOfEvent(this).cancelable;
  }

  get returnValue() {
    return !stateOfEvent(this).canceled;
  }

  set returnValue(value) {
    const state = stateOfEvent(this);
    if (!value) cancel(state);
  }

  preventDefault() {
    cancel(stateOfEvent(this));
  }

  get defaultPrevented() {
    return stateOfEvent(this).canceled;
  }

  get composed() {
    return stateOfEvent(this).composed;
  }

  get isTrusted() {
    return stateOfEvent(this).trusted;
  }

  get timeStamp() {
    return stateOfEvent(this).timeStamp;
  }

  initEvent(type, bubbles = false, cancelable = false) {
    const state = stateOfEvent(this);
    requireArguments(arguments.length, 1, "Failed to execute 'initEvent' on 'Event'");
    initialize(state, convert.DOMString(type), !!bubbles, !!cancelable);
  }
}

function cancel(state) {
  if (state.cancelable && !state.inPassiveListener) state.canceled = true;
}

/** Starts an event anew, as the legacy init methods do; returns whether it did: not during a dispatch. */
function initialize(state, type, bubbles, cancelable) {
  if (state.dispatching) return false;
  state.propagationStopped = false;
  state.immediatelyStopped = false;
  state.canceled = false;
  state.trusted = false;
  state.target = null;
  state.type = type;
  state.bubbles = bubbles;
  state.cancelable = cancelable;
  return true;
}

ObjectDefineProperty(Event, 'length', { __proto__: null, value: 1, configurable: true });
defineConstants(Event, PHASES);
defineEnumerable(Event, [
  'type', 'target', 'srcElement', 'currentTarget', 'composedPath', 'eventPhase', 'stopPropagation', 'cancelBubble',
  'stopImmediatePropagation', 'bubbles', 'cancelable', 'returnValue', 'preventDefault', 'defaultPrevented', 'composed',
  'isTrusted', 'timeStamp', 'initEvent',
]);
setToStringTag(Event, 'Event');

// --- EventTarget -----------------------------------------------------------------------------------------------------

let tableOf;
let isEventTarget;

class ListenerTable {
  listeners = null; // SafeMap of type → records
  handlers = null; // SafeMap of type → holder, of event handler attributes
  observer = null;
}

class Listener {
  removed = false;

  constructor(callback, capture, once, passive, isHandler) {
    this.callback = callback;
    this.capture = capture;
    this.once = once;
    this.passive = passive;
    this.isHandler = isHandler;
  }
}

// The global object is an EventTarget too, without the private field of one.
const globalTable = new ListenerTable();

class EventTarget {
  #table = null;

  static {
    isEventTarget = (value) => value === globalObject || (isObject(value) && #table in value);
    // `this` is undefined when a guest calls the global function addEventListener().
    tableOf = (target) => {
      if (target === undefined || target === null || target === globalObject) return globalTable;
      if (!isObject(target) || !(#table in target)) illegalInvocation();
      return (target.#table ??= new ListenerTable());
    };
  }

  addEventListener(type, callback, options = undefined) {
    const table = tableOf(this);
    requireArguments(arguments.length, 2, "Failed to execute 'addEventListener' on 'EventTarget'");
    const name = convert.DOMString(type);
    const listener = listenerCallback(callback, 'addEventListener');
    let capture = false;
    let once = false;
    let passive = false;
    let signal;
    if (isObject(options)) {
      capture = !!options.capture;
      once = !!options.once;
      passive = !!options.passive;
      signal = options.signal;
      if (signal !== undefined && !use('web/abort').isAbortSignal(signal)) {
        throw new TypeError("Failed to execute 'addEventListener' on 'EventTarget': the member 'signal' is not an AbortSignal.");
      }
    } else {
      capture = !!options;
    }
    if (listener === null || (signal !== undefined && use('web/abort').isAborted(signal))) return;
    if (find(table, name, listener, capture) !== -1) return;
    const record = new Listener(listener, capture, once, passive, false);
    append(table, name, record);
    if (signal !== undefined) use('web/abort').addAbortAlgorithm(signal, () => remove(table, name, record));
  }

  removeEventListener(type, callback, options = undefined) {
    const table = tableOf(this);
    requireArguments(arguments.length, 2, "Failed to execute 'removeEventListener' on 'EventTarget'");
    const name = convert.DOMString(type);
    const listener = listenerCallback(callback, 'removeEventListener');
    const capture = isObject(options) ? !!options.capture : !!options;
    if (listener === null) return;
    const index = find(table, name, listener, capture);
    if (index !== -1) remove(table, name, table.listeners.get(name)[index]);
  }

  dispatchEvent(event) {
    const table = tableOf(this);
    requireArguments(arguments.length, 1, "Failed to execute 'dispatchEvent' on 'EventTarget'");
    if (!isEvent(event)) {
      throw new TypeError("Failed to execute 'dispatchEvent' on 'EventTarget': argument 1 is not an Event.");
    }
    const state = stateOfEvent(event);
    if (state.dispatching) {
      const { DOMException } = use('web/dom-exception');
      throw new DOMException('The event is already being dispatched.', 'InvalidStateError');
    }
    state.trusted = false;
    return dispatch(this ?? globalObject, table, event, state);
  }
}

function listenerCallback(callback, method) {
  if (callback === undefined || callback === null) return null;
  if (isObject(callback)) return callback;
  throw new TypeError(`Failed to execute '${method}' on 'EventTarget': argument 2 is not an object.`);
}

function find(table, name, callback, capture) {
  const list = table.listeners?.get(name);
  if (list === undefined) return -1;
  for (let index = 0; index < list.length; index++) {
    if (list[index].callback === callback && list[index].capture === capture) return index;
  }
  return -1;
}

function append(table, name, record) {
  table.listeners ??= new SafeMap();
  const list = table.listeners.get(name);
  if (list === undefined) {
    table.listeners.set(name, [record]);
  } else {
    ArrayPrototypePush(list, record);
  }
  if (table.observer !== null) table.observer();
}

function remove(table, name, record) {
  if (record.removed) return;
  record.removed = true;
  const list = table.listeners.get(name);
  for (let index = 0; index < list.length; index++) {
    if (list[index] !== record) continue;
    ArrayPrototypeSplice(list, index, 1);
    break;
  }
  if (list.length === 0) {
    table.listeners.delete(name);
    if (table.observer !== null) table.observer();
  }
}

function dispatch(target, table, event, state) {
  state.dispatching = true;
  state.target = target;
  const list = table.listeners?.get(state.type);
  if (list !== undefined && !state.propagationStopped) {
    // Listeners that are added meanwhile wait for the next event; removed ones are not called.
    const records = list.length === 1 ? [list[0]] : ArrayPrototypeSlice(list);
    state.currentTarget = target;
    state.phase = PHASES.AT_TARGET;
    invoke(table, target, event, state, records, true);
    if (!state.propagationStopped) invoke(table, target, event, state, records, false);
  }
  state.phase = PHASES.NONE;
  state.currentTarget = null;
  state.dispatching = false;
  state.propagationStopped = false;
  state.immediatelyStopped = false;
  return !state.canceled;
}

function invoke(table, target, event, state, records, capture) {
  for (let index = 0; index < records.length; index++) {
    const record = records[index];
    if (record.removed || record.capture !== capture) continue;
    if (record.once) remove(table, state.type, record);
    if (record.passive) state.inPassiveListener = true;
    try {
      const { callback } = record;
      if (record.isHandler) {
        invokeHandler(callback, target, event, state);
      } else if (typeof callback === 'function') {
        FunctionPrototypeCall(callback, target, event);
      } else {
        const { handleEvent } = callback;
        if (typeof handleEvent !== 'function') throw new TypeError('The event listener has no handleEvent method.');
        FunctionPrototypeCall(handleEvent, callback, event);
      }
    } catch (error) {
      use('web/report').reportException(error);
    }
    state.inPassiveListener = false;
    if (state.immediatelyStopped) return;
  }
}

ObjectDefineProperty(EventTarget.prototype.addEventListener, 'length', { __proto__: null, value: 2, configurable: true });
ObjectDefineProperty(EventTarget.prototype.removeEventListener, 'length', { __proto__: null, value: 2, configurable: true });
defineEnumerable(EventTarget, ['addEventListener', 'removeEventListener', 'dispatchEvent']);
setToStringTag(EventTarget, 'EventTarget');

// --- Event handler attributes (onabort, onmessage, …) ----------------------------------------------------------------

function invokeHandler(holder, target, event, state) {
  const handler = holder.value;
  if (typeof handler !== 'function') return;
  let result;
  if (target === globalObject && state.type === 'error' && use('web/events/classes').isErrorEvent(event)) {
    result = FunctionPrototypeCall(handler, target, event.message, event.filename, event.lineno, event.colno, event.error);
    if (result === true) cancel(state);
    return;
  }
  result = FunctionPrototypeCall(handler, target, event);
  if (result === false) cancel(state);
}

function getHandler(target, type) {
  return tableOf(target).handlers?.get(type)?.value ?? null;
}

function setHandler(target, type, value) {
  const table = tableOf(target);
  const handler = isObject(value) ? value : null;
  table.handlers ??= new SafeMap();
  let holder = table.handlers.get(type);
  if (handler === null) {
    if (holder !== undefined) {
      remove(table, type, holder.record);
      table.handlers.delete(type);
    }
    return;
  }
  if (holder !== undefined) {
    holder.value = handler; // It keeps its place among the listeners.
    return;
  }
  holder = { __proto__: null, value: handler, record: null };
  holder.record = new Listener(holder, false, false, false, true);
  table.handlers.set(type, holder);
  append(table, type, holder.record);
}

/** Defines the attribute `on<type>` on `object`: a prototype of event targets, or the global object. */
exports.defineEventHandler = (object, type, enumerable = true) => {
  const name = `on${type}`;
  const accessors = {
    get [name]() {
      return getHandler(this, type);
    },
    set [name](value) {
      setHandler(this, type, value);
    },
  };
  const descriptor = ObjectGetOwnPropertyDescriptor(accessors, name);
  ObjectDefineProperty(object, name, {
    __proto__: null,
    get: descriptor.get,
    set: descriptor.set,
    configurable: true,
    enumerable,
  });
};

// --- For other builtins ----------------------------------------------------------------------------------------------

exports.Event = Event;
exports.EventTarget = EventTarget;


/** For legacy init methods of subclasses: starts an event anew; false during a dispatch. */
exports.initializeEvent = (event, type, bubbles, cancelable) => {
  return initialize(stateOfEvent(event), convert.DOMString(type), !!bubbles, !!cancelable);
};

exports.isEvent = isEvent;
exports.isEventTarget = isEventTarget;

/** Dispatches an event of the platform's own making (isTrusted is true); false when it was canceled. */
exports.dispatchTrusted = (target, event) => {
  const state = stateOfEvent(event);
  state.trusted = true;
  return dispatch(target, tableOf(target), event, state);
};

/** Whether anyone listens: saves making an event that nobody sees. */
exports.hasListeners = (target, type) => tableOf(target).listeners?.has(type) === true;

/** Calls `observer()` whenever the target gets a listener or loses the last one of a type. */
exports.observeListeners = (target, observer) => {
  tableOf(target).observer = observer;
};

/** The callbacks that listen for a type, in order: for getEventListeners of node:events. */
exports.listenersOf = (target, type) => {
  const records = tableOf(target).listeners?.get(type) ?? [];
  const callbacks = [];
  for (let index = 0; index < records.length; index++) {
    const { callback, isHandler } = records[index];
    ArrayPrototypePush(callbacks, isHandler ? callback.value : callback);
  }
  return callbacks;
};
