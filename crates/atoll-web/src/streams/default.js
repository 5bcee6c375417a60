// ReadableStreamDefaultController and ReadableStreamDefaultReader.
const { Promise, PromisePrototypeThen, PromiseReject, PromiseResolve, ReflectApply, TypeError } = primordials;
const { Queue, checkChunkSize, promiseCall, rejectedInvocation, resolved } = use('web/streams/common');
const {
  CLOSED, READABLE, acquireReader, attachReader, cancelStream, closeStream, errorStream, fulfillRequest, hasDefaultReader, pendingRequests,
  readChunk, ReaderState, releaseReader,
} = use('web/streams/core');
const { defineEnumerable, illegalConstructor, illegalInvocation, requireArguments, setToStringTag } = use('web/webidl');

const internal = { __proto__: null };

/** What a default controller knows. `pull` and `cancel` are functions or null; `size` is null for "every chunk counts 1". */
class DefaultController {
  stream;
  queue = new Queue();
  started = false;
  closeRequested = false;
  pullAgain = false;
  pulling = false;
  highWaterMark;
  size;
  pull;
  cancel;
  #object = null;
  #pulled = null;
  #pullFailed = null;

  constructor(stream, highWaterMark, size, pull, cancel) {
    this.stream = stream;
    this.highWaterMark = highWaterMark;
    this.size = size;
    this.pull = pull;
    this.cancel = cancel;
  }

  /** The controller as guests see it. */
  get object() {
    this.#object ??= new ReadableStreamDefaultController(internal, this);
    return this.#object;
  }

  get canEnqueue() {
    return !this.closeRequested && this.stream.status === READABLE;
  }

  get desiredSize() {
    const { status } = this.stream;
    if (status === READABLE) return this.highWaterMark - this.queue.totalSize;
    return status === CLOSED ? 0 : null;
  }

  pullIfNeeded() {
    if (!this.wantsChunk()) return;
    if (this.pulling) {
      this.pullAgain = true;
      return;
    }
    this.pulling = true;
    if (this.#pulled === null) {
      this.#pulled = () => {
        this.pulling = false;
        if (this.pullAgain) {
          this.pullAgain = false;
          this.pullIfNeeded();
        }
      };
      this.#pullFailed = (reason) => this.error(reason);
    }
    const promise = this.pull === null ? resolved() : promiseCall(this.pull, this);
    PromisePrototypeThen(promise, this.#pulled, this.#pullFailed);
  }

  /** Whether pull() should be called: there is demand, and the source may still give. */
  wantsChunk() {
    if (!this.canEnqueue || !this.started) return false;
    if (hasDefaultReader(this.stream) && this.stream.reader.requests.length > 0) return true;
    return this.highWaterMark - this.queue.totalSize > 0;
  }

  clearAlgorithms() {
    this.pull = null;
    this.cancel = null;
    this.size = null;
  }

  close() {
    if (!this.canEnqueue) return;
    this.closeRequested = true;
    if (this.queue.length === 0) {
      this.clearAlgorithms();
      closeStream(this.stream);
    }
  }

  enqueue(chunk) {
    if (!this.canEnqueue) return;
    const { stream } = this;
    if (pendingRequests(stream) > 0) {
      fulfillRequest(stream, chunk, false);
    } else {
      let size = 1;
      try {
        if (this.size !== null) {
          const measure = this.size;
          size = measure(chunk);
          checkChunkSize(size);
        }
      } catch (error) {
        this.error(error);
        throw error;
      }
      this.queue.push(chunk, size);
    }
    this.pullIfNeeded();
  }

  error(reason) {
    if (this.stream.status !== READABLE) return;
    this.queue.clear();
    this.clearAlgorithms();
    errorStream(this.stream, reason);
  }

  cancelSteps(reason) {
    this.queue.clear();
    const promise = this.cancel === null ? resolved() : promiseCall(this.cancel, reason);
    this.clearAlgorithms();
    return promise;
  }

  pullSteps(request) {
    if (this.queue.length > 0) {
      request.chunk(this.takeChunk());
    } else {
      this.stream.reader.requests.push(request, 0);
      this.pullIfNeeded();
    }
  }

  /** Takes the first queued chunk; there is one. */
  takeChunk() {
    const chunk = this.queue.shift();
    if (this.closeRequested && this.queue.length === 0) {
      this.clearAlgorithms();
      closeStream(this.stream);
    } else {
      this.pullIfNeeded();
    }
    return chunk;
  }

  releaseSteps() {}
}

/** Gives `stream` a default controller whose source needs no start step. `pull(controllerState)` and `cancel(reason)` may be null. */
function setUpInternal(stream, pull, cancel, highWaterMark, size = null) {
  const controller = new DefaultController(stream, highWaterMark, size, pull, cancel);
  stream.controller = controller;
  controller.started = true;
  return controller;
}

