// ReadableStream tee: two branches over one reader.
const { PromisePrototypeThen } = primordials;
const { Capability, cloneAsUint8Array, microtask, noop } = use('web/streams/common');
const { ReadableState, acquireReader, cancelStream, readChunk, releaseReader } = use('web/streams/core');
const defaults = use('web/streams/default');
const bytes = use('web/streams/byte');
const { newByobReader, readInto } = use('web/streams/byob');

/** Splits the stream's state into two; `cloneChunk`, when given, copies each chunk for the second branch. */
function tee(stream, cloneChunk = null) {
  return stream.controller instanceof bytes.ByteController ? teeBytes(stream) : teeDefault(stream, cloneChunk);
}

/** What both kinds share: who cancelled, why, and the promise both cancellations return. */
class Cancellation {
  stream;
  first = false;
  second = false;
  firstReason = undefined;
  secondReason = undefined;
  done = new Capability();

  constructor(stream) {
    this.stream = stream;
  }

  cancelFirst = (reason) => {
    this.first = true;
    this.firstReason = reason;
    return this.#cancelled(this.second);
  };

  cancelSecond = (reason) => {
    this.second = true;
    this.secondReason = reason;
    return this.#cancelled(this.first);
  };

  #cancelled(both) {
    if (both) this.done.resolve(cancelStream(this.stream, [this.firstReason, this.secondReason]));
    return this.done.promise;
  }

  /** The stream ended by itself: cancelling has nothing left to do. */
  ended() {
    if (!this.first || !this.second) this.done.resolve(undefined);
  }
}

function teeDefault(stream, cloneChunk) {
  const reader = acquireReader(stream);
  const cancellation = new Cancellation(stream);
  const first = new ReadableState();
  const second = new ReadableState();
  let reading = false;
  let readAgain = false;

  const deliver = (chunk) => {
    readAgain = false;
    let copy = chunk;
    if (cloneChunk !== null && !cancellation.second) {
      try {
        copy = cloneChunk(chunk);
      } catch (error) {
        first.controller.error(error);
        second.controller.error(error);
        cancellation.done.resolve(cancelStream(stream, error));
        return;
      }
    }
    if (!cancellation.first) first.controller.enqueue(chunk);
    if (!cancellation.second) second.controller.enqueue(copy);
    reading = false;
    if (readAgain) pull();
  };
  const request = {
    chunk(chunk) {
      // A microtask later: the branches' readers must not be called from inside the source's enqueue().
      microtask(() => deliver(chunk));
    },
    close() {
      reading = false;
      if (!cancellation.first) first.controller.close();
      if (!cancellation.second) second.controller.close();
      cancellation.ended();
    },
    error() {
      reading = false;
    },
  };
  const pull = () => {
    if (reading) {
      readAgain = true;
      return;
    }
    reading = true;
    readChunk(reader, request);
  };

  defaults.setUp(first, null, pull, cancellation.cancelFirst, 1, null);
  defaults.setUp(second, null, pull, cancellation.cancelSecond, 1, null);
  PromisePrototypeThen(reader.closed.promise, undefined, (reason) => {
    first.controller.error(reason);
    second.controller.error(reason);
    cancellation.ended();
  });
  return [first, second];
}

function teeBytes(stream) {
  let reader = acquireReader(stream);
  const cancellation = new Cancellation(stream);
  const first = new ReadableState();
  const second = new ReadableState();
  let reading = false;
  let readAgainFirst = false;
  let readAgainSecond = false;

  const forwardReaderError = (thisReader) => {
    PromisePrototypeThen(thisReader.closed.promise, undefined, (reason) => {
      if (thisReader !== reader) return;
      first.controller.error(reason);
      second.controller.error(reason);
      cancellation.ended();
    });
  };
  const switchReader = (isByob) => {
    if (reader.isByob === isByob) return;
    releaseReader(reader);
    reader = isByob ? newByobReader(stream) : acquireReader(stream);
    forwardReaderError(reader);
  };
  const cloneOrFail = (chunk) => {
    try {
      return cloneAsUint8Array(chunk);
    } catch (error) {
      first.controller.error(error);
      second.controller.error(error);
      cancellation.done.resolve(cancelStream(stream, error));
      return null;
    }
  };
  const afterChunk = () => {
    reading = false;
    if (readAgainFirst) pullFirst();
    else if (readAgainSecond) pullSecond();
  };

  const defaultRequest = {
    chunk(chunk) {
      microtask(() => {
        readAgainFirst = false;
        readAgainSecond = false;
        let copy = chunk;
        if (!cancellation.first && !cancellation.second) {
          copy = cloneOrFail(chunk);
          if (copy === null) return;
        }
        if (!cancellation.first) first.controller.enqueue(chunk);
        if (!cancellation.second) second.controller.enqueue(copy);
        afterChunk();
      });
    },
    close() {
      reading = false;
      if (!cancellation.first) first.controller.close();
      if (!cancellation.second) second.controller.close();
      if (first.controller.pendingPullIntos.length > 0) first.controller.respond(0);
      if (second.controller.pendingPullIntos.length > 0) second.controller.respond(0);
      cancellation.ended();
    },
    error() {
      reading = false;
    },
  };
  const pullWithDefaultReader = () => {
    switchReader(false);
    readChunk(reader, defaultRequest);
  };
  const pullWithByobReader = (view, forSecond) => {
    switchReader(true);
    const byobBranch = forSecond ? second : first;
    const otherBranch = forSecond ? first : second;
    const byobCanceled = () => (forSecond ? cancellation.second : cancellation.first);
    const otherCanceled = () => (forSecond ? cancellation.first : cancellation.second);
    readInto(reader, view, 1, {
      chunk(chunk) {
        microtask(() => {
          readAgainFirst = false;
          readAgainSecond = false;
          if (otherCanceled()) {
            if (!byobCanceled()) byobBranch.controller.respondWithNewView(chunk);
          } else {
            const copy = cloneOrFail(chunk);
            if (copy === null) return;
            if (!byobCanceled()) byobBranch.controller.respondWithNewView(chunk);
            otherBranch.controller.enqueue(copy);
          }
          afterChunk();
        });
      },
      close(chunk) {
        reading = false;
        const byobWasCanceled = byobCanceled();
        const otherWasCanceled = otherCanceled();
        if (!byobWasCanceled) byobBranch.controller.close();
        if (!otherWasCanceled) otherBranch.controller.close();
        if (chunk !== undefined) {
          if (!byobWasCanceled) byobBranch.controller.respondWithNewView(chunk);
          if (!otherWasCanceled && otherBranch.controller.pendingPullIntos.length > 0) otherBranch.controller.respond(0);
        }
        cancellation.ended();
      },
      error() {
        reading = false;
      },
    });
  };
  const pullBranch = (branch, forSecond) => {
    reading = true;
    const request = branch.controller.getByobRequest();
    if (request === null) pullWithDefaultReader();
    else pullWithByobReader(request.view, forSecond);
  };
  const pullFirst = () => {
    if (reading) readAgainFirst = true;
    else pullBranch(first, false);
  };
  const pullSecond = () => {
    if (reading) readAgainSecond = true;
    else pullBranch(second, true);
  };

  bytes.setUp(first, noop, pullFirst, cancellation.cancelFirst, 0, undefined);
  bytes.setUp(second, noop, pullSecond, cancellation.cancelSecond, 0, undefined);
  forwardReaderError(reader);
  return [first, second];
}

exports.tee = tee;
