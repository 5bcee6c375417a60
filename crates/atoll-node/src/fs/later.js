// How operations of node:fs are done: at once, or put off to a thread of the process's pool. What becomes of the latter
// comes back in batches, in a turn of the request that asked.
const {
  ArrayPrototypePop, ArrayPrototypePush, ArrayPrototypeSlice, BigInt64Array, Error, ErrorCaptureStackTrace, Float64Array,
  ObjectDefineProperty, Promise, PromisePrototypeThen, PromiseResolve,
  TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteLength,
} = primordials;
const { statsFrom } = use('node/internal/fs/types');
const timers = use('web/timers');

const FAILED = 1;
const STATS = 2;

/** A kind of operation: `now(a, b, c, d, e)` does it at once; `name` is under which it can be put off. */
exports.kind = (name, now) => ({ __proto__: null, now, number: native.number(name) });

/** An operation, checked and ready. What its native function returns is passed through `finish`, if there is one. */
class Operation {
  callback = undefined;
  resolve = undefined;

  constructor(kind, finish, a, b, c, d, e) {
    this.kind = kind;
    this.finish = finish;
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
    this.e = e;
  }
}
exports.operation = (kind, finish, a, b, c, d, e) => new Operation(kind, finish, a, b, c, d, e);

/** Does it at once. */
exports.run = (operation) => {
  const value = operation.kind.now(operation.a, operation.b, operation.c, operation.d, operation.e);
  return operation.finish === undefined ? value : operation.finish(value);
};

const pending = []; // operations by ticket
const freeTickets = [];

function submit(operation) {
  const ticket = freeTickets.length > 0 ? ArrayPrototypePop(freeTickets) : pending.length;
  pending[ticket] = operation;
  const { number } = operation.kind;
  if (native.submit(operation.a, operation.b, operation.c, operation.d, operation.e, number, ticket)) awaitResults();
}

/** Has it done later; `callback(error, result)` is called then, without a result where there is none. */
exports.callLater = (operation, callback) => {
  operation.callback = callback;
  submit(operation);
};

/** Has it done later. A promise for its result; what `prepare()` throws rejects it. */
exports.promiseLater = (prepare) =>
  new Promise((resolve) => {
    const operation = prepare();
    operation.resolve = resolve;
    submit(operation);
  });

/**
 * A promise that is rejected with the error when somebody waits for it, so that V8 finds the functions that do, and the
 * error's stack tells them. Without, it would tell nothing: nothing of the program's runs when the result arrives.
 */
function rejected(error) {
  const fail = () => {
    if (error instanceof Error) ErrorCaptureStackTrace(error, fail);
    throw error;
  };
  const promise = PromisePrototypeThen(PromisePrototypeThen(PromiseResolve(undefined), nothing), fail);
  // Resolving another promise with it must call no `then` that the program has replaced.
  return ObjectDefineProperty(promise, 'then', { __proto__: null, value: then });
}
function nothing() {}
function then(fulfilled, failed) {
  return PromisePrototypeThen(this, fulfilled, failed);
}

function awaitResults() {
  PromisePrototypeThen(native.wait(), deliver);
}

function deliver() {
  const { 0: results, 1: packed, 2: again } = native.collect();
  if (again) awaitResults();
  let numbers;
  let integers;
  if (TypedArrayPrototypeGetByteLength(packed) > 0) {
    const memory = TypedArrayPrototypeGetBuffer(packed);
    numbers = new Float64Array(memory);
    integers = new BigInt64Array(memory);
  }
  const callbacks = [];
  for (let index = 0; index < results.length; index += 3) {
    const ticket = results[index];
    const operation = pending[ticket];
    pending[ticket] = undefined;
    ArrayPrototypePush(freeTickets, ticket);
    let failed = results[index + 1] === FAILED;
    let value = results[index + 2];
    if (!failed) {
      try {
        if (results[index + 1] === STATS) value = statsFrom(operation.c === true, operation.c === true ? integers : numbers, value);
        if (operation.finish !== undefined) value = operation.finish(value);
      } catch (error) {
        failed = true;
        value = error;
      }
    }
    if (operation.callback !== undefined) ArrayPrototypePush(callbacks, { __proto__: null, callback: operation.callback, failed, value });
    else operation.resolve(failed ? rejected(value) : value);
  }
  if (callbacks.length === 0) return;
  if (timers.requestIsOver()) runCallbacksNow(callbacks);
  else timers.setImmediate(runCallbacks, callbacks);
}

/**
 * For a request that is over there is no later turn. Its callbacks run all the same, as what waits for promises does: one may
 * have a file to close.
 */
function runCallbacksNow(calls) {
  for (let index = 0; index < calls.length; index++) {
    try {
      runCallbacks([calls[index]]);
    } catch {
      // Nobody is there any more whose error it could be.
    }
  }
}

/** Each callback sees what the one before has put off (ticks, promises) done. What one throws is uncaught; the rest run. */
function runCallbacks(calls) {
  let index = 0;
  try {
    while (index < calls.length) {
      if (index > 0) timers.afterCallback();
      const { callback, failed, value } = calls[index++];
      if (failed) callback(value);
      else if (value === undefined) callback(null);
      else callback(null, value);
    }
  } finally {
    if (index < calls.length) timers.setImmediate(runCallbacks, ArrayPrototypeSlice(calls, index));
  }
}
