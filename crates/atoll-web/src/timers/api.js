// Timers: https://html.spec.whatwg.org/#timers, with the objects and the order of Node.js.
//
// Active timers are in a binary heap by (deadline, sequence). The event loop learns the earliest deadline by
// native.schedule() and calls exports.fire(now) when it has come. Immediates make that deadline 0.

const {
  ArrayPrototypeFilter,
  ArrayPrototypePush,
  ArrayPrototypePop,
  FunctionPrototypeCall,
  MathTrunc,
  ObjectDefineProperty,
  RangeError,
  ReflectApply,
  SafeMap,
  Symbol,
  SymbolToPrimitive,
  TypeError,
} = primordials;
const { defineEnumerable, illegalInvocation, isObject, requireArguments } = use('web/webidl');

const MAX_DELAY_MS = 2 ** 31 - 1; // as in browsers and Node.js: longer delays become 1
const NOT_IN_HEAP = -1;
const UNKNOWN = -2; // no deadline
// Half a step of the clock: a deadline is a sum of its readings, and may miss the one that it means by a rounding error.
const TOLERANCE_MS = 0.05;

const heap = []; // records
let sequence = 0;
let refed = 0; // active timers and immediates that keep the worker alive
let held = 0; // what else does
let scheduled = -1; // what the event loop knows
let scheduledRequest = 0;
let firing = false;
let nextId = 1;
const byId = new SafeMap(); // active timers whose number somebody has seen
let immediates = []; // records
let maxTimers = 0; // learnt when the first timer is set: this file is evaluated before there is a worker

class TimerRecord {
  deadline = 0;
  sequence = 0;
  index = NOT_IN_HEAP;
  timeout = undefined;
  refed = true;
  cleared = false;
  running = false;
  id = 0; // 0 until somebody asks for the number
  request = 0; // on whose behalf it was set; 0 for nobody's

  constructor(callback, delay, repeat, args) {
    this.callback = callback;
    this.delay = delay;
    this.repeat = repeat;
    this.args = args;
  }
}

class ImmediateRecord {
  immediate = undefined;
  refed = true;
  pending = true;
  request = 0;

  constructor(callback, args) {
    this.callback = callback;
    this.args = args;
  }
}

// --- The heap --------------------------------------------------------------------------------------------------------

function earlier(a, b) {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.sequence < b.sequence);
}

function place(record, index) {
  heap[index] = record;
  record.index = index;
}

function siftUp(record, start) {
  let index = start;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!earlier(record, heap[parent])) break;
    place(heap[parent], index);
    index = parent;
  }
  place(record, index);
}

function siftDown(record, start) {
  let index = start;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && earlier(heap[child + 1], heap[child])) child++;
    if (!earlier(heap[child], record)) break;
    place(heap[child], index);
    index = child;
  }
  place(record, index);
}

function insert(record) {
  record.deadline = native.now() + record.delay;
  record.sequence = sequence++;
  ArrayPrototypePush(heap, record);
  siftUp(record, heap.length - 1);
  if (record.refed) refed++;
  if (record.id !== 0) byId.set(record.id, record);
}

function remove(record) {
  const { index } = record;
  if (index === NOT_IN_HEAP) return;
  record.index = NOT_IN_HEAP;
  const last = ArrayPrototypePop(heap);
  if (last !== record) {
    siftUp(last, index);
    if (last.index === index) siftDown(last, index);
  }
  if (record.refed) refed--;
  if (record.id !== 0) byId.delete(record.id);
}

/** Throws when no timer may be added. */
const isPending = (record) => record.pending;

/** Immediates that were cleared stay in the queue until it is run, or there is no room. */
function checkRoom() {
  if (maxTimers === 0) maxTimers = native.maxTimers();
  if (heap.length + immediates.length < maxTimers) return;
  immediates = ArrayPrototypeFilter(immediates, isPending);
  if (heap.length + immediates.length < maxTimers) return;
  const error = new RangeError(`the limit timers = ${maxTimers} is reached`);
  error.code = 'ERR_LIMIT';
  throw error;
}

