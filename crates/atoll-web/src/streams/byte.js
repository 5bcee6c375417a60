// The byte controller: a queue of bytes, and the buffers that readers brought along ("pull-into descriptors").
const {
  ArrayBufferPrototypeGetByteLength, ArrayBufferPrototypeTransfer, BigInt64Array, BigUint64Array, DataView,
  Float16Array, Float32Array, Float64Array, Int16Array, Int32Array, Int8Array, MathMin, PromisePrototypeThen,
  PromiseResolve, RangeError, ReflectConstruct, TypeError, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSet, Uint16Array, Uint32Array, Uint8Array, Uint8ClampedArray,
} = primordials;
const { Queue, allocate, isDetached, promiseCall, resolved, viewParts } = use('web/streams/common');
const { CLOSED, READABLE, closeStream, errorStream, fulfillRequest, hasByobReader, hasDefaultReader, pendingRequests } =
  use('web/streams/core');

const constructors = {
  __proto__: null, BigInt64Array, BigUint64Array, Float16Array, Float32Array, Float64Array, Int16Array, Int32Array, Int8Array,
  Uint16Array, Uint32Array, Uint8Array, Uint8ClampedArray,
};

/** Element size and constructor of a view, from its internal kind: a guest may have changed `constructor`. */
function kindOf(view) {
  const tag = TypedArrayPrototypeGetSymbolToStringTag(view);
  const constructView = constructors[tag];
  if (constructView === undefined) return { elementSize: 1, constructView: DataView };
  return { elementSize: constructView.BYTES_PER_ELEMENT, constructView };
}

/** The state behind a ReadableStreamBYOBRequest; `controller` is null once it was answered. */
class ByobRequestState {
  controller;
  view;
  object = null;

  constructor(controller, view) {
    this.controller = controller;
    this.view = view;
  }
}

/** A reader's buffer, waiting to be filled. `readerType` is 'default', 'byob' or 'none' (its reader is gone). */
class PullInto {
  buffer;
  bufferByteLength;
  byteOffset;
  byteLength;
  bytesFilled = 0;
  minimumFill;
  elementSize;
  constructView;
  readerType;

  constructor(buffer, byteOffset, byteLength, minimumFill, elementSize, constructView, readerType) {
    this.buffer = buffer;
    this.bufferByteLength = ArrayBufferPrototypeGetByteLength(buffer);
    this.byteOffset = byteOffset;
    this.byteLength = byteLength;
    this.minimumFill = minimumFill;
    this.elementSize = elementSize;
    this.constructView = constructView;
    this.readerType = readerType;
  }

  /** The filled part as a view of the reader's kind; takes the buffer. */
  takeView() {
    const buffer = ArrayBufferPrototypeTransfer(this.buffer);
    return ReflectConstruct(this.constructView, [buffer, this.byteOffset, this.bytesFilled / this.elementSize]);
  }
}

class ByteController {
  stream;
  queue = new Queue();
  /** Bytes in the queue. */
  totalSize = 0;
  started = false;
  closeRequested = false;
  pullAgain = false;
  pulling = false;
  highWaterMark;
  pull;
  cancel;
  autoAllocateChunkSize;
  pendingPullIntos = new Queue();
  byobRequest = null;
  /** The public controller; made by web/streams/byob. */
  object = null;
  #pulled = null;
  #pullFailed = null;

  constructor(stream, highWaterMark, pull, cancel, autoAllocateChunkSize) {
    this.stream = stream;
    this.highWaterMark = highWaterMark;
    this.pull = pull;
    this.cancel = cancel;
    this.autoAllocateChunkSize = autoAllocateChunkSize;
  }

  get canEnqueue() {
    return !this.closeRequested && this.stream.status === READABLE;
  }

  get desiredSize() {
    const { status } = this.stream;
    if (status === READABLE) return this.highWaterMark - this.totalSize;
    return status === CLOSED ? 0 : null;
  }

