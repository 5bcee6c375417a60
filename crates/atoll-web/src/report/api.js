// Errors that nobody caught: https://html.spec.whatwg.org/#report-the-exception
//
// An error reaches this file in two ways. The engine calls `uncaught` and `unhandledRejection` for what ended a turn;
// other builtins call `reportException` for what a guest's listener or microtask threw. If no listener of the global
// object prevents the default, the latter hands the error to the engine by throwing it in a turn of its own.

const {
  Error,
  NumberParseInt,
  RegExpPrototypeExec,
  String,
  StringPrototypeSplit,
} = primordials;
const { requireArguments } = use('web/webidl');
const { EventTarget, defineEventHandler, dispatchTrusted, hasListeners } = use('web/events');

const globalObject = globalThis;

let reporting = false; // an error in a listener for errors is not dispatched again
let rethrown = false; // the error that the engine is about to report has been dispatched already

function messageOf(error) {
  try {
    if (typeof error === 'object' && error !== null) return `Uncaught ${error.name ?? 'Error'}: ${error.message}`;
    return `Uncaught ${String(error)}`;
  } catch {
    return 'Uncaught exception';
  }
}

/** File, line and column of the first frame in an error's stack; empty and 0 where there is none. */
function positionOf(error) {
  const nowhere = { filename: '', lineno: 0, colno: 0 };
  try {
    const stack = typeof error === 'object' && error !== null ? error.stack : undefined;
    if (typeof stack !== 'string') return nowhere;
    const lines = StringPrototypeSplit(stack, '\n', 20);
    for (let index = 0; index < lines.length; index++) {
      const match = RegExpPrototypeExec(/^\s+at (?:.*\()?(.+):(\d+):(\d+)\)?$/, lines[index]);
      if (match !== null) {
        return { filename: match[1], lineno: NumberParseInt(match[2], 10), colno: NumberParseInt(match[3], 10) };
      }
    }
  } catch {
    // A getter of the guest threw: there is no position to tell.
  }
  return nowhere;
}

/** Fires `error` at the global object; true when a listener prevented the default. */
function dispatchError(error) {
  if (reporting || !hasListeners(globalObject, 'error')) return false;
  reporting = true;
  try {
    const { filename, lineno, colno } = positionOf(error);
    const { ErrorEvent } = use('web/events/classes');
    const init = { __proto__: null, cancelable: true, message: messageOf(error), filename, lineno, colno, error };
    return !dispatchTrusted(globalObject, new ErrorEvent('error', init));
  } finally {
    reporting = false;
  }
}

/** Reports what a guest's callback threw, at a point where throwing on would disturb the platform. */
function reportException(error) {
  if (dispatchError(error)) return;
  use('web/timers').setImmediate(() => {
    rethrown = true;
    throw error;
  });
}

exports.reportException = reportException;

/**
 * What Node's process object adds: `uncaught(error)` and `unhandledRejection(promise, reason)`, asked when no listener of
 * the global object handled it, and `rejectionHandled(promise)`. Its builtin sets this.
 */
exports.processHooks = null;

/** For the engine: an exception ended a turn. True when the guest handled it. */
exports.uncaught = (error) => {
  const dispatched = rethrown;
  rethrown = false;
  if (!dispatched && dispatchError(error)) return true;
  return exports.processHooks !== null && exports.processHooks.uncaught(error) === true;
};

/** For the engine: a promise was rejected and at the end of the turn has no handler. True when the guest handled it. */
exports.unhandledRejection = (promise, reason) => {
  if (hasListeners(globalObject, 'unhandledrejection')) {
    const { PromiseRejectionEvent } = use('web/events/classes');
    const init = { __proto__: null, cancelable: true, promise, reason };
    if (!dispatchTrusted(globalObject, new PromiseRejectionEvent('unhandledrejection', init))) return true;
  }
  return exports.processHooks !== null && exports.processHooks.unhandledRejection(promise, reason) === true;
};

/** For the engine: a promise that was reported by `unhandledRejection` got a handler after all. */
exports.rejectionHandled = (promise, reason) => {
  if (hasListeners(globalObject, 'rejectionhandled')) {
    const { PromiseRejectionEvent } = use('web/events/classes');
    const init = { __proto__: null, promise, reason };
    dispatchTrusted(globalObject, new PromiseRejectionEvent('rejectionhandled', init));
  }
  if (exports.processHooks !== null) exports.processHooks.rejectionHandled(promise);
};

exports.reportError = function reportError(error) {
  requireArguments(arguments.length, 1, "Failed to execute 'reportError'");
  reportException(error);
};

exports.addEventListener = EventTarget.prototype.addEventListener;
exports.removeEventListener = EventTarget.prototype.removeEventListener;
exports.dispatchEvent = EventTarget.prototype.dispatchEvent;
exports.self = globalObject;

// Not enumerable, other than in browsers: programs written for Node.js go through the names of the global object to find
// those that somebody has left there.
defineEventHandler(globalObject, 'error', false);
defineEventHandler(globalObject, 'unhandledrejection', false);
defineEventHandler(globalObject, 'rejectionhandled', false);
