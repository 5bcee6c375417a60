// Aborting: https://dom.spec.whatwg.org/#aborting-ongoing-activities
//
// A dependent signal (AbortSignal.any) follows its sources. A source holds a dependent weakly while nobody listens to it
// and strongly while somebody does: a long-lived source must not keep every signal that was ever derived from it.

const {
  ArrayPrototypePush,
  ObjectDefineProperty,
  SafeSet,
  SetPrototypeForEach,
  TypeError,
  WeakRef,
  WeakRefPrototypeDeref,
} = primordials;
const webidl = use('web/webidl');
const { convert, defineEnumerable, defineEnumerableStatic, illegalConstructor, illegalInvocation } = webidl;
const { isObject, requireArguments, setToStringTag } = webidl;
const { DOMException } = use('web/dom-exception');
const { Event, EventTarget, defineEventHandler, dispatchTrusted, hasListeners, observeListeners } = use('web/events');

const MAKE = {}; // Only this file can construct signals.
const FIRST_SWEEP = 16; // dependents; then whenever their number has doubled since the last sweep

let stateOf;

class SignalState {
  aborted = false;
  reason = undefined;
  algorithms = null; // SafeSet of functions that run before the event
  sources = null; // of a dependent signal: those it follows, none of which is dependent
  dependents = null; // SafeSet of dependents that somebody listens to
  idleDependents = null; // WeakRefs of the other dependents
  sweepAt = FIRST_SWEEP;
}

class AbortSignal extends EventTarget {
  #state = new SignalState();

