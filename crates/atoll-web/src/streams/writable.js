// WritableStream, its controller and its writer.
const { PromisePrototypeThen, PromiseReject, PromiseResolve, RangeError, ReflectApply, TypeError } = primordials;
const { createSignal, signalAbort } = use('web/abort');
const {
  Capability, Deferred, Queue, callbackMember, checkChunkSize, convertStrategy, dictionary, extractHighWaterMark, promiseCall,
  rejectedInvocation, resolved,
} = use('web/streams/common');
const { defineEnumerable, illegalConstructor, illegalInvocation, requireArguments, setToStringTag } = use('web/webidl');

const WRITABLE = 0;
const ERRORING = 1;
const ERRORED = 2;
const CLOSED = 3;

const internal = { __proto__: null };

/** Marks the end of the queue. */
const closeSentinel = { __proto__: null };

/** A WritableStream's state; requests are Capability or Deferred objects, or null. */
class WritableState {
  status = WRITABLE;
  storedError = undefined;
  writer = null;
  controller = null;
  inFlightWriteRequest = null;
  closeRequest = null;
  inFlightCloseRequest = null;
  /** `{ done: Deferred, reason, wasErroring }`. */
  pendingAbort = null;
  writeRequests = new Queue();
  backpressure = false;
  object = null;
  /** A Deferred that settles when the stream is over, for those who wait for that without a writer. */
  over = null;

  /** A promise that settles when the stream is closed or errored, whoever writes to it. */
  get whenOver() {
    if (this.over === null) {
      if (this.status === CLOSED) this.over = Deferred.resolved();
      else this.over = this.status === ERRORED ? Deferred.rejected(this.storedError) : new Deferred();
    }
    return this.over.promise;
  }

  get closing() {
    return this.closeRequest !== null || this.inFlightCloseRequest !== null;
  }

  get operationInFlight() {
    return this.inFlightWriteRequest !== null || this.inFlightCloseRequest !== null;
  }

  abort(reason) {
    if (this.status === CLOSED || this.status === ERRORED) return resolved();
    this.controller.signalAbort(reason);
    if (this.status === CLOSED || this.status === ERRORED) return resolved();
    if (this.pendingAbort !== null) return this.pendingAbort.done.promise;
    const wasErroring = this.status === ERRORING;
    const done = new Capability();
    this.pendingAbort = { done, reason: wasErroring ? undefined : reason, wasErroring };
    if (!wasErroring) this.startErroring(reason);
    return done.promise;
  }

  close() {
    if (this.status === CLOSED || this.status === ERRORED) {
      return PromiseReject(new TypeError('The stream is not in a state that permits close'));
    }
    const request = new Capability();
    this.closeRequest = request;
    if (this.writer !== null && this.backpressure && this.status === WRITABLE) this.writer.ready.resolve(undefined);
    this.controller.close();
    return request.promise;
  }

  /** Something failed: become erroring, or finish the erroring that is under way. */
  dealWithRejection(error) {
    if (this.status === WRITABLE) this.startErroring(error);
    else this.finishErroring();
  }

  startErroring(reason) {
    this.status = ERRORING;
    this.storedError = reason;
    if (this.writer !== null) this.writer.ensureReadyRejected(reason);
    if (!this.operationInFlight && this.controller.started) this.finishErroring();
  }

  finishErroring() {
    this.status = ERRORED;
    this.controller.queue.clear();
    const { storedError } = this;
    while (this.writeRequests.length > 0) this.writeRequests.shift().reject(storedError);
    if (this.pendingAbort === null) {
      this.#rejectCloseAndClosed();
      return;
    }
    const { done, reason, wasErroring } = this.pendingAbort;
    this.pendingAbort = null;
    if (wasErroring) {
      done.reject(storedError);
      this.#rejectCloseAndClosed();
      return;
    }
    PromisePrototypeThen(
      this.controller.abortSteps(reason),
      () => {
        done.resolve(undefined);
        this.#rejectCloseAndClosed();
      },
      (error) => {
        done.reject(error);
        this.#rejectCloseAndClosed();
      },
    );
  }

