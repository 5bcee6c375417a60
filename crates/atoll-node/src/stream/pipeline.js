// stream.pipeline: chains streams, iterables and functions. The first error destroys all; the last stream's end is the
// end of it.
const {
  ArrayIsArray,
  ArrayPrototypePush,
  ArrayPrototypeShift,
  ObjectDefineProperty,
  Promise,
  PromisePrototypeThen,
  PromiseResolve,
  ReflectApply,
  SymbolFor,
} = primordials;
const {
  ERR_INVALID_ARG_TYPE,
  ERR_INVALID_RETURN_VALUE,
  ERR_MISSING_ARGS,
  ERR_STREAM_DESTROYED,
  ERR_STREAM_PREMATURE_CLOSE,
} = use('node/internal/errors');
const { validateAbortSignal, validateFunction } = use('node/internal/validators');
const { abortError, onAbort } = use('node/internal/stream/abort');
const { finished, once } = use('node/internal/stream/finished');
const { destroyAny, mergeErrors } = use('node/internal/stream/lifecycle');
const {
  isIterable,
  isNodeStream,
  isReadable,
  isReadableFinished,
  isReadableNodeStream,
  isReadableStream,
  isTransformStream,
  isWebStream,
} = use('node/internal/stream/state');
const process = use('node:process').default;
const { createSignal, signalAbort } = use('web/abort');

/** Watches a stream of the chain: `destroy(error)` ends it unless it is over, `cleanUp` stops watching. */
function guard(stream, reading, writing) {
  let over = false;
  stream.on('close', () => {
    over = true;
  });
  const cleanUp = finished(stream, { __proto__: null, readable: reading, writable: writing }, (error) => {
    over = !error;
  });
  return {
    destroy(error) {
      if (over) return;
      over = true;
      destroyAny(stream, error || ERR_STREAM_DESTROYED('pipe'));
    },
    cleanUp,
  };
}

function takeCallback(streams) {
  const callback = streams[streams.length - 1];
  validateFunction(callback, 'streams[stream.length - 1]');
  streams.length--;
  return callback;
}

/** What can be iterated in `value`: it, or the chunks of a Node stream that has no iterator. */
function iterableOf(value) {
  if (isIterable(value)) return value;
  if (isReadableNodeStream(value)) return chunksOf(value);
  throw ERR_INVALID_ARG_TYPE('val', ['Readable', 'Iterable', 'AsyncIterable'], value);
}
async function* chunksOf(stream) {
  yield* use('node/internal/stream/iterate').iterate(stream);
}

/** Writes what an iterable gives to a Node stream, as fast as that takes it. */
async function pumpToNode(iterable, writable, finish, { end }) {
  let failure;
  let wake = null;
  const resume = (error) => {
    if (error) failure = error;
    if (wake === null) return;
    const woken = wake;
    wake = null;
    woken();
  };
  const untilDrained = () =>
    new Promise((resolve, reject) => {
      if (failure) {
        reject(failure);
        return;
      }
      wake = () => {
        if (failure) reject(failure);
        else resolve();
      };
    });
  writable.on('drain', resume);
  const cleanUp = finished(writable, { __proto__: null, readable: false }, resume);
  try {
    if (writable.writableNeedDrain) await untilDrained();
    for await (const chunk of iterable) if (!writable.write(chunk)) await untilDrained();
    if (end) {
      writable.end();
      await untilDrained();
    }
    finish();
  } catch (error) {
    finish(failure !== error ? mergeErrors(failure, error) : error);
  } finally {
    cleanUp();
    writable.off('drain', resume);
  }
}

/** The same, to a web stream. */
async function pumpToWeb(readable, writable, finish, { end }) {
  const target = isTransformStream(writable) ? writable.writable : writable;
  const writer = target.getWriter();
  try {
    for await (const chunk of readable) {
      await writer.ready;
      PromisePrototypeThen(writer.write(chunk), undefined, () => {});
    }
    await writer.ready;
    if (end) await writer.close();
    finish();
  } catch (error) {
    try {
      await writer.abort(error);
      finish(error);
    } catch (later) {
      finish(later);
    }
  }
}

