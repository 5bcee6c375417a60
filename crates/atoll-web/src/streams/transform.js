// TransformStream.
const { PromisePrototypeThen, PromiseReject, PromiseResolve, RangeError, ReflectApply, TypeError } = primordials;
const {
  Capability, callbackMember, convertStrategy, dictionary, extractHighWaterMark, promiseCall, resolved,
} = use('web/streams/common');
const { ERRORED, ReadableState } = use('web/streams/core');
const defaults = use('web/streams/default');
const { readableObject } = use('web/streams/readable');
const writable = use('web/streams/writable');
const { defineEnumerable, illegalConstructor, illegalInvocation, setToStringTag } = use('web/webidl');

const internal = { __proto__: null };

/** Both ends, and what links them. Algorithms are functions or null: transform(chunk, controllerState), flush(…), cancel(reason). */
class TransformState {
  readable = new ReadableState();
  writable = new writable.WritableState();
  backpressure = undefined;
  /** A Capability that resolves when `backpressure` changes. */
  backpressureChange = null;
  transformAlgorithm;
  flushAlgorithm;
  cancelAlgorithm;
  /** The promise of the flush, cancel or abort under way: there is only one of them. */
  finish = null;
  #object = null;

  constructor(algorithms) {
    this.transformAlgorithm = algorithms.transform;
    this.flushAlgorithm = algorithms.flush;
    this.cancelAlgorithm = algorithms.cancel;
  }

  /** The controller as guests see it. */
  get object() {
    this.#object ??= new TransformStreamDefaultController(internal, this);
    return this.#object;
  }

  connect(startPromise, writableMark, writableSize, readableMark, readableSize) {
    writable.setUp(
      this.writable,
      {
        start: () => startPromise,
        write: (chunk) => this.#sinkWrite(chunk),
        close: () => this.#sinkClose(),
        abort: (reason) => this.#sinkAbort(reason),
      },
      writableMark,
      writableSize,
    );
    defaults.setUp(
      this.readable,
      () => startPromise,
      () => {
        this.setBackpressure(false);
        return this.backpressureChange.promise;
      },
      (reason) => this.#sourceCancel(reason),
      readableMark,
      readableSize,
    );
    this.setBackpressure(true);
  }

  setBackpressure(backpressure) {
    if (this.backpressureChange !== null) this.backpressureChange.resolve(undefined);
    this.backpressureChange = new Capability();
    this.backpressure = backpressure;
  }

  clearAlgorithms() {
    this.transformAlgorithm = null;
    this.flushAlgorithm = null;
    this.cancelAlgorithm = null;
  }

  error(error) {
    this.readable.controller.error(error);
    this.errorWritableAndUnblock(error);
  }

  errorWritableAndUnblock(error) {
    this.clearAlgorithms();
    this.writable.controller.errorIfNeeded(error);
    this.unblockWrite();
  }

  unblockWrite() {
    if (this.backpressure) this.setBackpressure(false);
  }

  enqueue(chunk) {
    const { controller } = this.readable;
    if (!controller.canEnqueue) throw new TypeError('The readable side is not in a state that permits enqueue');
    try {
      controller.enqueue(chunk);
    } catch (error) {
      this.errorWritableAndUnblock(error);
      throw this.readable.storedError;
    }
    const backpressure = !controller.wantsChunk();
    // Between a read and the pull that it leads to, there may be room although backpressure still stands.
    if (backpressure && !this.backpressure) this.setBackpressure(true);
  }

  terminate() {
    this.readable.controller.close();
    this.errorWritableAndUnblock(new TypeError('The transform stream was terminated'));
  }

  #sinkWrite(chunk) {
    if (!this.backpressure) return this.#transform(chunk);
    return PromisePrototypeThen(this.backpressureChange.promise, () => {
      if (this.writable.status === writable.ERRORING) throw this.writable.storedError;
      return this.#transform(chunk);
    });
  }

  #transform(chunk) {
    const { transformAlgorithm } = this;
    let result;
    try {
      result = transformAlgorithm === null ? this.enqueue(chunk) : transformAlgorithm(chunk, this);
    } catch (error) {
      result = PromiseReject(error);
    }
    if (result === undefined) return undefined;
    return PromisePrototypeThen(PromiseResolve(result), undefined, (error) => {
      this.error(error);
      throw error;
    });
  }

  #sinkAbort(reason) {
    if (this.finish !== null) return this.finish.promise;
    this.finish = new Capability();
    const { finish, readable, cancelAlgorithm } = this;
    const cancelled = cancelAlgorithm === null ? resolved() : promiseCall(cancelAlgorithm, reason);
    this.clearAlgorithms();
    PromisePrototypeThen(
      cancelled,
      () => {
        if (readable.status === ERRORED) {
          finish.reject(readable.storedError);
        } else {
          readable.controller.error(reason);
          finish.resolve(undefined);
        }
      },
      (error) => {
        readable.controller.error(error);
        finish.reject(error);
      },
    );
    return finish.promise;
  }

  #sinkClose() {
    if (this.finish !== null) return this.finish.promise;
    this.finish = new Capability();
    const { finish, readable, flushAlgorithm } = this;
    const flushed = flushAlgorithm === null ? resolved() : promiseCall(flushAlgorithm, this);
    this.clearAlgorithms();
    PromisePrototypeThen(
      flushed,
      () => {
        if (readable.status === ERRORED) {
          finish.reject(readable.storedError);
        } else {
          readable.controller.close();
          finish.resolve(undefined);
        }
      },
      (error) => {
        readable.controller.error(error);
        finish.reject(error);
      },
    );
    return finish.promise;
  }

  #sourceCancel(reason) {
    if (this.finish !== null) return this.finish.promise;
    this.finish = new Capability();
    const { finish, cancelAlgorithm } = this;
    const cancelled = cancelAlgorithm === null ? resolved() : promiseCall(cancelAlgorithm, reason);
    this.clearAlgorithms();
    PromisePrototypeThen(
      cancelled,
      () => {
        if (this.writable.status === writable.ERRORED) {
          finish.reject(this.writable.storedError);
        } else {
          this.writable.controller.errorIfNeeded(reason);
          this.unblockWrite();
          finish.resolve(undefined);
        }
      },
      (error) => {
        this.writable.controller.errorIfNeeded(error);
        this.unblockWrite();
        finish.reject(error);
      },
    );
    return finish.promise;
  }
}