  #rejectCloseAndClosed() {
    if (this.closeRequest !== null) {
      this.closeRequest.reject(this.storedError);
      this.closeRequest = null;
    }
    if (this.writer !== null) this.writer.closed.reject(this.storedError);
    if (this.over !== null) this.over.reject(this.storedError);
  }

  finishInFlightWrite() {
    this.inFlightWriteRequest.resolve(undefined);
    this.inFlightWriteRequest = null;
  }

  failInFlightWrite(error) {
    this.inFlightWriteRequest.reject(error);
    this.inFlightWriteRequest = null;
    this.dealWithRejection(error);
  }

  finishInFlightClose() {
    this.inFlightCloseRequest.resolve(undefined);
    this.inFlightCloseRequest = null;
    if (this.status === ERRORING) {
      this.storedError = undefined;
      if (this.pendingAbort !== null) {
        this.pendingAbort.done.resolve(undefined);
        this.pendingAbort = null;
      }
    }
    this.status = CLOSED;
    if (this.writer !== null) this.writer.closed.resolve(undefined);
    if (this.over !== null) this.over.resolve(undefined);
  }

  failInFlightClose(error) {
    this.inFlightCloseRequest.reject(error);
    this.inFlightCloseRequest = null;
    if (this.pendingAbort !== null) {
      this.pendingAbort.done.reject(error);
      this.pendingAbort = null;
    }
    this.dealWithRejection(error);
  }

  updateBackpressure(backpressure) {
    const { writer } = this;
    if (writer !== null && backpressure !== this.backpressure) {
      if (backpressure) writer.ready = new Deferred();
      else writer.ready.resolve(undefined);
    }
    this.backpressure = backpressure;
  }
}

/** A writer's state; `ready` and `closed` are Deferred. */
class WriterState {
  stream;
  ready;
  closed;

  /** Locks the stream. */
  constructor(stream) {
    if (stream.writer !== null) throw new TypeError('WritableStream is locked to a writer');
    this.stream = stream;
    stream.writer = this;
    switch (stream.status) {
      case WRITABLE:
        this.ready = !stream.closing && stream.backpressure ? new Deferred() : Deferred.resolved();
        this.closed = new Deferred();
        break;
      case ERRORING:
        this.ready = Deferred.rejected(stream.storedError);
        this.closed = new Deferred();
        break;
      case CLOSED:
        this.ready = Deferred.resolved();
        this.closed = Deferred.resolved();
        break;
      default:
        this.ready = Deferred.rejected(stream.storedError);
        this.closed = Deferred.rejected(stream.storedError);
    }
  }

  ensureReadyRejected(error) {
    if (this.ready.isPending) this.ready.reject(error);
    else this.ready = Deferred.rejected(error);
  }

  ensureClosedRejected(error) {
    if (this.closed.isPending) this.closed.reject(error);
    else this.closed = Deferred.rejected(error);
  }

  get desiredSize() {
    const { stream } = this;
    if (stream.status === ERRORED || stream.status === ERRORING) return null;
    return stream.status === CLOSED ? 0 : stream.controller.desiredSize;
  }

  /** Queues a chunk; `request.resolve()` or `.reject(error)` is called when it was written. */
  write(chunk, request) {
    const { stream } = this;
    const { controller } = stream;
    const size = controller.chunkSize(chunk);
    if (stream !== this.stream) return request.reject(new TypeError('The writer was released'));
    if (stream.status === ERRORED) return request.reject(stream.storedError);
    if (stream.closing || stream.status === CLOSED) return request.reject(new TypeError('The stream is closing or closed'));
    if (stream.status === ERRORING) return request.reject(stream.storedError);
    stream.writeRequests.push(request, 0);
    controller.write(chunk, size);
  }

  /** Closes unless that already happened; returns a promise. */
  closeWithErrorPropagation() {
    const { stream } = this;
    if (stream.closing || stream.status === CLOSED) return resolved();
    if (stream.status === ERRORED) return PromiseReject(stream.storedError);
    return stream.close();
  }

  release() {
    const error = new TypeError('The writer was released');
    this.ensureReadyRejected(error);
    this.ensureClosedRejected(error);
    this.stream.writer = null;
    this.stream = null;
  }
}

/** What a writable controller knows; the algorithms are functions or null, `size` null for "every chunk counts 1". */
class WritableController {
  stream;
  queue = new Queue();
  started = false;
  highWaterMark;
  size;
  writeAlgorithm;
  closeAlgorithm;
  abortAlgorithm;
  object = null;
  #signal = null;
  /** `{ reason }` once aborted. */
  #signalled = null;
  #written = null;
  #writeFailed = null;

  constructor(stream, algorithms, highWaterMark, size) {
    this.stream = stream;
    this.highWaterMark = highWaterMark;
    this.size = size;
    this.writeAlgorithm = algorithms.write;
    this.closeAlgorithm = algorithms.close;
    this.abortAlgorithm = algorithms.abort;
  }

  get desiredSize() {
    return this.highWaterMark - this.queue.totalSize;
  }

  get backpressure() {
    return this.highWaterMark - this.queue.totalSize <= 0;
  }

