// map, filter and the others, as async generators and functions over the chunks of `this`.
const {
  ArrayPrototypePush,
  ArrayPrototypeShift,
  MathFloor,
  Number,
  Promise,
  PromisePrototypeThen,
  PromiseReject,
  PromiseResolve,
  ReflectApply,
  Symbol,
  TypeError,
} = primordials;
const { AbortError, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE, codedError } =
  use('node/internal/errors');
const { validateAbortSignal, validateInteger, validateObject } = use('node/internal/validators');
const { abortError, destroyOnAbort } = use('node/internal/stream/abort');
const { isNodeStream, isWritable } = use('node/internal/stream/state');
const { createSignal, signalAbort } = use('web/abort');

const kSkip = Symbol('kSkip'); // in place of a result: there is none
const kEnd = Symbol('kEnd');

const nothing = () => {};

function checkFunction(value, name) {
  if (typeof value !== 'function') throw ERR_INVALID_ARG_TYPE(name, ['Function', 'AsyncFunction'], value);
}

function checkOptions(options) {
  if (options !== undefined && options !== null) validateObject(options, 'options');
  if (options?.signal !== undefined && options.signal !== null) validateAbortSignal(options.signal, 'options.signal');
}

/** A signal for callbacks, that aborts with the program's; and how to abort and forget it. */
function deriveSignal(outer) {
  const signal = createSignal();
  const abort = () => signalAbort(signal, outer.reason);
  if (outer?.aborted) abort();
  else outer?.addEventListener('abort', abort, { __proto__: null, once: true });
  return {
    signal,
    release() {
      outer?.removeEventListener('abort', abort);
    },
  };
}

function map(transform, options) {
  checkFunction(transform, 'fn');
  checkOptions(options);
  let concurrency = 1;
  if (options?.concurrency !== undefined && options.concurrency !== null) concurrency = MathFloor(options.concurrency);
  let highWaterMark = concurrency - 1;
  if (options?.highWaterMark !== undefined && options.highWaterMark !== null)
    highWaterMark = MathFloor(options.highWaterMark);
  validateInteger(concurrency, 'options.concurrency', 1);
  validateInteger(highWaterMark, 'options.highWaterMark', 0);
  return results(this, transform, options, concurrency, highWaterMark + concurrency);
}

/** Calls `transform` for up to `concurrency` chunks at once; gives the results in order. Up to `limit` may wait. */
async function* results(stream, transform, options, concurrency, limit) {
  const { signal, release } = deriveSignal(options?.signal);
  const forCallback = { signal };
  const queue = []; // promises of results
  let wakeReader;
  let wakePump;
  let over = false;
  let running = 0;

  const wakeUpReader = () => {
    const wake = wakeReader;
    wakeReader = undefined;
    wake?.();
  };
  const pumpOn = () => {
    if (!wakePump || over || running >= concurrency || queue.length >= limit) return;
    const wake = wakePump;
    wakePump = undefined;
    wake();
  };
  const onDone = () => {
    running--;
    pumpOn();
  };
  const onFailed = () => {
    over = true;
    onDone();
  };

  async function pump() {
    try {
      for await (const chunk of stream) {
        if (over) return;
        if (signal.aborted) throw new AbortError();
        let result;
        try {
          const made = transform(chunk, forCallback);
          if (made === kSkip) continue;
          result = PromiseResolve(made);
        } catch (error) {
          result = PromiseReject(error);
        }
        running++;
        PromisePrototypeThen(result, onDone, onFailed);
        ArrayPrototypePush(queue, result);
        wakeUpReader();
        if (!over && (queue.length >= limit || running >= concurrency)) {
          await new Promise((resolve) => (wakePump = resolve));
        }
      }
      ArrayPrototypePush(queue, kEnd);
    } catch (error) {
      const result = PromiseReject(error);
      PromisePrototypeThen(result, onDone, onFailed);
      ArrayPrototypePush(queue, result);
    } finally {
      over = true;
      wakeUpReader();
    }
  }

  pump();
  try {
    for (;;) {
      while (queue.length > 0) {
        const result = await queue[0];
        if (result === kEnd) return;
        if (signal.aborted) throw new AbortError();
        if (result !== kSkip) yield result;
        ArrayPrototypeShift(queue);
        pumpOn();
      }
      await new Promise((resolve) => (wakeReader = resolve));
    }
  } finally {
    over = true;
    release();
    wakePump?.();
    wakePump = undefined;
  }
}