  static {
    stateOf = (signal) => (isObject(signal) && #state in signal ? signal.#state : undefined);
  }

  constructor(key = undefined) {
    if (key !== MAKE) illegalConstructor();
    super();
  }

  static abort(reason = undefined) {
    const signal = new AbortSignal(MAKE);
    const state = stateOf(signal);
    state.aborted = true;
    state.reason = reason === undefined ? abortError() : reason;
    return signal;
  }

  static timeout(milliseconds) {
    const context = "Failed to execute 'timeout' on 'AbortSignal'";
    requireArguments(arguments.length, 1, context);
    const delay = convert.unsignedLongLong(milliseconds, `${context}: argument 1`, { __proto__: null, enforceRange: true });
    const signal = new AbortSignal(MAKE);
    use('web/timers').startInternalTimer(() => {
      signalAbort(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
    }, delay);
    return signal;
  }

  static any(signals) {
    const context = "Failed to execute 'any' on 'AbortSignal'";
    requireArguments(arguments.length, 1, context);
    return createDependentSignal(convert.sequence(signals, `${context}: argument 1`, convertSignal));
  }

  get aborted() {
    return (stateOf(this) ?? illegalInvocation()).aborted;
  }

  get reason() {
    return (stateOf(this) ?? illegalInvocation()).reason;
  }

  throwIfAborted() {
    const state = stateOf(this) ?? illegalInvocation();
    if (state.aborted) throw state.reason;
  }
}

ObjectDefineProperty(AbortSignal, 'length', { __proto__: null, value: 0, configurable: true });
ObjectDefineProperty(AbortSignal.abort, 'length', { __proto__: null, value: 0, configurable: true });
defineEnumerable(AbortSignal, ['aborted', 'reason', 'throwIfAborted']);
defineEnumerableStatic(AbortSignal, ['abort', 'timeout', 'any']);
defineEventHandler(AbortSignal.prototype, 'abort');
setToStringTag(AbortSignal, 'AbortSignal');

class AbortController {
  #signal = new AbortSignal(MAKE);

  get signal() {
    return #signal in this ? this.#signal : illegalInvocation();
  }

  abort(reason = undefined) {
    if (!(#signal in this)) illegalInvocation();
    signalAbort(this.#signal, reason);
  }
}

ObjectDefineProperty(AbortController.prototype.abort, 'length', { __proto__: null, value: 0, configurable: true });
defineEnumerable(AbortController, ['signal', 'abort']);
setToStringTag(AbortController, 'AbortController');

function abortError() {
  return new DOMException('This operation was aborted', 'AbortError');
}

function convertSignal(value, context) {
  if (stateOf(value) === undefined) throw new TypeError(`${context} is not an AbortSignal.`);
  return value;
}

/** Aborts a signal and those that depend on it; `reason` undefined means an AbortError. */
function signalAbort(signal, reason) {
  const state = stateOf(signal);
  if (state.aborted) return;
  state.aborted = true;
  state.reason = reason === undefined ? abortError() : reason;
  // All of them say `aborted` before the first listener runs.
  const reached = takeDependents(state);
  for (let index = 0; index < reached.length; index++) {
    const dependent = stateOf(reached[index]);
    dependent.aborted = true;
    dependent.reason = state.reason;
  }
  runAbortSteps(signal, state);
  for (let index = 0; index < reached.length; index++) runAbortSteps(reached[index], stateOf(reached[index]));
}

function runAbortSteps(signal, state) {
  const { algorithms } = state;
  state.algorithms = null;
  state.sources = null;
  if (algorithms !== null) SetPrototypeForEach(algorithms, (algorithm) => algorithm());
  if (hasListeners(signal, 'abort')) dispatchTrusted(signal, new Event('abort'));
}

function takeDependents(state) {
  const taken = [];
  const seen = new SafeSet();
  const take = (dependent) => {
    if (dependent === undefined || seen.has(dependent) || stateOf(dependent).aborted) return;
    seen.add(dependent);
    ArrayPrototypePush(taken, dependent);
  };
  // Idle ones may only have lost their listeners: order among dependents is by when they were derived or heard.
  if (state.dependents !== null) SetPrototypeForEach(state.dependents, take);
  if (state.idleDependents !== null) {
    for (let index = 0; index < state.idleDependents.length; index++) take(WeakRefPrototypeDeref(state.idleDependents[index]));
  }
  state.dependents = null;
  state.idleDependents = null;
  return taken;
}

function createDependentSignal(signals) {
  const signal = new AbortSignal(MAKE);
  const state = stateOf(signal);
  for (let index = 0; index < signals.length; index++) {
    const source = stateOf(signals[index]);
    if (source.aborted) {
      state.aborted = true;
      state.reason = source.reason;
      return signal;
    }
  }
  state.sources = new SafeSet();
  const follow = (source) => state.sources.add(source);
  for (let index = 0; index < signals.length; index++) {
    const { sources } = stateOf(signals[index]);
    if (sources === null) follow(signals[index]);
    else SetPrototypeForEach(sources, follow);
  }
  const reference = new WeakRef(signal);
  SetPrototypeForEach(state.sources, (source) => holdIdle(stateOf(source), reference));
  observeListeners(signal, () => hold(signal, state));
  return signal;
}

function holdIdle(source, reference) {
  source.idleDependents ??= [];
  if (source.idleDependents.length >= source.sweepAt) {
    const alive = [];
    for (let index = 0; index < source.idleDependents.length; index++) {
      const other = source.idleDependents[index];
      if (WeakRefPrototypeDeref(other) !== undefined) ArrayPrototypePush(alive, other);
    }
    source.idleDependents = alive;
    source.sweepAt = alive.length * 2 + FIRST_SWEEP;
  }
  ArrayPrototypePush(source.idleDependents, reference);
}

/** Makes the sources of a dependent signal hold it as strongly as they must now. */
function hold(signal, state) {
  if (state.sources === null || state.aborted) return;
  const wanted = state.algorithms !== null || hasListeners(signal, 'abort');
  SetPrototypeForEach(state.sources, (source) => {
    const sourceState = stateOf(source);
    if (wanted) {
      sourceState.dependents ??= new SafeSet();
      sourceState.dependents.add(signal);
    } else {
      sourceState.dependents?.delete(signal);
    }
  });
}

exports.AbortController = AbortController;
exports.AbortSignal = AbortSignal;
exports.isAbortSignal = (value) => stateOf(value) !== undefined;
exports.isAborted = (signal) => stateOf(signal).aborted;
/** The reason of an aborted signal, without going through its prototype. */
exports.abortReason = (signal) => stateOf(signal).reason;
/** A signal without a controller: abort it with `signalAbort`. */
exports.createSignal = () => new AbortSignal(MAKE);
exports.createDependentSignal = createDependentSignal;
exports.signalAbort = signalAbort;

/**
 * Runs `algorithm()` when the signal aborts, before its event; nothing if it already has. It must not throw. Take it
 * back with `removeAbortAlgorithm` as soon as there is nothing left to abort.
 */
exports.addAbortAlgorithm = (signal, algorithm) => {
  const state = stateOf(signal);
  if (state.aborted) return;
  state.algorithms ??= new SafeSet();
  state.algorithms.add(algorithm);
  hold(signal, state);
};

exports.removeAbortAlgorithm = (signal, algorithm) => {
  const state = stateOf(signal);
  if (state.algorithms === null) return;
  state.algorithms.delete(algorithm);
  if (state.algorithms.size === 0) state.algorithms = null;
  hold(signal, state);
};