  /** The AbortSignal that guests see; made on first use. */
  get signal() {
    if (this.#signal === null) {
      this.#signal = createSignal();
      if (this.#signalled !== null) signalAbort(this.#signal, this.#signalled.reason);
    }
    return this.#signal;
  }

  signalAbort(reason) {
    if (this.#signalled !== null) return;
    this.#signalled = { reason };
    if (this.#signal !== null) signalAbort(this.#signal, reason);
  }

  clearAlgorithms() {
    this.writeAlgorithm = null;
    this.closeAlgorithm = null;
    this.abortAlgorithm = null;
    this.size = null;
  }

  abortSteps(reason) {
    const promise = this.abortAlgorithm === null ? resolved() : promiseCall(this.abortAlgorithm, reason);
    this.clearAlgorithms();
    return promise;
  }

  close() {
    this.queue.push(closeSentinel, 0);
    this.advanceQueue();
  }

  chunkSize(chunk) {
    if (this.size === null) return 1;
    const measure = this.size;
    try {
      return measure(chunk);
    } catch (error) {
      this.errorIfNeeded(error);
      return 1;
    }
  }

  write(chunk, size) {
    try {
      checkChunkSize(size);
    } catch (error) {
      this.errorIfNeeded(error);
      return;
    }
    this.queue.push(chunk, size);
    const { stream } = this;
    if (!stream.closing && stream.status === WRITABLE) stream.updateBackpressure(this.backpressure);
    this.advanceQueue();
  }

  advanceQueue() {
    const { stream } = this;
    if (!this.started || stream.inFlightWriteRequest !== null) return;
    if (stream.status === ERRORING) {
      stream.finishErroring();
      return;
    }
    if (this.queue.length === 0) return;
    const value = this.queue.peek();
    if (value === closeSentinel) this.#processClose();
    else this.#processWrite(value);
  }

  #processClose() {
    const { stream } = this;
    stream.inFlightCloseRequest = stream.closeRequest;
    stream.closeRequest = null;
    this.queue.shift();
    const promise = this.closeAlgorithm === null ? resolved() : promiseCall(this.closeAlgorithm, undefined);
    this.clearAlgorithms();
    PromisePrototypeThen(
      promise,
      () => stream.finishInFlightClose(),
      (error) => stream.failInFlightClose(error),
    );
  }

  #processWrite(chunk) {
    const { stream } = this;
    stream.inFlightWriteRequest = stream.writeRequests.shift();
    if (this.#written === null) {
      this.#written = () => {
        stream.finishInFlightWrite();
        this.queue.shift();
        if (!stream.closing && stream.status === WRITABLE) stream.updateBackpressure(this.backpressure);
        this.advanceQueue();
      };
      this.#writeFailed = (error) => {
        if (stream.status === WRITABLE) this.clearAlgorithms();
        stream.failInFlightWrite(error);
      };
    }
    const promise = this.writeAlgorithm === null ? resolved() : promiseCall(this.writeAlgorithm, chunk);
    PromisePrototypeThen(promise, this.#written, this.#writeFailed);
  }

  errorIfNeeded(error) {
    if (this.stream.status === WRITABLE) this.error(error);
  }

  error(error) {
    this.clearAlgorithms();
    this.stream.startErroring(error);
  }
}

/** Gives `stream` a controller. `start(controllerState)` may be null; `write(chunk)`, `close()`, `abort(reason)` may be null. */
function setUp(stream, algorithms, highWaterMark, size) {
  const controller = new WritableController(stream, algorithms, highWaterMark, size);
  stream.controller = controller;
  stream.updateBackpressure(controller.backpressure);
  const { start } = algorithms;
  const started = start === null ? undefined : start(controller);
  PromisePrototypeThen(
    started === undefined ? resolved() : PromiseResolve(started),
    () => {
      controller.started = true;
      controller.advanceQueue();
    },
    (error) => {
      controller.started = true;
      stream.dealWithRejection(error);
    },
  );
  return controller;
}

class WritableStreamDefaultController {
  #state;

  constructor(token, state) {
    if (token !== internal) throw illegalConstructor();
    this.#state = state;
  }

