// ReadableStream pipeTo.
const { PromisePrototypeThen, TypeError } = primordials;
const { Capability, Deferred, microtask, noop, resolved } = use('web/streams/common');
const { CLOSED, ERRORED, READABLE, acquireReader, cancelStream, readChunk, releaseReader } = use('web/streams/core');
const { DefaultController } = use('web/streams/default');
const writable = use('web/streams/writable');
const { abortReason, addAbortAlgorithm, isAborted, removeAbortAlgorithm } = use('web/abort');

/** Chunks moved without letting other jobs run, for sources and sinks that never wait. */
const MAX_CHUNKS_PER_TURN = 256;

/**
 * Pipes `source` to `destination` (states). `signal` is null or an AbortSignal. Returns a promise of `undefined`. The caller checked that
 * neither is locked.
 */
function pipeTo(source, destination, { preventClose, preventAbort, preventCancel }, signal) {
  return new Pipe(source, destination, preventClose, preventAbort, preventCancel, signal).start();
}

class Pipe {
  #source;
  #destination;
  #preventClose;
  #preventAbort;
  #preventCancel;
  #signal;
  #reader;
  #writer;
  #done = new Capability();
  #shuttingDown = false;
  /** The last write: a Deferred, or null. */
  #lastWrite = null;
  #abortAlgorithm = null;
  #request;

  constructor(source, destination, preventClose, preventAbort, preventCancel, signal) {
    this.#source = source;
    this.#destination = destination;
    this.#preventClose = preventClose;
    this.#preventAbort = preventAbort;
    this.#preventCancel = preventCancel;
    this.#signal = signal;
    this.#reader = acquireReader(source);
    this.#writer = new writable.WriterState(destination);
    this.#request = {
      chunk: (chunk) => {
        // A microtask later: the source's enqueue() must not call the sink's write(). A shutdown meanwhile waits for it.
        const write = new Deferred();
        this.#lastWrite = write;
        microtask(() => {
          if (this.#writer.stream === null) write.resolve(undefined);
          else this.#writer.write(chunk, write);
          this.#pump();
        });
      },
      close: noop,
      error: noop,
    };
  }

  start() {
    const source = this.#source;
    const destination = this.#destination;
    source.disturbed = true;
    if (this.#signal !== null) {
      this.#abortAlgorithm = () => this.#aborted();
      if (isAborted(this.#signal)) {
        this.#aborted();
        return this.#done.promise;
      }
      addAbortAlgorithm(this.#signal, this.#abortAlgorithm);
    }
    if (source.status === ERRORED) {
      this.#sourceErrored(source.storedError);
    } else {
      PromisePrototypeThen(this.#reader.closed.promise, undefined, (error) => this.#sourceErrored(error));
    }
    if (destination.status === writable.ERRORED) {
      this.#destinationErrored(destination.storedError);
    } else {
      PromisePrototypeThen(this.#writer.closed.promise, undefined, (error) => this.#destinationErrored(error));
    }
    if (source.status === CLOSED) {
      this.#sourceClosed();
    } else {
      PromisePrototypeThen(this.#reader.closed.promise, () => this.#sourceClosed(), noop);
    }
    if (destination.closing || destination.status === writable.CLOSED) this.#destinationClosed();
    // Not before the caller has seen the promise: it may still close, error or abort either end.
    PromisePrototypeThen(this.#writer.ready.promise, () => this.#pump(), noop);
    return this.#done.promise;
  }

  /** Moves chunks while the sink wants some. */
  #pump() {
    for (let count = 0; !this.#shuttingDown; count++) {
      const { ready } = this.#writer;
      if (ready.isPending || count === MAX_CHUNKS_PER_TURN) {
        PromisePrototypeThen(count === MAX_CHUNKS_PER_TURN ? resolved() : ready.promise, () => this.#pump(), noop);
        return;
      }
      const source = this.#source;
      if (source.status !== READABLE || this.#destination.status !== writable.WRITABLE) return;
      const { controller } = source;
      if (!(controller instanceof DefaultController) || controller.queue.length === 0) {
        readChunk(this.#reader, this.#request);
        return;
      }
      this.#write(controller.takeChunk());
    }
  }

  #write(chunk) {
    this.#lastWrite = new Deferred();
    this.#writer.write(chunk, this.#lastWrite);
  }

  #sourceErrored(error) {
    if (this.#preventAbort) this.#shutdown(true, error);
    else this.#shutdownWithAction(() => this.#destination.abort(error), true, error);
  }

  #destinationErrored(error) {
    if (this.#preventCancel) this.#shutdown(true, error);
    else this.#shutdownWithAction(() => cancelStream(this.#source, error), true, error);
  }

  #sourceClosed() {
    if (this.#preventClose) this.#shutdown(false);
    else this.#shutdownWithAction(() => this.#writer.closeWithErrorPropagation(), false);
  }

  #destinationClosed() {
    const error = new TypeError('The destination is closing or closed');
    if (this.#preventCancel) this.#shutdown(true, error);
    else this.#shutdownWithAction(() => cancelStream(this.#source, error), true, error);
  }

  #aborted() {
    const reason = abortReason(this.#signal);
    this.#shutdownWithAction(() => this.#abortBoth(reason), true, reason);
  }

  #abortBoth(reason) {
    const destination = this.#destination;
    const abort =
      this.#preventAbort ? null
      : destination.status === writable.WRITABLE ? destination.abort(reason)
      : resolved();
    const cancel =
      this.#preventCancel ? null
      : this.#source.status === READABLE ? cancelStream(this.#source, reason)
      : resolved();
    return both(abort ?? resolved(), cancel ?? resolved());
  }

  #shutdownWithAction(action, isError, error) {
    if (this.#shuttingDown) return;
    this.#shuttingDown = true;
    const perform = () => {
      PromisePrototypeThen(
        action(),
        () => this.#finalize(isError, error),
        (actionError) => this.#finalize(true, actionError),
      );
    };
    if (this.#mustFinishWrites) this.#afterWrites(perform);
    else perform();
  }

  #shutdown(isError, error) {
    if (this.#shuttingDown) return;
    this.#shuttingDown = true;
    if (this.#mustFinishWrites) this.#afterWrites(() => this.#finalize(isError, error));
    else this.#finalize(isError, error);
  }

  get #mustFinishWrites() {
    return this.#destination.status === writable.WRITABLE && !this.#destination.closing;
  }

  /** Calls back once every write that was begun has ended; a read under way may still begin one. */
  #afterWrites(callback) {
    const last = this.#lastWrite;
    const again = () => {
      if (last === this.#lastWrite) callback();
      else this.#afterWrites(callback);
    };
    PromisePrototypeThen(last === null ? resolved() : last.promise, again, again);
  }

  #finalize(isError, error) {
    this.#writer.release();
    releaseReader(this.#reader);
    if (this.#signal !== null) removeAbortAlgorithm(this.#signal, this.#abortAlgorithm);
    if (isError) this.#done.reject(error);
    else this.#done.resolve(undefined);
  }
}

/** Settles once both did; the first one's rejection wins. */
function both(first, second) {
  const done = new Capability();
  let remaining = 2;
  const one = () => {
    remaining--;
    if (remaining === 0) done.resolve(undefined);
  };
  PromisePrototypeThen(first, one, done.reject);
  PromisePrototypeThen(second, one, done.reject);
  return done.promise;
}

exports.pipeTo = pipeTo;