/** As the standard's "set up ReadableStreamDefaultController": `start(controllerState)` runs now and may return a promise. */
function setUp(stream, start, pull, cancel, highWaterMark, size) {
  const controller = new DefaultController(stream, highWaterMark, size, pull, cancel);
  stream.controller = controller;
  const started = start === null ? undefined : start(controller);
  PromisePrototypeThen(
    started === undefined ? resolved() : PromiseResolve(started),
    () => {
      controller.started = true;
      controller.pullIfNeeded();
    },
    (reason) => controller.error(reason),
  );
  return controller;
}

/** Set-up from a guest's underlying source, whose members were already read. */
function setUpFromSource(stream, source, members, highWaterMark, size) {
  const { start, pull, cancel } = members;
  return setUp(
    stream,
    start === undefined ? null : (controller) => ReflectApply(start, source, [controller.object]),
    pull === undefined ? null : (controller) => ReflectApply(pull, source, [controller.object]),
    cancel === undefined ? null : (reason) => ReflectApply(cancel, source, [reason]),
    highWaterMark,
    size,
  );
}

class ReadableStreamDefaultController {
  #state;

  constructor(token, state) {
    if (token !== internal) throw illegalConstructor();
    this.#state = state;
  }

  get desiredSize() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.desiredSize;
  }

  close() {
    if (!(#state in this)) throw illegalInvocation();
    if (!this.#state.canEnqueue) throw new TypeError('The stream is not in a state that permits close');
    this.#state.close();
  }

  enqueue(chunk = undefined) {
    if (!(#state in this)) throw illegalInvocation();
    if (!this.#state.canEnqueue) throw new TypeError('The stream is not in a state that permits enqueue');
    this.#state.enqueue(chunk);
  }

  error(e = undefined) {
    if (!(#state in this)) throw illegalInvocation();
    this.#state.error(e);
  }
}
defineEnumerable(ReadableStreamDefaultController, ['close', 'desiredSize', 'enqueue', 'error']);
setToStringTag(ReadableStreamDefaultController, 'ReadableStreamDefaultController');

class ReadableStreamDefaultReader {
  #state;

  constructor(stream) {
    if (stream === internal) {
      this.#state = arguments[1];
      return;
    }
    requireArguments(arguments.length, 1, "Failed to construct 'ReadableStreamDefaultReader'");
    const state = exports.getReadableState?.(stream);
    if (state === undefined) throw new TypeError("Failed to construct 'ReadableStreamDefaultReader': parameter 1 is not a ReadableStream");
    const reader = new ReaderState(false);
    attachReader(reader, state);
    this.#state = reader;
  }

  get closed() {
    if (!(#state in this)) return rejectedInvocation();
    return this.#state.closed.promise;
  }

  cancel(reason = undefined) {
    if (!(#state in this)) return rejectedInvocation();
    const { stream } = this.#state;
    if (stream === null) return PromiseReject(new TypeError('The reader was released'));
    return cancelStream(stream, reason);
  }

  read() {
    if (!(#state in this)) return rejectedInvocation();
    return readAsPromise(this.#state);
  }

  releaseLock() {
    if (!(#state in this)) throw illegalInvocation();
    if (this.#state.stream !== null) releaseReader(this.#state);
  }
}
defineEnumerable(ReadableStreamDefaultReader, ['cancel', 'closed', 'read', 'releaseLock']);
setToStringTag(ReadableStreamDefaultReader, 'ReadableStreamDefaultReader');

/** One read, as a promise of `{ value, done }`. */
function readAsPromise(reader) {
  const { stream } = reader;
  if (stream === null) return PromiseReject(new TypeError('The reader was released'));
  const { controller } = stream;
  if (controller instanceof DefaultController && stream.status === READABLE && controller.queue.length > 0) {
    // A chunk is there: no read request, no resolving functions.
    stream.disturbed = true;
    return PromiseResolve({ value: controller.takeChunk(), done: false });
  }
  return new Promise((resolve, reject) => readChunk(reader, new PromiseReadRequest(resolve, reject)));
}

class PromiseReadRequest {
  resolve;
  error;

  constructor(resolve, reject) {
    this.resolve = resolve;
    this.error = reject;
  }

  chunk(value) {
    this.resolve({ value, done: false });
  }

  close() {
    this.resolve({ value: undefined, done: true });
  }
}

function createReader(stream) {
  return new ReadableStreamDefaultReader(internal, acquireReader(stream));
}

exports.DefaultController = DefaultController;
exports.ReadableStreamDefaultController = ReadableStreamDefaultController;
exports.ReadableStreamDefaultReader = ReadableStreamDefaultReader;
exports.createReader = createReader;
exports.readAsPromise = readAsPromise;
exports.setUp = setUp;
exports.setUpFromSource = setUpFromSource;
exports.setUpInternal = setUpInternal;
/** Set by web/streams/readable: the state of a public ReadableStream, or undefined. */
exports.getReadableState = undefined;