class TransformStreamDefaultController {
  #state;

  constructor(token, state) {
    if (token !== internal) throw illegalConstructor();
    this.#state = state;
  }

  get desiredSize() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.readable.controller.desiredSize;
  }

  enqueue(chunk = undefined) {
    if (!(#state in this)) throw illegalInvocation();
    this.#state.enqueue(chunk);
  }

  error(reason = undefined) {
    if (!(#state in this)) throw illegalInvocation();
    this.#state.error(reason);
  }

  terminate() {
    if (!(#state in this)) throw illegalInvocation();
    this.#state.terminate();
  }
}
defineEnumerable(TransformStreamDefaultController, ['desiredSize', 'enqueue', 'error', 'terminate']);
setToStringTag(TransformStreamDefaultController, 'TransformStreamDefaultController');

class TransformStream {
  #state;

  constructor(transformer = undefined, writableStrategy = undefined, readableStrategy = undefined) {
    if (transformer === internal) {
      this.#state = writableStrategy;
      return;
    }
    if (transformer === null) throw new TypeError("Failed to construct 'TransformStream': parameter 1 is not an object");
    const object = dictionary(transformer, 'The transformer');
    const forWritable = convertStrategy(writableStrategy);
    const forReadable = convertStrategy(readableStrategy);
    let cancel, flush, start, transform;
    if (object !== null) {
      cancel = callbackMember(object, 'cancel', 'The transformer\'s');
      flush = callbackMember(object, 'flush', 'The transformer\'s');
      const { readableType } = object;
      start = callbackMember(object, 'start', 'The transformer\'s');
      transform = callbackMember(object, 'transform', 'The transformer\'s');
      const { writableType } = object;
      if (readableType !== undefined) throw new RangeError('The transformer\'s readableType must be undefined');
      if (writableType !== undefined) throw new RangeError('The transformer\'s writableType must be undefined');
    }
    const readableMark = extractHighWaterMark(forReadable, 0);
    const writableMark = extractHighWaterMark(forWritable, 1);
    const state = new TransformState({
      transform: transform === undefined ? null : (chunk, controller) => ReflectApply(transform, object, [chunk, controller.object]),
      flush: flush === undefined ? null : (controller) => ReflectApply(flush, object, [controller.object]),
      cancel: cancel === undefined ? null : (reason) => ReflectApply(cancel, object, [reason]),
    });
    this.#state = state;
    const started = new Capability();
    state.connect(started.promise, writableMark, forWritable.size ?? null, readableMark, forReadable.size ?? null);
    started.resolve(start === undefined ? undefined : ReflectApply(start, object, [state.object]));
  }

  get readable() {
    if (!(#state in this)) throw illegalInvocation();
    return readableObject(this.#state.readable);
  }

  get writable() {
    if (!(#state in this)) throw illegalInvocation();
    return writable.writableObject(this.#state.writable);
  }
}
defineEnumerable(TransformStream, ['readable', 'writable']);
setToStringTag(TransformStream, 'TransformStream');

/**
 * A transform without a guest's transformer: `{ readable, writable }` as public objects. `transform(chunk, controller)` and
 * `flush(controller)` may return a promise; `controller` has enqueue(chunk), error(reason), terminate().
 */
function createTransform({ transform = null, flush = null, cancel = null }) {
  const state = new TransformState({ transform, flush, cancel });
  state.connect(resolved(), 1, null, 0, null);
  return { readable: readableObject(state.readable), writable: writable.writableObject(state.writable) };
}

exports.TransformStream = TransformStream;
exports.TransformStreamDefaultController = TransformStreamDefaultController;
exports.createTransform = createTransform;