function filter(test, options) {
  checkFunction(test, 'fn');
  const keep = async (chunk, forCallback) => ((await test(chunk, forCallback)) ? chunk : kSkip);
  return ReflectApply(map, this, [keep, options]);
}

async function forEach(visit, options) {
  checkFunction(visit, 'fn');
  const skip = async (chunk, forCallback) => {
    await visit(chunk, forCallback);
    return kSkip;
  };
  const chunks = ReflectApply(map, this, [skip, options]);
  while (!(await chunks.next()).done);
}

async function some(test, options = undefined) {
  for await (const chunk of ReflectApply(filter, this, [test, options])) {
    void chunk;
    return true;
  }
  return false;
}

async function every(test, options = undefined) {
  checkFunction(test, 'fn');
  // One that fails settles it.
  return !(await ReflectApply(some, this, [
    async (...values) => !(await ReflectApply(test, undefined, values)),
    options,
  ]));
}

async function find(test, options) {
  for await (const chunk of ReflectApply(filter, this, [test, options])) return chunk;
  return undefined;
}

async function* flattened(parts) {
  for await (const part of parts) yield* part;
}
function flatMap(transform, options) {
  return flattened(ReflectApply(map, this, [transform, options]));
}

function checkCount(count) {
  const number = Number(count);
  if (number !== number) return 0;
  if (number < 0) throw ERR_OUT_OF_RANGE('number', '>= 0', number);
  return number;
}

function throwIfAborted(options) {
  if (options?.signal?.aborted) throw new AbortError();
}

async function* dropped(stream, count, options) {
  throwIfAborted(options);
  let left = count;
  for await (const chunk of stream) {
    throwIfAborted(options);
    if (left-- <= 0) yield chunk;
  }
}
function drop(number, options = undefined) {
  checkOptions(options);
  return dropped(this, checkCount(number), options);
}

async function* taken(stream, count, options) {
  throwIfAborted(options);
  let left = count;
  for await (const chunk of stream) {
    throwIfAborted(options);
    if (left-- > 0) yield chunk;
    if (left <= 0) return; // without waiting for a chunk that nobody wants
  }
}
function take(number, options = undefined) {
  checkOptions(options);
  return taken(this, checkCount(number), options);
}

async function reduce(reducer, initialValue, options) {
  checkFunction(reducer, 'reducer');
  checkOptions(options);
  let value = initialValue;
  let hasValue = arguments.length > 1;
  const outer = options?.signal;
  if (outer?.aborted) {
    const error = abortError(outer);
    this.once('error', nothing);
    const { finishedPromise } = use('node/internal/stream/finished');
    try {
      await finishedPromise(this.destroy(error));
    } catch {
      // It ends with the error that is thrown below.
    }
    throw error;
  }
  const { signal, release } = deriveSignal(outer);
  try {
    for await (const chunk of this) {
      if (outer?.aborted) throw new AbortError();
      if (hasValue) value = await reducer(value, chunk, { signal });
      else value = chunk;
      hasValue = true;
    }
    if (!hasValue) {
      throw codedError(TypeError, 'ERR_MISSING_ARGS', 'Reduce of an empty stream requires an initial value', reduce);
    }
  } finally {
    release();
  }
  return value;
}

async function toArray(options) {
  checkOptions(options);
  const chunks = [];
  for await (const chunk of this) {
    if (options?.signal?.aborted) throw abortError(options.signal);
    ArrayPrototypePush(chunks, chunk);
  }
  return chunks;
}

function compose(stream, options) {
  checkOptions(options);
  if (isNodeStream(stream) && !isWritable(stream)) throw ERR_INVALID_ARG_VALUE('stream', stream, 'must be writable');
  const composed = use('node/internal/stream/compose').compose(this, stream);
  if (options?.signal) destroyOnAbort(options.signal, composed);
  return composed;
}

exports.compose = compose;
exports.drop = drop;
exports.every = every;
exports.filter = filter;
exports.find = find;
exports.flatMap = flatMap;
exports.forEach = forEach;
exports.map = map;
exports.reduce = reduce;
exports.some = some;
exports.take = take;
exports.toArray = toArray;
