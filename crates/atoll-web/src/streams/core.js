// ReadableStream's state and the algorithms every readable stream shares, whatever its controller. Public objects are thin: all
// algorithms work on state objects that no guest can reach, so internal consumers need no reader or controller objects at all.
//
// A controller state offers pullSteps(readRequest), cancelSteps(reason) → Promise, releaseSteps().
// A read request offers chunk(value), close(value), error(reason).
const { PromisePrototypeThen, PromiseReject, TypeError } = primordials;
const { Deferred, Queue, noop, resolved } = use('web/streams/common');

const READABLE = 0;
const CLOSED = 1;
const ERRORED = 2;

class ReadableState {
  status = READABLE;
  storedError = undefined;
  disturbed = false;
  reader = null;
  controller = null;
  /** The public ReadableStream, made when a guest can see it. */
  object = null;
  /** A Deferred that settles when the stream is over, for those who wait for that without a reader. */
  over = null;
}

/** A promise that settles when the stream is closed or errored, whoever reads it. */
function overOf(stream) {
  if (stream.over === null) {
    if (stream.status === READABLE) stream.over = new Deferred();
    else stream.over = stream.status === CLOSED ? Deferred.resolved() : Deferred.rejected(stream.storedError);
  }
  return stream.over.promise;
}

class ReaderState {
  stream = null;
  closed = null;
  requests = new Queue();
  isByob;

  constructor(isByob) {
    this.isByob = isByob;
  }
}

function isLocked(stream) {
  return stream.reader !== null;
}

/** Locks the stream to a new reader. */
function acquireReader(stream, isByob = false) {
  const reader = new ReaderState(isByob);
  attachReader(reader, stream);
  return reader;
}

function attachReader(reader, stream) {
  if (stream.reader !== null) throw new TypeError('ReadableStream is locked to a reader');
  reader.stream = stream;
  stream.reader = reader;
  if (stream.status === READABLE) reader.closed = new Deferred();
  else if (stream.status === CLOSED) reader.closed = Deferred.resolved();
  else reader.closed = Deferred.rejected(stream.storedError);
}

/** Unlocks the stream; outstanding reads fail. */
function releaseReader(reader) {
  const { stream } = reader;
  const reason = new TypeError('The reader was released');
  if (stream.status === READABLE) reader.closed.reject(reason);
  else reader.closed = Deferred.rejected(reason);
  stream.controller.releaseSteps();
  stream.reader = null;
  reader.stream = null;
  failRequests(reader, reason);
}

function failRequests(reader, reason) {
  const { requests } = reader;
  if (requests.length === 0) return;
  reader.requests = new Queue();
  while (requests.length > 0) requests.shift().error(reason);
}

/** Starts one read with a default reader. */
function readChunk(reader, request) {
  const { stream } = reader;
  stream.disturbed = true;
  if (stream.status === CLOSED) request.close(undefined);
  else if (stream.status === ERRORED) request.error(stream.storedError);
  else stream.controller.pullSteps(request);
}

function hasDefaultReader(stream) {
  return stream.reader !== null && !stream.reader.isByob;
}

function hasByobReader(stream) {
  return stream.reader !== null && stream.reader.isByob;
}

function pendingRequests(stream) {
  return stream.reader === null ? 0 : stream.reader.requests.length;
}

function fulfillRequest(stream, chunk, done) {
  const request = stream.reader.requests.shift();
  if (done) request.close(chunk);
  else request.chunk(chunk);
}

/** Cancels the stream, whoever reads it. Returns a promise of `undefined`. */
function cancelStream(stream, reason) {
  stream.disturbed = true;
  if (stream.status === CLOSED) return resolved();
  if (stream.status === ERRORED) return PromiseReject(stream.storedError);
  closeStream(stream);
  const { reader } = stream;
  if (reader !== null && reader.isByob) {
    const { requests } = reader;
    reader.requests = new Queue();
    while (requests.length > 0) requests.shift().close(undefined);
  }
  return PromisePrototypeThen(stream.controller.cancelSteps(reason), noop);
}

function closeStream(stream) {
  stream.status = CLOSED;
  if (stream.over !== null) stream.over.resolve(undefined);
  const { reader } = stream;
  if (reader === null) return;
  reader.closed.resolve(undefined);
  if (reader.isByob) return;
  const { requests } = reader;
  if (requests.length === 0) return;
  reader.requests = new Queue();
  while (requests.length > 0) requests.shift().close(undefined);
}

function errorStream(stream, reason) {
  stream.status = ERRORED;
  stream.storedError = reason;
  if (stream.over !== null) stream.over.reject(reason);
  const { reader } = stream;
  if (reader === null) return;
  reader.closed.reject(reason);
  failRequests(reader, reason);
}

exports.READABLE = READABLE;
exports.CLOSED = CLOSED;
exports.ERRORED = ERRORED;
exports.ReadableState = ReadableState;
exports.isLocked = isLocked;
exports.acquireReader = acquireReader;
exports.attachReader = attachReader;
exports.ReaderState = ReaderState;
exports.overOf = overOf;
exports.releaseReader = releaseReader;
exports.readChunk = readChunk;
exports.hasDefaultReader = hasDefaultReader;
exports.hasByobReader = hasByobReader;
exports.pendingRequests = pendingRequests;
exports.fulfillRequest = fulfillRequest;
exports.cancelStream = cancelStream;
exports.closeStream = closeStream;
exports.errorStream = errorStream;
