// The ReadableStream class and its async iterator.
const {
  AsyncIteratorPrototype, ObjectDefineProperty, ObjectSetPrototypeOf, Promise, PromisePrototypeThen, PromiseReject,
  PromiseResolve, RangeError, SymbolAsyncIterator, SymbolToStringTag, TypeError,
} = primordials;
const {
  callbackMember, convertStrategy, dictionary, extractHighWaterMark, markHandled, rejectedInvocation, resolved,
} = use('web/streams/common');
const { ReadableState, acquireReader, cancelStream, isLocked, readChunk, releaseReader } = use('web/streams/core');
const defaults = use('web/streams/default');
const byob = use('web/streams/byob');
const { streamFrom } = use('web/streams/from');
const { pipeTo } = use('web/streams/pipe');
const { tee } = use('web/streams/tee');
const { getWritableState } = use('web/streams/writable');
const { isAbortSignal } = use('web/abort');
const { defineEnumerable, defineEnumerableStatic, illegalInvocation, requireArguments, setToStringTag } = use('web/webidl');

const internal = { __proto__: null };
/** The state of a public ReadableStream; undefined for anything else. */
let getReadableState;

class ReadableStream {
  #state;

  constructor(underlyingSource = undefined, strategy = undefined) {
    if (underlyingSource === internal) {
      this.#state = strategy;
      strategy.object = this;
      return;
    }
    if (underlyingSource === null) throw new TypeError("Failed to construct 'ReadableStream': parameter 1 is not an object");
    const source = dictionary(underlyingSource, 'The underlying source');
    const { highWaterMark, size } = convertStrategy(strategy);
    const members = readSource(source);
    const state = new ReadableState();
    state.object = this;
    this.#state = state;
    if (members.type === 'bytes') {
      if (size !== undefined) throw new RangeError('A byte stream\'s strategy must not have a size');
      byob.setUpFromSource(state, source, members, extractHighWaterMark({ highWaterMark }, 0));
    } else {
      defaults.setUpFromSource(state, source, members, extractHighWaterMark({ highWaterMark }, 1), size ?? null);
    }
  }

  static from(asyncIterable) {
    requireArguments(arguments.length, 1, "Failed to execute 'from' on 'ReadableStream'");
    return new ReadableStream(internal, streamFrom(asyncIterable));
  }