  pullIfNeeded() {
    if (!this.#wantsBytes()) return;
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

  #wantsBytes() {
    if (!this.canEnqueue || !this.started) return false;
    if (pendingRequests(this.stream) > 0) return true;
    return this.highWaterMark - this.totalSize > 0;
  }

  clearAlgorithms() {
    this.pull = null;
    this.cancel = null;
  }

  clearQueue() {
    this.queue.clear();
    this.totalSize = 0;
  }

  clearPendingPullIntos() {
    this.invalidateByobRequest();
    this.pendingPullIntos.clear();
  }

  close() {
    if (!this.canEnqueue) return;
    if (this.totalSize > 0) {
      this.closeRequested = true;
      return;
    }
    if (this.pendingPullIntos.length > 0) {
      const first = this.pendingPullIntos.peek();
      if (first.bytesFilled % first.elementSize !== 0) {
        const error = new TypeError('The stream was closed within an element of the reader\'s view');
        this.error(error);
        throw error;
      }
    }
    this.clearAlgorithms();
    closeStream(this.stream);
  }

  error(reason) {
    if (this.stream.status !== READABLE) return;
    this.clearPendingPullIntos();
    this.clearQueue();
    this.clearAlgorithms();
    errorStream(this.stream, reason);
  }

  /** Takes the view's buffer and gives its bytes to a reader or to the queue. */
  enqueue(chunk) {
    if (!this.canEnqueue) return;
    const { stream } = this;
    const { buffer, byteOffset, byteLength } = viewParts(chunk);
    if (isDetached(buffer)) throw new TypeError('The chunk\'s buffer is detached');
    const transferred = ArrayBufferPrototypeTransfer(buffer);
    if (this.pendingPullIntos.length > 0) {
      const first = this.pendingPullIntos.peek();
      if (isDetached(first.buffer)) throw new TypeError('The BYOB request\'s buffer is detached');
      this.invalidateByobRequest();
      first.buffer = ArrayBufferPrototypeTransfer(first.buffer);
      if (first.readerType === 'none') this.#enqueueAbandoned(first);
    }
    if (hasDefaultReader(stream)) {
      this.#serveReadRequests();
      if (pendingRequests(stream) === 0) {
        this.#queueBytes(transferred, byteOffset, byteLength);
      } else {
        if (this.pendingPullIntos.length > 0) this.pendingPullIntos.shift();
        fulfillRequest(stream, new Uint8Array(transferred, byteOffset, byteLength), false);
      }
    } else if (hasByobReader(stream)) {
      this.#queueBytes(transferred, byteOffset, byteLength);
      this.#commitFilled();
    } else {
      this.#queueBytes(transferred, byteOffset, byteLength);
    }
    this.pullIfNeeded();
  }

  #queueBytes(buffer, byteOffset, byteLength) {
    this.queue.push({ buffer, byteOffset, byteLength }, 0);
    this.totalSize += byteLength;
  }