function pipeline(...streams) {
  return run(streams, once(takeCallback(streams)));
}

/** `options`: `signal`; `end: false` leaves the last stream open. */
function run(given, callback, options = undefined) {
  const streams = given.length === 1 && ArrayIsArray(given[0]) ? given[0] : given;
  if (streams.length < 2) throw ERR_MISSING_ARGS('streams');
  const signal = createSignal(); // tells functions of the chain that it is over
  const outer = options?.signal;
  validateAbortSignal(outer, 'options.signal');

  const guards = [];
  const lastCleanUps = []; // of the last stream: only when the chain is over without an error
  let failure;
  let result;
  let pending = 0; // parts that have not said that they are done
  let stopListening;

  function abort() {
    finishAll(abortError(outer));
  }
  if (outer?.aborted) PromisePrototypeThen(PromiseResolve(), abort);
  else if (outer) stopListening = onAbort(outer, abort);

  function finish(error) {
    finishAll(error, --pending === 0);
  }
  function finishOnError(error) {
    finishAll(error, false);
  }
  function finishAll(error, isLast) {
    if (error && (!failure || failure.code === 'ERR_STREAM_PREMATURE_CLOSE')) failure = error;
    if (!failure && !isLast) return;
    while (guards.length > 0) ArrayPrototypeShift(guards)(failure);
    stopListening?.();
    signalAbort(signal);
    if (!isLast) return;
    if (!failure) for (let index = 0; index < lastCleanUps.length; index++) lastCleanUps[index]();
    process.nextTick(callback, failure, result);
  }

  let previous;
  for (let index = 0; index < streams.length; index++) {
    const stream = streams[index];
    const reading = index < streams.length - 1;
    const writing = index > 0;
    const end = reading || options?.end !== false;
    const isLast = index === streams.length - 1;
    if (isNodeStream(stream)) guardStream(stream, reading, writing, end, isLast);
    if (index === 0) previous = sourceOf(stream, signal);
    else if (typeof stream === 'function') previous = callPart(stream, previous, index, reading, end);
    else if (isNodeStream(stream)) previous = connectNode(stream, previous, end, isLast);
    else if (isWebStream(stream)) previous = connectWeb(stream, previous, end);
    else previous = use('node/internal/stream/duplex').Duplex.from(stream);
  }
  if (signal.aborted) process.nextTick(abort);
  return previous;

  function guardStream(stream, reading, writing, end, isLast) {
    if (end) {
      const watched = guard(stream, reading, writing);
      ArrayPrototypePush(guards, watched.destroy);
      if (isReadable(stream) && isLast) ArrayPrototypePush(lastCleanUps, watched.cleanUp);
    }
    // Errors that come when nobody watches any more.
    const onError = (error) => {
      if (error && error.name !== 'AbortError' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') finishOnError(error);
    };
    stream.on('error', onError);
    if (isReadable(stream) && isLast) ArrayPrototypePush(lastCleanUps, () => stream.removeListener('error', onError));
  }

  function callPart(part, before, index, reading, end) {
    const input = isTransformStream(before) ? iterableOf(before.readable) : iterableOf(before);
    const made = part(input, { signal });
    if (reading) {
      if (!isIterable(made, true)) throw ERR_INVALID_RETURN_VALUE('AsyncIterable', `transform[${index - 1}]`, made);
      return made;
    }
    // The last one: what it gives comes out of a stream, so that a chain of functions is a stream as well.
    const { PassThrough } = use('node/internal/stream/transform');
    const output = new PassThrough({ __proto__: null, objectMode: true });
    const then = made?.then;
    if (typeof then === 'function') {
      pending++;
      ReflectApply(then, made, [
        (value) => {
          result = value;
          if (value !== null && value !== undefined) output.write(value);
          if (end) output.end();
          process.nextTick(finish);
        },
        (error) => {
          output.destroy(error);
          process.nextTick(finish, error);
        },
      ]);
    } else if (isIterable(made, true)) {
      pending++;
      pumpToNode(made, output, finish, { end });
    } else if (isReadableStream(made) || isTransformStream(made)) {
      pending++;
      pumpToNode(made.readable || made, output, finish, { end });
    } else {
      throw ERR_INVALID_RETURN_VALUE('AsyncIterable or Promise', 'destination', made);
    }
    const watched = guard(output, false, true);
    ArrayPrototypePush(guards, watched.destroy);
    ArrayPrototypePush(lastCleanUps, watched.cleanUp);
    return output;
  }

  function connectNode(stream, before, end, isLast) {
    if (isReadableNodeStream(before)) {
      pending += 2;
      const cleanUp = pipe(before, stream, finish, finishOnError, end);
      if (isReadable(stream) && isLast) ArrayPrototypePush(lastCleanUps, cleanUp);
    } else if (isTransformStream(before) || isReadableStream(before)) {
      pending++;
      pumpToNode(before.readable || before, stream, finish, { end });
    } else if (isIterable(before)) {
      pending++;
      pumpToNode(before, stream, finish, { end });
    } else {
      throw wrongPart(before);
    }
    return stream;
  }

  function connectWeb(stream, before, end) {
    if (isReadableNodeStream(before) || isReadableStream(before) || isIterable(before)) {
      pending++;
      pumpToWeb(isReadableNodeStream(before) ? iterableOf(before) : before, stream, finish, { end });
    } else if (isTransformStream(before)) {
      pending++;
      pumpToWeb(before.readable, stream, finish, { end });
    } else {
      throw wrongPart(before);
    }
    return stream;
  }
}

function wrongPart(part) {
  return ERR_INVALID_ARG_TYPE(
    'val',
    ['Readable', 'Iterable', 'AsyncIterable', 'ReadableStream', 'TransformStream'],
    part,
  );
}

/** The start of a chain. */
function sourceOf(first, signal) {
  if (typeof first === 'function') {
    const made = first({ signal });
    if (!isIterable(made)) throw ERR_INVALID_RETURN_VALUE('Iterable, AsyncIterable or Stream', 'source', made);
    return made;
  }
  if (isIterable(first) || isReadableNodeStream(first) || isTransformStream(first)) return first;
  return use('node/internal/stream/duplex').Duplex.from(first);
}

/** Connects two Node streams; `finish` is called for each of them. */
function pipe(source, destination, finish, finishOnError, end) {
  let ended = false;
  destination.on('close', () => {
    if (!ended) finishOnError(ERR_STREAM_PREMATURE_CLOSE());
  });
  source.pipe(destination, { __proto__: null, end: false }); // ended below, also if a legacy stream is the source
  if (end) {
    const endDestination = () => {
      ended = true;
      destination.end();
    };
    if (isReadableFinished(source)) process.nextTick(endDestination);
    else source.once('end', endDestination);
  } else {
    finish();
  }
  finished(source, { __proto__: null, readable: true, writable: false }, (error) => {
    const state = source._readableState;
    if (error?.code === 'ERR_STREAM_PREMATURE_CLOSE' && state?.ended && !state.errored && !state.errorEmitted) {
      // Some streams close before they tell their end, which may still come when its last chunks were read.
      source.once('end', finish);
      source.once('error', finish);
    } else {
      finish(error);
    }
  });
  return finished(destination, { __proto__: null, readable: false, writable: true }, finish);
}

/** As a promise of what the last function returned; the options may come last. */
function pipelinePromise(...streams) {
  return new Promise((resolve, reject) => {
    let signal;
    let end;
    const last = streams[streams.length - 1];
    const isOptions =
      last && typeof last === 'object' && !isNodeStream(last) && !isIterable(last) && !isWebStream(last);
    if (isOptions) {
      streams.length--;
      ({ signal, end } = last);
    }
    run(
      streams,
      once((error, value) => (error ? reject(error) : resolve(value))),
      { __proto__: null, signal, end },
    );
  });
}
ObjectDefineProperty(pipelinePromise, 'name', { __proto__: null, value: 'pipeline', configurable: true });
ObjectDefineProperty(pipeline, SymbolFor('nodejs.util.promisify.custom'), {
  __proto__: null,
  enumerable: true,
  get: () => pipelinePromise,
});

exports.pipeline = pipeline;
exports.pipelinePromise = pipelinePromise;
exports.run = run;
