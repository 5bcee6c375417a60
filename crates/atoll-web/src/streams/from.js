// ReadableStream.from(): a stream over an async or sync iterable.
const {
  FunctionPrototypeCall, PromisePrototypeThen, PromiseReject, PromiseResolve, ReflectApply, SymbolAsyncIterator,
  SymbolIterator, TypeError,
} = primordials;
const { resolved } = use('web/streams/common');
const { ReadableState } = use('web/streams/core');
const { setUpInternal } = use('web/streams/default');
const { isObject } = use('web/webidl');

/** The state of a stream that pulls from `iterable` when it is read; `convert`, when given, makes each value a chunk. */
function streamFrom(iterable, convert = null) {
  const iterator = openIterator(iterable);
  const { next } = iterator;
  const stream = new ReadableState();

  const pull = (controller) =>
    PromisePrototypeThen(iterator.step(next), (result) => {
      if (!isObject(result)) throw new TypeError('The iterator\'s next() gave something else than an object');
      if (result.done) controller.close();
      else controller.enqueue(convert === null ? result.value : convert(result.value));
    });
  const cancel = (reason) => {
    const method = iterator.object.return;
    if (method === undefined || method === null) return resolved();
    return PromisePrototypeThen(iterator.finish(method, reason), (result) => {
      if (!isObject(result)) throw new TypeError('The iterator\'s return() gave something else than an object');
    });
  };
  setUpInternal(stream, pull, cancel, 0);
  return stream;
}

/** `{ object, next, step(next) → Promise of a result, finish(return, reason) → Promise of a result }`. */
function openIterator(iterable) {
  if (iterable === undefined || iterable === null) throw new TypeError('ReadableStream.from: the argument is not iterable');
  const asyncMethod = iterable[SymbolAsyncIterator];
  const isAsync = asyncMethod !== undefined && asyncMethod !== null;
  const method = isAsync ? asyncMethod : iterable[SymbolIterator];
  if (typeof method !== 'function') throw new TypeError('ReadableStream.from: the argument is not iterable');
  const object = FunctionPrototypeCall(method, iterable);
  if (!isObject(object)) throw new TypeError('ReadableStream.from: the iterator is not an object');
  const call = isAsync ? callAsync : callSync;
  return {
    object,
    next: object.next,
    step: (next) => call(object, next, []),
    finish: (method, reason) => call(object, method, [reason]),
  };
}

function callAsync(object, method, args) {
  try {
    return PromiseResolve(ReflectApply(method, object, args));
  } catch (error) {
    return PromiseReject(error);
  }
}

/** A step of a sync iterator, as an async iterator would do it: the value is awaited. */
function callSync(object, method, args) {
  try {
    const result = ReflectApply(method, object, args);
    if (!isObject(result)) throw new TypeError('The iterator gave something else than an object');
    const { done, value } = result;
    return PromisePrototypeThen(PromiseResolve(value), (awaited) => ({ done: !!done, value: awaited }));
  } catch (error) {
    return PromiseReject(error);
  }
}

exports.streamFrom = streamFrom;