  #queueCopy(buffer, byteOffset, byteLength) {
    let copy;
    try {
      copy = TypedArrayPrototypeGetBuffer(new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength)));
    } catch (error) {
      this.error(error);
      throw error;
    }
    this.#queueBytes(copy, 0, byteLength);
  }

  /** What was already written for a reader that is gone goes to the queue. */
  #enqueueAbandoned(pullInto) {
    if (pullInto.bytesFilled > 0) this.#queueCopy(pullInto.buffer, pullInto.byteOffset, pullInto.bytesFilled);
    this.pendingPullIntos.shift();
  }

  #commit(pullInto) {
    const done = this.stream.status === CLOSED;
    fulfillRequest(this.stream, pullInto.takeView(), done);
  }

  /** Fills waiting buffers from the queue, then hands over those that are full enough. */
  #commitFilled() {
    const filled = this.#fillPullIntos();
    while (filled.length > 0) this.#commit(filled.shift());
  }

  #fillPullIntos() {
    const filled = new Queue();
    while (this.pendingPullIntos.length > 0 && this.totalSize > 0) {
      const first = this.pendingPullIntos.peek();
      if (this.#fill(first)) {
        this.pendingPullIntos.shift();
        filled.push(first, 0);
      }
    }
    return filled;
  }

  /** Copies queued bytes into the buffer; true when its minimum is reached (then only whole elements were copied). */
  #fill(pullInto) {
    const atMost = MathMin(this.totalSize, pullInto.byteLength - pullInto.bytesFilled);
    const end = pullInto.bytesFilled + atMost;
    const aligned = end - (end % pullInto.elementSize);
    const ready = aligned >= pullInto.minimumFill;
    let remaining = ready ? aligned - pullInto.bytesFilled : atMost;
    const target = new Uint8Array(pullInto.buffer);
    while (remaining > 0) {
      const head = this.queue.peek();
      const count = MathMin(remaining, head.byteLength);
      TypedArrayPrototypeSet(target, new Uint8Array(head.buffer, head.byteOffset, count), pullInto.byteOffset + pullInto.bytesFilled);
      if (count === head.byteLength) {
        this.queue.shift();
      } else {
        head.byteOffset += count;
        head.byteLength -= count;
      }
      this.totalSize -= count;
      pullInto.bytesFilled += count;
      remaining -= count;
    }
    return ready;
  }

  #serveReadRequests() {
    const { requests } = this.stream.reader;
    while (requests.length > 0 && this.totalSize > 0) this.#serveReadRequest(requests.shift());
  }

  #serveReadRequest(request) {
    const { buffer, byteOffset, byteLength } = this.queue.shift();
    this.totalSize -= byteLength;
    this.#afterDrain();
    request.chunk(new Uint8Array(buffer, byteOffset, byteLength));
  }

  #afterDrain() {
    if (this.totalSize === 0 && this.closeRequested) {
      this.clearAlgorithms();
      closeStream(this.stream);
    } else {
      this.pullIfNeeded();
    }
  }

  /** The state of the request for the first waiting buffer, or null. */
  getByobRequest() {
    if (this.byobRequest === null && this.pendingPullIntos.length > 0) {
      const first = this.pendingPullIntos.peek();
      const view = new Uint8Array(first.buffer, first.byteOffset + first.bytesFilled, first.byteLength - first.bytesFilled);
      this.byobRequest = new ByobRequestState(this, view);
    }
    return this.byobRequest;
  }

  invalidateByobRequest() {
    if (this.byobRequest === null) return;
    this.byobRequest.controller = null;
    this.byobRequest.view = null;
    this.byobRequest = null;
  }

  /** A read into `view` by a BYOB reader that wants at least `minimum` elements. */
  pullInto(view, minimum, request) {
    const { stream } = this;
    const { elementSize, constructView } = kindOf(view);
    const { buffer, byteOffset, byteLength } = viewParts(view);
    let transferred;
    try {
      transferred = ArrayBufferPrototypeTransfer(buffer);
    } catch (error) {
      request.error(error);
      return;
    }
    const pullInto = new PullInto(transferred, byteOffset, byteLength, minimum * elementSize, elementSize, constructView, 'byob');
    if (this.pendingPullIntos.length > 0) {
      this.pendingPullIntos.push(pullInto, 0);
      stream.reader.requests.push(request, 0);
      return;
    }
    if (stream.status === CLOSED) {
      request.close(ReflectConstruct(constructView, [transferred, byteOffset, 0]));
      return;
    }
    if (this.totalSize > 0) {
      if (this.#fill(pullInto)) {
        const filled = pullInto.takeView();
        this.#afterDrain();
        request.chunk(filled);
        return;
      }
      if (this.closeRequested) {
        const error = new TypeError('The stream ended within an element of the reader\'s view');
        this.error(error);
        request.error(error);
        return;
      }
    }
    this.pendingPullIntos.push(pullInto, 0);
    stream.reader.requests.push(request, 0);
    this.pullIfNeeded();
  }

  /** The source wrote `bytesWritten` bytes into the current request's view. */
  respond(bytesWritten) {
    const first = this.pendingPullIntos.peek();
    if (this.stream.status === CLOSED) {
      if (bytesWritten !== 0) throw new TypeError('bytesWritten must be 0 for a closed stream');
    } else {
      if (bytesWritten === 0) throw new TypeError('bytesWritten must not be 0 while the stream is readable');
      if (first.bytesFilled + bytesWritten > first.byteLength) throw new RangeError('bytesWritten exceeds the view');
    }
    first.buffer = ArrayBufferPrototypeTransfer(first.buffer);
    this.#respond(bytesWritten);
  }

  /** As respond(), with the bytes in a view of the same memory, which the source may have transferred meanwhile. */
  respondWithNewView(view) {
    const first = this.pendingPullIntos.peek();
    const { buffer, byteOffset, byteLength } = viewParts(view);
    if (this.stream.status === CLOSED) {
      if (byteLength !== 0) throw new TypeError('The view must be empty for a closed stream');
    } else if (byteLength === 0) {
      throw new TypeError('The view must not be empty while the stream is readable');
    }
    if (first.byteOffset + first.bytesFilled !== byteOffset) throw new RangeError('The view starts elsewhere than the request');
    if (first.bufferByteLength !== ArrayBufferPrototypeGetByteLength(buffer)) throw new RangeError('The view\'s buffer has another length');
    if (first.bytesFilled + byteLength > first.byteLength) throw new RangeError('The view is longer than the request');
    first.buffer = ArrayBufferPrototypeTransfer(buffer);
    this.#respond(byteLength);
  }

  #respond(bytesWritten) {
    const first = this.pendingPullIntos.peek();
    this.invalidateByobRequest();
    if (this.stream.status === CLOSED) this.#respondClosed(first);
    else this.#respondReadable(bytesWritten, first);
    this.pullIfNeeded();
  }

  #respondClosed(first) {
    if (first.readerType === 'none') this.pendingPullIntos.shift();
    if (!hasByobReader(this.stream)) return;
    const filled = new Queue();
    while (filled.length < pendingRequests(this.stream)) filled.push(this.pendingPullIntos.shift(), 0);
    while (filled.length > 0) this.#commit(filled.shift());
  }

  #respondReadable(bytesWritten, pullInto) {
    pullInto.bytesFilled += bytesWritten;
    if (pullInto.readerType === 'none') {
      this.#enqueueAbandoned(pullInto);
      this.#commitFilled();
      return;
    }
    if (pullInto.bytesFilled < pullInto.minimumFill) return;
    this.pendingPullIntos.shift();
    const remainder = pullInto.bytesFilled % pullInto.elementSize;
    if (remainder > 0) {
      this.#queueCopy(pullInto.buffer, pullInto.byteOffset + pullInto.bytesFilled - remainder, remainder);
      pullInto.bytesFilled -= remainder;
    }
    const filled = this.#fillPullIntos();
    this.#commit(pullInto);
    while (filled.length > 0) this.#commit(filled.shift());
  }

  cancelSteps(reason) {
    this.clearPendingPullIntos();
    this.clearQueue();
    const promise = this.cancel === null ? resolved() : promiseCall(this.cancel, reason);
    this.clearAlgorithms();
    return promise;
  }

  pullSteps(request) {
    if (this.totalSize > 0) {
      this.#serveReadRequest(request);
      return;
    }
    if (this.autoAllocateChunkSize !== undefined) {
      let buffer;
      try {
        buffer = allocate(this.autoAllocateChunkSize);
      } catch (error) {
        request.error(error);
        return;
      }
      this.pendingPullIntos.push(new PullInto(buffer, 0, this.autoAllocateChunkSize, 1, 1, Uint8Array, 'default'), 0);
    }
    this.stream.reader.requests.push(request, 0);
    this.pullIfNeeded();
  }

  releaseSteps() {
    if (this.pendingPullIntos.length === 0) return;
    const first = this.pendingPullIntos.shift();
    first.readerType = 'none';
    this.pendingPullIntos.clear();
    this.pendingPullIntos.push(first, 0);
  }
}

/** Gives `stream` a byte controller. `start`, `pull`, `cancel` may be null; `start(controllerState)` may return a promise. */
function setUp(stream, start, pull, cancel, highWaterMark, autoAllocateChunkSize) {
  const controller = new ByteController(stream, highWaterMark, pull, cancel, autoAllocateChunkSize);
  stream.controller = controller;
  if (start === null) {
    controller.started = true;
    return controller;
  }
  const started = start(controller);
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

exports.ByteController = ByteController;
exports.setUp = setUp;