  get locked() {
    if (!(#state in this)) throw illegalInvocation();
    return isLocked(this.#state);
  }

  cancel(reason = undefined) {
    if (!(#state in this)) return rejectedInvocation();
    if (isLocked(this.#state)) return PromiseReject(new TypeError('ReadableStream is locked to a reader'));
    return cancelStream(this.#state, reason);
  }

  getReader(options = undefined) {
    if (!(#state in this)) throw illegalInvocation();
    const given = dictionary(options, 'options');
    const mode = given === null ? undefined : given.mode;
    if (mode === undefined) return defaults.createReader(this.#state);
    if (`${mode}` !== 'byob') throw new TypeError(`'${mode}' is not a valid reader mode`);
    return byob.createByobReader(this.#state);
  }

  pipeThrough(transform, options = undefined) {
    if (!(#state in this)) throw illegalInvocation();
    const context = "Failed to execute 'pipeThrough' on 'ReadableStream'";
    requireArguments(arguments.length, 1, context);
    const pair = dictionary(transform, 'The transform');
    const readable = pair?.readable;
    if (getReadableState(readable) === undefined) throw new TypeError(`${context}: 'readable' is not a ReadableStream`);
    const destination = getWritableState(pair.writable);
    if (destination === undefined) throw new TypeError(`${context}: 'writable' is not a WritableStream`);
    const { flags, signal } = pipeOptions(options);
    if (isLocked(this.#state)) throw new TypeError(`${context}: the stream is locked to a reader`);
    if (destination.writer !== null) throw new TypeError(`${context}: 'writable' is locked to a writer`);
    markHandled(pipeTo(this.#state, destination, flags, signal));
    return readable;
  }

  pipeTo(destination, options = undefined) {
    try {
      if (!(#state in this)) throw illegalInvocation();
      const context = "Failed to execute 'pipeTo' on 'ReadableStream'";
      requireArguments(arguments.length, 1, context);
      const target = getWritableState(destination);
      if (target === undefined) throw new TypeError(`${context}: parameter 1 is not a WritableStream`);
      const { flags, signal } = pipeOptions(options);
      if (isLocked(this.#state)) throw new TypeError(`${context}: the stream is locked to a reader`);
      if (target.writer !== null) throw new TypeError(`${context}: the destination is locked to a writer`);
      return pipeTo(this.#state, target, flags, signal);
    } catch (error) {
      return PromiseReject(error);
    }
  }

  tee() {
    if (!(#state in this)) throw illegalInvocation();
    const branches = tee(this.#state); // not destructured: that would ask the guest's Array.prototype for an iterator
    return [new ReadableStream(internal, branches[0]), new ReadableStream(internal, branches[1])];
  }

  values(options = undefined) {
    if (!(#state in this)) throw illegalInvocation();
    const preventCancel = !!dictionary(options, 'options')?.preventCancel;
    return new StreamIterator(acquireReader(this.#state), preventCancel);
  }

  static {
    getReadableState = (stream) => (typeof stream === 'object' && stream !== null && #state in stream ? stream.#state : undefined);
  }
}
defaults.getReadableState = getReadableState;
byob.getReadableState = getReadableState;
defineEnumerable(ReadableStream, ['cancel', 'getReader', 'locked', 'pipeThrough', 'pipeTo', 'tee', 'values']);
defineEnumerableStatic(ReadableStream, ['from']);
setToStringTag(ReadableStream, 'ReadableStream');
ObjectDefineProperty(ReadableStream.prototype, SymbolAsyncIterator, {
  __proto__: null,
  value: ReadableStream.prototype.values,
  writable: true,
  enumerable: false,
  configurable: true,
});

/** Reads an underlying source's members in the standard's order. */
function readSource(source) {
  if (source === null) {
    return { autoAllocateChunkSize: undefined, cancel: undefined, pull: undefined, start: undefined, type: undefined };
  }
  let { autoAllocateChunkSize } = source;
  if (autoAllocateChunkSize !== undefined) autoAllocateChunkSize = byob.enforceLength(autoAllocateChunkSize, 'autoAllocateChunkSize');
  const cancel = callbackMember(source, 'cancel', 'The underlying source\'s');
  const pull = callbackMember(source, 'pull', 'The underlying source\'s');
  const start = callbackMember(source, 'start', 'The underlying source\'s');
  let { type } = source;
  if (type !== undefined) {
    type = `${type}`;
    if (type !== 'bytes') throw new TypeError(`'${type}' is not a valid underlying source type`);
  }
  return { autoAllocateChunkSize, cancel, pull, start, type };
}

function pipeOptions(options) {
  const given = dictionary(options, 'options');
  if (given === null) return { flags: { preventClose: false, preventAbort: false, preventCancel: false }, signal: null };
  const preventAbort = !!given.preventAbort;
  const preventCancel = !!given.preventCancel;
  const preventClose = !!given.preventClose;
  const { signal } = given;
  if (signal !== undefined && !isAbortSignal(signal)) throw new TypeError('options: signal is not an AbortSignal');
  return { flags: { preventClose, preventAbort, preventCancel }, signal: signal ?? null };
}

/** What `for await` uses: steps run one after the other, whatever the guest calls meanwhile. */
class StreamIterator {
  #reader;
  #preventCancel;
  /** The promise of the latest step, and whether that step still runs. */
  #latest = null;
  #active = false;
  #waiting = 0;
  #finished = false;

  constructor(reader, preventCancel) {
    this.#reader = reader;
    this.#preventCancel = preventCancel;
  }

  next() {
    if (!(typeof this === 'object' && this !== null && #reader in this)) return rejectedInvocation();
    return this.#enqueue(() => this.#next());
  }

  return(value = undefined) {
    if (!(typeof this === 'object' && this !== null && #reader in this)) return rejectedInvocation();
    return PromisePrototypeThen(
      this.#enqueue(() => this.#return(value)),
      () => ({ value, done: true }),
    );
  }

  #enqueue(step) {
    if (!this.#active && this.#waiting === 0) {
      this.#latest = step();
    } else {
      const queued = () => {
        this.#waiting--;
        return step();
      };
      this.#waiting++;
      this.#latest = PromisePrototypeThen(this.#latest, queued, queued);
    }
    return this.#latest;
  }

  #next() {
    if (this.#finished) return PromiseResolve({ value: undefined, done: true });
    const reader = this.#reader;
    this.#active = true;
    return new Promise((resolve, reject) => {
      readChunk(reader, {
        chunk: (value) => {
          this.#active = false;
          resolve({ value, done: false });
        },
        close: () => {
          this.#end();
          resolve({ value: undefined, done: true });
        },
        error: (error) => {
          this.#end();
          reject(error);
        },
      });
    });
  }

  #end() {
    this.#active = false;
    this.#finished = true;
    releaseReader(this.#reader);
  }

  #return(value) {
    if (this.#finished) return resolved();
    this.#finished = true;
    const reader = this.#reader;
    if (this.#preventCancel) {
      releaseReader(reader);
      return resolved();
    }
    const cancelled = cancelStream(reader.stream, value);
    releaseReader(reader);
    return cancelled;
  }
}
const { prototype: iteratorPrototype } = StreamIterator;
delete iteratorPrototype.constructor;
ObjectSetPrototypeOf(iteratorPrototype, AsyncIteratorPrototype);
defineEnumerable(StreamIterator, ['next', 'return']);
ObjectDefineProperty(iteratorPrototype, SymbolToStringTag, { __proto__: null, value: 'ReadableStream AsyncIterator', configurable: true });

/** The public object of a state. */
function readableObject(state) {
  return state.object ?? new ReadableStream(internal, state);
}

exports.ReadableStream = ReadableStream;
exports.getReadableState = getReadableState;
exports.readableObject = readableObject;
