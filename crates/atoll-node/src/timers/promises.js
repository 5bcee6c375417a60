// node:timers/promises: timers as promises, which an AbortSignal can cut short.
const { Promise, PromiseReject } = primordials;
const timers = use('web/timers');
const { AbortError } = use('node/internal/errors');
const { validateAbortSignal, validateBoolean, validateNumber, validateObject } = use('node/internal/validators');

/** Checks `{ signal, ref }`; returns the complaint, if any, for the promise to reject with. */
function complaintOf(options) {
  try {
    validateObject(options, 'options');
    if (options.signal !== undefined) validateAbortSignal(options.signal, 'options.signal');
    if (options.ref !== undefined) validateBoolean(options.ref, 'options.ref');
  } catch (error) {
    return error;
  }
  const { signal } = options;
  return signal?.aborted ? new AbortError(undefined, { cause: signal.reason }) : undefined;
}

/** A promise of `value` that `start(done)` fulfils by calling `done`; `stop(timer)` takes the timer away. */
function once(value, options, start, stop) {
  const complaint = complaintOf(options);
  if (complaint !== undefined) return PromiseReject(complaint);
  const { signal, ref = true } = options;
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      stop(timer);
      reject(new AbortError(undefined, { cause: signal.reason }));
    };
    const timer = start(() => {
      if (signal) signal.removeEventListener('abort', onAbort);
      resolve(value);
    });
    if (!ref) timer.unref();
    if (signal) signal.addEventListener('abort', onAbort, { once: true });
  });
}

function setTimeout(delay, value, options = {}) {
  if (delay !== undefined) {
    try {
      validateNumber(delay, 'delay');
    } catch (error) {
      return PromiseReject(error);
    }
  }
  return once(value, options, (done) => timers.setTimeout(done, delay), timers.clearTimeout);
}

function setImmediate(value, options = {}) {
  return once(value, options, (done) => timers.setImmediate(done), timers.clearImmediate);
}

/** Yields `value` each `delay` milliseconds, however late it is asked for. */
async function* setInterval(delay, value, options = {}) {
  validateObject(options, 'options');
  if (delay !== undefined) validateNumber(delay, 'delay');
  const complaint = complaintOf(options);
  if (complaint !== undefined) throw complaint;
  const { signal, ref = true } = options;
  let due = 0; // ticks that were not asked for yet
  let wake;
  const timer = timers.setInterval(() => {
    due++;
    wake?.();
  }, delay);
  if (!ref) timer.unref();
  const onAbort = () => {
    timers.clearInterval(timer);
    wake?.();
  };
  if (signal) signal.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal?.aborted) {
      if (due === 0) {
        await new Promise((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
      for (; due > 0; due--) yield value;
    }
    throw new AbortError(undefined, { cause: signal.reason });
  } finally {
    timers.clearInterval(timer);
    if (signal) signal.removeEventListener('abort', onAbort);
  }
}

const scheduler = {
  wait(delay, options) {
    return setTimeout(delay, undefined, options);
  },
  yield() {
    return setImmediate();
  },
};

exports.default = { setTimeout, setImmediate, setInterval, scheduler };