/** Tells the event loop the earliest deadline, when it has changed. */
function reschedule() {
  if (firing) return;
  const immediate = immediates.length > 0;
  const next = immediate ? 0 : heap.length > 0 ? heap[0].deadline : -1;
  const request = immediate ? immediates[0].request : heap.length > 0 ? heap[0].request : 0;
  if (next === scheduled && request === scheduledRequest) return;
  scheduled = next;
  scheduledRequest = request;
  native.schedule(next, request);
}

// --- Timeout objects -------------------------------------------------------------------------------------------------

let recordOf;

class Timeout {
  #record;

  static {
    recordOf = (value) => (isObject(value) && #record in value ? value.#record : undefined);
  }

  constructor(record) {
    this.#record = record;
  }

  ref() {
    return setRefed(this, true);
  }

  unref() {
    return setRefed(this, false);
  }

  hasRef() {
    return (recordOf(this) ?? illegalInvocation()).refed;
  }

  /** Starts the time anew, also of a timer that has fired. */
  refresh() {
    const record = recordOf(this) ?? illegalInvocation();
    if (record.cleared) return this;
    if (record.index === NOT_IN_HEAP) checkRoom();
    remove(record);
    insert(record);
    reschedule();
    return this;
  }

  close() {
    clear(recordOf(this) ?? illegalInvocation());
    return this;
  }

  [SymbolToPrimitive]() {
    const record = recordOf(this) ?? illegalInvocation();
    if (record.id === 0) {
      record.id = nextId++;
      if (record.index !== NOT_IN_HEAP || record.running) byId.set(record.id, record);
    }
    return record.id;
  }
}

function setRefed(timeout, value) {
  const record = recordOf(timeout) ?? illegalInvocation();
  if (record.refed !== value) {
    record.refed = value;
    if (record.index !== NOT_IN_HEAP) refed += value ? 1 : -1;
  }
  return timeout;
}

function clear(record) {
  record.cleared = true;
  if (record.id !== 0) byId.delete(record.id);
  remove(record);
  reschedule();
}

function checkCallback(callback) {
  if (typeof callback === 'function') return;
  const received = callback === null || callback === undefined ? `${callback}` : `type ${typeof callback}`;
  const error = new TypeError(`The "callback" argument must be of type function. Received ${received}`);
  error.code = 'ERR_INVALID_ARG_TYPE';
  throw error;
}

function delayOf(value) {
  const delay = typeof value === 'number' ? value : +value;
  return delay >= 1 && delay <= MAX_DELAY_MS ? MathTrunc(delay) : 1; // NaN becomes 1, too
}

function start(callback, delay, repeat, args) {
  checkRoom();
  if (!disposable) makeDisposable();
  const record = new TimerRecord(callback, delay, repeat, args);
  const timeout = new Timeout(record);
  record.timeout = timeout;
  record.request = native.owner();
  if (record.request < 0) {
    record.cleared = true; // Its request is over, and what was set on behalf of that is over with it.
    return timeout;
  }
  insert(record);
  reschedule();
  return timeout;
}

function setTimeout(callback, delay = undefined, ...args) {
  checkCallback(callback);
  return start(callback, delayOf(delay), false, args);
}

function setInterval(callback, delay = undefined, ...args) {
  checkCallback(callback);
  return start(callback, delayOf(delay), true, args);
}

/** Takes what setTimeout or setInterval returned, or its number as a number or string; anything else is ignored. */
function clearTimeout(timeout = undefined) {
  let record = recordOf(timeout);
  if (record === undefined) {
    if (typeof timeout === 'number') record = byId.get(timeout);
    else if (typeof timeout === 'string') record = byId.get(+timeout);
  }
  if (record !== undefined) clear(record);
}

function clearInterval(timeout = undefined) {
  clearTimeout(timeout);
}

// --- Immediates ------------------------------------------------------------------------------------------------------

let immediateOf;

class Immediate {
  #record;

