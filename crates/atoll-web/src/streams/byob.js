// What guests see of byte streams: ReadableByteStreamController, ReadableStreamBYOBRequest, ReadableStreamBYOBReader.
const {
  ArrayBufferIsView, ArrayBufferPrototypeGetByteLength, Promise, PromiseReject, RangeError, ReflectApply, TypeError,
  TypedArrayPrototypeGetLength,
} = primordials;
const { dictionary, isArrayBuffer, isDetached, isTypedArray, rejectedInvocation, viewParts } = use('web/streams/common');
const { ERRORED, ReaderState, READABLE, attachReader, cancelStream, releaseReader } = use('web/streams/core');
const { ByteController, setUp } = use('web/streams/byte');
const { defineEnumerable, illegalConstructor, illegalInvocation, requireArguments, setToStringTag } = use('web/webidl');

const internal = { __proto__: null };

class ReadableStreamBYOBRequest {
  #state;

  constructor(token, state) {
    if (token !== internal) throw illegalConstructor();
    this.#state = state;
  }

  get view() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.view;
  }

  respond(bytesWritten) {
    if (!(#state in this)) throw illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'respond' on 'ReadableStreamBYOBRequest'");
    const count = enforceLength(bytesWritten, 'bytesWritten');
    const { controller, view } = this.#state;
    if (controller === null) throw new TypeError('This BYOB request was already answered');
    if (isDetached(viewParts(view).buffer)) throw new TypeError('The BYOB request\'s buffer is detached');
    controller.respond(count);
  }

  respondWithNewView(view) {
    if (!(#state in this)) throw illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'respondWithNewView' on 'ReadableStreamBYOBRequest'");
    checkView(view, "Failed to execute 'respondWithNewView' on 'ReadableStreamBYOBRequest'");
    const { controller } = this.#state;
    if (controller === null) throw new TypeError('This BYOB request was already answered');
    if (isDetached(viewParts(view).buffer)) throw new TypeError('The view\'s buffer is detached');
    controller.respondWithNewView(view);
  }
}
defineEnumerable(ReadableStreamBYOBRequest, ['respond', 'respondWithNewView', 'view']);
setToStringTag(ReadableStreamBYOBRequest, 'ReadableStreamBYOBRequest');

class ReadableByteStreamController {
  #state;

  constructor(token, state) {
    if (token !== internal) throw illegalConstructor();
    this.#state = state;
  }

  get byobRequest() {
    if (!(#state in this)) throw illegalInvocation();
    const request = this.#state.getByobRequest();
    if (request === null) return null;
    request.object ??= new ReadableStreamBYOBRequest(internal, request);
    return request.object;
  }

  get desiredSize() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.desiredSize;
  }

  close() {
    if (!(#state in this)) throw illegalInvocation();
    if (this.#state.closeRequested) throw new TypeError('The stream was already asked to close');
    if (this.#state.stream.status !== READABLE) throw new TypeError('The stream is not in a state that permits close');
    this.#state.close();
  }

  enqueue(chunk) {
    if (!(#state in this)) throw illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'enqueue' on 'ReadableByteStreamController'");
    checkView(chunk, "Failed to execute 'enqueue' on 'ReadableByteStreamController'");
    const { buffer, byteLength } = viewParts(chunk);
    if (byteLength === 0) throw new TypeError('The chunk is empty');
    if (ArrayBufferPrototypeGetByteLength(buffer) === 0) throw new TypeError('The chunk\'s buffer is empty');
    if (this.#state.closeRequested) throw new TypeError('The stream was already asked to close');
    if (this.#state.stream.status !== READABLE) throw new TypeError('The stream is not in a state that permits enqueue');
    this.#state.enqueue(chunk);
  }

  error(e = undefined) {
    if (!(#state in this)) throw illegalInvocation();
    this.#state.error(e);
  }
}
defineEnumerable(ReadableByteStreamController, ['byobRequest', 'close', 'desiredSize', 'enqueue', 'error']);
setToStringTag(ReadableByteStreamController, 'ReadableByteStreamController');

class ReadableStreamBYOBReader {
  #state;

  constructor(stream) {
    if (stream === internal) {
      this.#state = arguments[1];
      return;
    }
    requireArguments(arguments.length, 1, "Failed to construct 'ReadableStreamBYOBReader'");
    const state = exports.getReadableState?.(stream);
    if (state === undefined) throw new TypeError("Failed to construct 'ReadableStreamBYOBReader': parameter 1 is not a ReadableStream");
    this.#state = newByobReader(state);
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

  read(view, options = undefined) {
    try {
      if (!(#state in this)) throw illegalInvocation();
      const context = "Failed to execute 'read' on 'ReadableStreamBYOBReader'";
      requireArguments(arguments.length, 1, context);
      checkView(view, context);
      const given = dictionary(options, 'options');
      const min = given === null || given.min === undefined ? 1 : enforceLength(given.min, 'min');
      const { buffer, byteLength } = viewParts(view);
      if (byteLength === 0) throw new TypeError('The view is empty');
      if (ArrayBufferPrototypeGetByteLength(buffer) === 0) throw new TypeError('The view\'s buffer is empty');
      if (isDetached(buffer)) throw new TypeError('The view\'s buffer is detached');
      if (min === 0) throw new TypeError('min must be at least 1');
      if (min > (isTypedArray(view) ? TypedArrayPrototypeGetLength(view) : byteLength)) throw new RangeError('min exceeds the view');
      const state = this.#state;
      if (state.stream === null) throw new TypeError('The reader was released');
      return new Promise((resolve, reject) => readInto(state, view, min, new PromiseReadIntoRequest(resolve, reject)));
    } catch (error) {
      return PromiseReject(error);
    }
  }

  releaseLock() {
    if (!(#state in this)) throw illegalInvocation();
    if (this.#state.stream !== null) releaseReader(this.#state);
  }
}
defineEnumerable(ReadableStreamBYOBReader, ['cancel', 'closed', 'read', 'releaseLock']);
setToStringTag(ReadableStreamBYOBReader, 'ReadableStreamBYOBReader');

class PromiseReadIntoRequest {
  resolve;
  error;

  constructor(resolve, reject) {
    this.resolve = resolve;
    this.error = reject;
  }

  chunk(value) {
    this.resolve({ value, done: false });
  }

  close(value) {
    this.resolve({ value, done: true });
  }
}

/** Locks a byte stream to a new BYOB reader state. */
function newByobReader(stream) {
  if (stream.reader !== null) throw new TypeError('ReadableStream is locked to a reader');
  if (!(stream.controller instanceof ByteController)) throw new TypeError('A BYOB reader needs a stream of type "bytes"');
  const reader = new ReaderState(true);
  attachReader(reader, stream);
  return reader;
}

function readInto(reader, view, min, request) {
  const { stream } = reader;
  stream.disturbed = true;
  if (stream.status === ERRORED) request.error(stream.storedError);
  else stream.controller.pullInto(view, min, request);
}

/** A view of memory that can be transferred: not shared. */
function checkView(view, context) {
  if (!ArrayBufferIsView(view)) throw new TypeError(`${context}: parameter 1 is not a view of an ArrayBuffer`);
  if (!isArrayBuffer(viewParts(view).buffer)) throw new TypeError(`${context}: parameter 1 is a view of shared memory`);
}

/** Web IDL's [EnforceRange] unsigned long long. */
function enforceLength(value, what) {
  const number = +value;
  const integer = number < 0 ? -(-number - (-number % 1)) : number - (number % 1);
  if (!(integer >= 0 && integer <= 9007199254740991)) throw new TypeError(`${what} is outside the range of an unsigned long long`);
  return integer;
}

/** The public controller of a byte controller state. */
function publicController(controller) {
  controller.object ??= new ReadableByteStreamController(internal, controller);
  return controller.object;
}

/** Set-up from a guest's underlying byte source, whose members were already read. */
function setUpFromSource(stream, source, members, highWaterMark) {
  const { start, pull, cancel, autoAllocateChunkSize } = members;
  if (autoAllocateChunkSize === 0) throw new TypeError('autoAllocateChunkSize must be greater than 0');
  setUp(
    stream,
    (controller) => (start === undefined ? undefined : ReflectApply(start, source, [publicController(controller)])),
    pull === undefined ? null : (controller) => ReflectApply(pull, source, [publicController(controller)]),
    cancel === undefined ? null : (reason) => ReflectApply(cancel, source, [reason]),
    highWaterMark,
    autoAllocateChunkSize,
  );
}

function createByobReader(stream) {
  return new ReadableStreamBYOBReader(internal, newByobReader(stream));
}

exports.ReadableByteStreamController = ReadableByteStreamController;
exports.ReadableStreamBYOBReader = ReadableStreamBYOBReader;
exports.ReadableStreamBYOBRequest = ReadableStreamBYOBRequest;
exports.createByobReader = createByobReader;
exports.enforceLength = enforceLength;
exports.newByobReader = newByobReader;
exports.readInto = readInto;
exports.setUpFromSource = setUpFromSource;
/** Set by web/streams/readable: the state of a public ReadableStream, or undefined. */
exports.getReadableState = undefined;