  get signal() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.signal;
  }

  error(e = undefined) {
    if (!(#state in this)) throw illegalInvocation();
    this.#state.errorIfNeeded(e);
  }
}
defineEnumerable(WritableStreamDefaultController, ['error', 'signal']);
setToStringTag(WritableStreamDefaultController, 'WritableStreamDefaultController');

/** The state of a public WritableStream; undefined for anything else. */
let getWritableState;

class WritableStream {
  #state;

  constructor(underlyingSink = undefined, strategy = undefined) {
    if (underlyingSink === internal) {
      this.#state = strategy;
      strategy.object = this;
      return;
    }
    if (underlyingSink === null) throw new TypeError("Failed to construct 'WritableStream': parameter 1 is not an object");
    const sink = dictionary(underlyingSink, 'The underlying sink');
    const { highWaterMark, size } = convertStrategy(strategy);
    let abort, close, start, write;
    if (sink !== null) {
      abort = callbackMember(sink, 'abort', 'The underlying sink\'s');
      close = callbackMember(sink, 'close', 'The underlying sink\'s');
      start = callbackMember(sink, 'start', 'The underlying sink\'s');
      const { type } = sink;
      write = callbackMember(sink, 'write', 'The underlying sink\'s');
      if (type !== undefined) throw new RangeError('The underlying sink\'s type must be undefined');
    }
    const mark = extractHighWaterMark({ highWaterMark }, 1);
    const state = new WritableState();
    state.object = this;
    this.#state = state;
    let object = null;
    const publicController = () => (object ??= new WritableStreamDefaultController(internal, state.controller));
    const algorithms = {
      start: start === undefined ? null : () => ReflectApply(start, sink, [publicController()]),
      write: write === undefined ? null : (chunk) => ReflectApply(write, sink, [chunk, publicController()]),
      close: close === undefined ? null : () => ReflectApply(close, sink, []),
      abort: abort === undefined ? null : (reason) => ReflectApply(abort, sink, [reason]),
    };
    setUp(state, algorithms, mark, size ?? null);
  }

  get locked() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.writer !== null;
  }

  abort(reason = undefined) {
    if (!(#state in this)) return rejectedInvocation();
    if (this.#state.writer !== null) return PromiseReject(new TypeError('WritableStream is locked to a writer'));
    return this.#state.abort(reason);
  }

  close() {
    if (!(#state in this)) return rejectedInvocation();
    if (this.#state.writer !== null) return PromiseReject(new TypeError('WritableStream is locked to a writer'));
    if (this.#state.closing) return PromiseReject(new TypeError('The stream is already closing'));
    return this.#state.close();
  }

  getWriter() {
    if (!(#state in this)) throw illegalInvocation();
    return new WritableStreamDefaultWriter(this);
  }

  static {
    getWritableState = (stream) => (typeof stream === 'object' && stream !== null && #state in stream ? stream.#state : undefined);
  }
}
defineEnumerable(WritableStream, ['abort', 'close', 'getWriter', 'locked']);
setToStringTag(WritableStream, 'WritableStream');

class WritableStreamDefaultWriter {
  #state;

  constructor(stream) {
    requireArguments(arguments.length, 1, "Failed to construct 'WritableStreamDefaultWriter'");
    const state = getWritableState(stream);
    if (state === undefined) throw new TypeError("Failed to construct 'WritableStreamDefaultWriter': parameter 1 is not a WritableStream");
    this.#state = new WriterState(state);
  }

  get closed() {
    if (!(#state in this)) return rejectedInvocation();
    return this.#state.closed.promise;
  }

  get desiredSize() {
    if (!(#state in this)) throw illegalInvocation();
    if (this.#state.stream === null) throw new TypeError('The writer was released');
    return this.#state.desiredSize;
  }

  get ready() {
    if (!(#state in this)) return rejectedInvocation();
    return this.#state.ready.promise;
  }

  abort(reason = undefined) {
    if (!(#state in this)) return rejectedInvocation();
    const { stream } = this.#state;
    return stream === null ? PromiseReject(new TypeError('The writer was released')) : stream.abort(reason);
  }

  close() {
    if (!(#state in this)) return rejectedInvocation();
    const { stream } = this.#state;
    if (stream === null) return PromiseReject(new TypeError('The writer was released'));
    if (stream.closing) return PromiseReject(new TypeError('The stream is already closing'));
    return stream.close();
  }

  releaseLock() {
    if (!(#state in this)) throw illegalInvocation();
    if (this.#state.stream !== null) this.#state.release();
  }

  write(chunk = undefined) {
    if (!(#state in this)) return rejectedInvocation();
    if (this.#state.stream === null) return PromiseReject(new TypeError('The writer was released'));
    const request = new Capability();
    this.#state.write(chunk, request);
    return request.promise;
  }
}
defineEnumerable(WritableStreamDefaultWriter, ['abort', 'close', 'closed', 'desiredSize', 'ready', 'releaseLock', 'write']);
setToStringTag(WritableStreamDefaultWriter, 'WritableStreamDefaultWriter');

/** The public object of a state. */
function writableObject(state) {
  return state.object ?? new WritableStream(internal, state);
}

exports.WRITABLE = WRITABLE;
exports.ERRORING = ERRORING;
exports.ERRORED = ERRORED;
exports.CLOSED = CLOSED;
exports.WritableState = WritableState;
exports.WriterState = WriterState;
exports.WritableStream = WritableStream;
exports.WritableStreamDefaultController = WritableStreamDefaultController;
exports.WritableStreamDefaultWriter = WritableStreamDefaultWriter;
exports.getWritableState = getWritableState;
exports.setUp = setUp;
exports.writableObject = writableObject;