  static {
    immediateOf = (value) => (isObject(value) && #record in value ? value.#record : undefined);
  }

  constructor(record) {
    this.#record = record;
  }

  ref() {
    return setImmediateRefed(this, true);
  }

  unref() {
    return setImmediateRefed(this, false);
  }

  hasRef() {
    return (immediateOf(this) ?? illegalInvocation()).refed;
  }
}

function setImmediateRefed(immediate, value) {
  const record = immediateOf(immediate) ?? illegalInvocation();
  if (record.refed !== value) {
    record.refed = value;
    if (record.pending) refed += value ? 1 : -1;
  }
  return immediate;
}

function setImmediate(callback, ...args) {
  checkCallback(callback);
  checkRoom();
  if (!disposable) makeDisposable();
  const record = new ImmediateRecord(callback, args);
  record.immediate = new Immediate(record);
  record.request = native.owner();
  if (record.request < 0) {
    record.pending = false;
    return record.immediate;
  }
  ArrayPrototypePush(immediates, record);
  refed++;
  reschedule();
  return record.immediate;
}

function finishImmediate(record) {
  record.pending = false;
  if (record.refed) refed--;
}

function clearImmediate(immediate = undefined) {
  const record = immediateOf(immediate);
  if (record !== undefined && record.pending) finishImmediate(record); // The queue skips what is no longer pending.
}

// --- Symbol.dispose --------------------------------------------------------------------------------------------------

// The engine adds Symbol.dispose to a realm after this file was evaluated into the snapshot: it is looked up when the
// first timer is set. (It can be neither replaced nor removed.)
let disposable = false;

function makeDisposable() {
  disposable = true;
  const { dispose } = Symbol;
  if (dispose === undefined) return;
  const define = (Class, value) => {
    ObjectDefineProperty(Class.prototype, dispose, { __proto__: null, value, writable: true, configurable: true });
  };
  const methods = {
    disposeTimeout() {
      clear(recordOf(this) ?? illegalInvocation());
    },
    disposeImmediate() {
      clearImmediate(this);
    },
  };
  define(Timeout, methods.disposeTimeout);
  define(Immediate, methods.disposeImmediate);
}

// --- Running ---------------------------------------------------------------------------------------------------------

function call(callback, receiver, args) {
  if (args === undefined || args.length === 0) FunctionPrototypeCall(callback, receiver);
  else ReflectApply(callback, receiver, args);
}

function runTimer(record) {
  remove(record);
  record.running = true;
  if (record.repeat && record.id !== 0) byId.set(record.id, record); // A callback may clear its own interval.
  try {
    call(record.callback, record.timeout, record.args);
  } finally {
    record.running = false;
    if (record.repeat && !record.cleared && record.index === NOT_IN_HEAP) insert(record);
    else if (record.index === NOT_IN_HEAP && record.id !== 0) byId.delete(record.id);
  }
}

function runImmediates(request) {
  const batch = immediates;
  immediates = []; // Immediates that are set meanwhile wait for the next call.
  let next = 0;
  try {
    while (next < batch.length) {
      const record = batch[next];
      if (record.pending && record.request !== request) break;
      next++;
      if (!record.pending) continue;
      finishImmediate(record);
      call(record.callback, record.immediate, record.args);
      exports.afterCallback();
    }
  } finally {
    if (next < batch.length) {
      const added = immediates;
      immediates = [];
      for (let index = next; index < batch.length; index++) ArrayPrototypePush(immediates, batch[index]);
      for (let index = 0; index < added.length; index++) ArrayPrototypePush(immediates, added[index]);
    }
  }
}

/**
 * Runs the timers whose deadline is not after `now`, or else the immediates, as far as they belong to the request of the
 * first: its time is counted by what runs in this call, so others' wait for the next. What a callback throws comes out of
 * here; the rest stays due, so the event loop calls again after it has reported the error.
 */
exports.fire = (now) => {
  firing = true;
  try {
    if (heap.length > 0 && heap[0].deadline <= now + TOLERANCE_MS) {
      const { request } = heap[0];
      native.enterRequest(request);
      while (heap.length > 0 && heap[0].deadline <= now + TOLERANCE_MS && heap[0].request === request) {
        runTimer(heap[0]);
        exports.afterCallback();
      }
    }
    if (immediates.length > 0 && !(heap.length > 0 && heap[0].deadline <= now + TOLERANCE_MS)) {
      const { request } = immediates[0];
      native.enterRequest(request);
      runImmediates(request);
    }
  } finally {
    firing = false;
    reschedule();
  }
};

const endings = []; // what else ends with a request

/** Has `ended(request)` called when a request is over on whose behalf `requestIsOver` was asked, or timers were set. */
exports.whenRequestEnds = (ended) => {
  ArrayPrototypePush(endings, ended);
};

/**
 * After code was ended by force, which runs no `finally` and may have been at work on the heap: makes it one again. A timer
 * whose callback was ended is gone, an interval's too.
 */
exports.recover = () => {
  firing = false;
  scheduled = UNKNOWN;
  const records = [];
  for (let index = 0; index < heap.length; index++) {
    const record = heap[index];
    if (record !== undefined && !record.running && !record.cleared) ArrayPrototypePush(records, record);
    if (record !== undefined) record.index = NOT_IN_HEAP;
  }
  heap.length = 0;
  refed = 0;
  for (let index = 0; index < records.length; index++) {
    const record = records[index];
    if (record.index !== NOT_IN_HEAP) continue; // it was in two places
    ArrayPrototypePush(heap, record);
    siftUp(record, heap.length - 1);
    if (record.refed) refed++;
  }
  for (let index = 0; index < immediates.length; index++) {
    if (immediates[index].pending && immediates[index].refed) refed++;
  }
  reschedule();
};

/** Clears what was set on behalf of a request that is over. */
exports.clearRequest = (request) => {
  for (let index = 0; index < endings.length; index++) endings[index](request);
  const over = [];
  for (let index = 0; index < heap.length; index++) {
    if (heap[index].request === request) ArrayPrototypePush(over, heap[index]);
  }
  for (let index = 0; index < over.length; index++) clear(over[index]);
  for (let index = 0; index < immediates.length; index++) {
    const record = immediates[index];
    if (record.request === request && record.pending) finishImmediate(record);
  }
};

/** Runs after each callback. Where there is process.nextTick, its builtin replaces this. */
exports.afterCallback = () => native.runMicrotasks();

/** Whether the request on whose behalf the caller runs is over, so that what is put off never comes. */
exports.requestIsOver = () => native.owner() < 0;

/** The request on whose behalf the caller runs; 0 for nobody's, −1 for one that is over. */
exports.owner = () => native.owner();

/** Something that is no timer keeps the worker alive (1), or does no more (-1). */
exports.holdAlive = (change) => {
  held += change;
};

/** Whether a timer, an immediate or anything else keeps the worker alive. */
exports.hasRefed = () => refed + held > 0;

/** A timer of the platform's own: any delay in milliseconds, does not keep the worker alive. Returns what clearTimeout takes. */
exports.startInternalTimer = (callback, delay) => start(callback, delay, false, undefined).unref();

// --- Microtasks ------------------------------------------------------------------------------------------------------

function queueMicrotask(callback) {
  requireArguments(arguments.length, 1, "Failed to execute 'queueMicrotask'");
  checkCallback(callback);
  runInMicrotask(callback);
}

// An await reads nothing that guests could have replaced, as Promise.prototype.then does (constructor, Symbol.species).
async function runInMicrotask(callback) {
  await undefined;
  try {
    callback();
  } catch (error) {
    use('web/report').reportException(error);
  }
}

ObjectDefineProperty(setTimeout, 'length', { __proto__: null, value: 1, configurable: true });
ObjectDefineProperty(setInterval, 'length', { __proto__: null, value: 1, configurable: true });
defineEnumerable(Timeout, ['ref', 'unref', 'hasRef', 'refresh', 'close']);
defineEnumerable(Immediate, ['ref', 'unref', 'hasRef']);

exports.setTimeout = setTimeout;
exports.setInterval = setInterval;
exports.clearTimeout = clearTimeout;
exports.clearInterval = clearInterval;
exports.setImmediate = setImmediate;
exports.clearImmediate = clearImmediate;
exports.queueMicrotask = queueMicrotask;
exports.Timeout = Timeout;
exports.Immediate = Immediate;
