// What can be said of a stream from outside, of whatever make: Node's own, one of another version or package, or a web
// stream. An answer that nobody can give is null.
const {
  ArrayBufferIsView,
  NumberIsInteger,
  SymbolAsyncIterator,
  SymbolFor,
  SymbolIterator,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetLength,
  TypedArrayPrototypeGetSymbolToStringTag,
  SymbolSpecies,
} = primordials;
const { ERR_INVALID_ARG_VALUE } = use('node/internal/errors');
const { validateInteger } = use('node/internal/validators');
const { bytesOf } = use('web/webidl');
const { Buffer } = use('node:buffer').default;

const { [SymbolSpecies]: FastBuffer } = Buffer;

// Marks that streams of other packages carry, too; the registry of symbols is where they meet.
const kDestroyed = SymbolFor('nodejs.stream.destroyed');
const kErrored = SymbolFor('nodejs.stream.errored');
const kReadable = SymbolFor('nodejs.stream.readable');
const kWritable = SymbolFor('nodejs.stream.writable');
const kDisturbed = SymbolFor('nodejs.stream.disturbed');
exports.kDestroyed = kDestroyed;

// --- high water marks ------------------------------------------------------------------------------------------------

let defaultBytes = 64 * 1024; // buffered before a stream of bytes says that it is full (Node 22's number)
let defaultObjects = 16; // the same, of a stream of objects

exports.getDefaultHighWaterMark = function getDefaultHighWaterMark(objectMode) {
  return objectMode ? defaultObjects : defaultBytes;
};

exports.setDefaultHighWaterMark = function setDefaultHighWaterMark(objectMode, value) {
  validateInteger(value, 'value', 0);
  if (objectMode) defaultObjects = value;
  else defaultBytes = value;
};

/** The mark that the options of a stream ask for; `sideKey` is the option for one side of a duplex stream. */
exports.highWaterMarkFrom = (options, objectMode, sideKey, isDuplex) => {
  const shared = options?.highWaterMark;
  const given = shared ?? (isDuplex ? options?.[sideKey] : undefined);
  if (given === undefined || given === null) return objectMode ? defaultObjects : defaultBytes;
  if (!NumberIsInteger(given) || given < 0) {
    throw ERR_INVALID_ARG_VALUE(isDuplex ? `options.${sideKey}` : 'options.highWaterMark', given);
  }
  return given;
};

// --- chunks ----------------------------------------------------------------------------------------------------------

/** A Buffer of the same memory. */
function asBuffer(view) {
  const bytes = bytesOf(view);
  return new FastBuffer(
    TypedArrayPrototypeGetBuffer(bytes),
    TypedArrayPrototypeGetByteOffset(bytes),
    TypedArrayPrototypeGetByteLength(bytes),
  );
}
exports.asBuffer = asBuffer;
exports.isView = ArrayBufferIsView;
exports.isUint8Array = (value) =>
  ArrayBufferIsView(value) && TypedArrayPrototypeGetSymbolToStringTag(value) === 'Uint8Array';

/** A part of a Buffer, of the same memory. */
exports.partOf = (buffer, from, to) =>
  new FastBuffer(TypedArrayPrototypeGetBuffer(buffer), TypedArrayPrototypeGetByteOffset(buffer) + from, to - from);

/** What a chunk of text or bytes counts for. */
exports.lengthOf = (chunk) => (typeof chunk === 'string' ? chunk.length : TypedArrayPrototypeGetLength(chunk));

// --- kinds -----------------------------------------------------------------------------------------------------------

const isFunction = (value) => typeof value === 'function';

function isReadableNodeStream(value, strict = false) {
  if (!value || !isFunction(value.pipe) || !isFunction(value.on)) return false;
  if (strict && !(isFunction(value.pause) && isFunction(value.resume))) return false;
  // A writable stream has a pipe function as well, one that refuses.
  return !value._writableState || (!!value._readableState && value._readableState.readable !== false);
}

function isWritableNodeStream(value) {
  if (!value || !isFunction(value.write) || !isFunction(value.on)) return false;
  return !value._readableState || value._writableState?.writable !== false;
}

function isNodeStream(value) {
  if (!value) return false;
  if (value._readableState || value._writableState) return true;
  return isFunction(value.on) && (isFunction(value.write) || isFunction(value.pipe));
}

exports.isDuplexNodeStream = (value) =>
  !!value && isFunction(value.pipe) && !!value._readableState && isFunction(value.on) && isFunction(value.write);
exports.isReadableNodeStream = isReadableNodeStream;
exports.isWritableNodeStream = isWritableNodeStream;
exports.isNodeStream = isNodeStream;

function isReadableStream(value) {
  if (!value || isNodeStream(value)) return false;
  return isFunction(value.pipeThrough) && isFunction(value.getReader) && isFunction(value.cancel);
}
function isWritableStream(value) {
  return !!value && !isNodeStream(value) && isFunction(value.getWriter) && isFunction(value.abort);
}
function isTransformStream(value) {
  return !!value && !isNodeStream(value) && typeof value.readable === 'object' && typeof value.writable === 'object';
}
exports.isReadableStream = isReadableStream;
exports.isWritableStream = isWritableStream;
exports.isTransformStream = isTransformStream;
exports.isWebStream = (value) => isReadableStream(value) || isWritableStream(value) || isTransformStream(value);

/** Whether it can be iterated: the asynchronous way only, the other way only, or (by default) either. */
exports.isIterable = (value, asynchronous) => {
  if (value === null || value === undefined) return false;
  if (asynchronous !== false && isFunction(value[SymbolAsyncIterator])) return true;
  return asynchronous !== true && isFunction(value[SymbolIterator]);
};

// --- states ----------------------------------------------------------------------------------------------------------

function isDestroyed(stream) {
  if (!isNodeStream(stream)) return null;
  const state = stream._writableState || stream._readableState;
  return !!(stream.destroyed || stream[kDestroyed] || state?.destroyed);
}
exports.isDestroyed = isDestroyed;

/** Of one side, whether `flag` of its state is set, unless that side has failed. */
function flagOf(state, flag) {
  if (state?.errored) return false;
  return typeof state?.[flag] === 'boolean' ? state[flag] : null;
}

/** Whether a side has told its end; not strictly: or has nothing left before it does. */
function isOver(state, told, strict) {
  const flag = flagOf(state, told);
  if (flag !== false || state.errored) return flag;
  return strict === false && state.ended === true && state.length === 0;
}

function isWritableEnded(stream) {
  if (!isWritableNodeStream(stream)) return null;
  return stream.writableEnded === true || flagOf(stream._writableState, 'ended');
}
exports.isWritableEnded = isWritableEnded;

exports.isWritableFinished = (stream, strict) => {
  if (!isWritableNodeStream(stream)) return null;
  return stream.writableFinished === true || isOver(stream._writableState, 'finished', strict);
};

exports.isReadableEnded = (stream) => {
  if (!isReadableNodeStream(stream)) return null;
  return stream.readableEnded === true || flagOf(stream._readableState, 'ended');
};

function isReadableFinished(stream, strict) {
  return isReadableNodeStream(stream) ? isOver(stream._readableState, 'endEmitted', strict) : null;
}
exports.isReadableFinished = isReadableFinished;

/** What `stream` has to say of a mark of its own; web streams of ours answer from their state. */
function markOf(stream, key) {
  const own = stream[key];
  if (own !== undefined && own !== null) return own;
  const web = isNodeStream(stream) ? undefined : use('node/internal/stream/web_state').marksOf(stream);
  return web?.[key];
}

function isReadable(stream) {
  if (!stream) return null;
  const mark = markOf(stream, kReadable);
  if (mark !== undefined) return mark;
  if (typeof stream.readable !== 'boolean') return null;
  if (isDestroyed(stream)) return false;
  return isReadableNodeStream(stream) && stream.readable && !isReadableFinished(stream);
}
exports.isReadable = isReadable;

function isWritable(stream) {
  if (!stream) return null;
  const mark = markOf(stream, kWritable);
  if (mark !== undefined) return mark;
  if (typeof stream.writable !== 'boolean') return null;
  if (isDestroyed(stream)) return false;
  return isWritableNodeStream(stream) && stream.writable && !isWritableEnded(stream);
}
exports.isWritable = isWritable;

/** Whether the sides that are asked for can do nothing more. */
exports.isFinished = (stream, sides = undefined) => {
  if (!isNodeStream(stream)) return null;
  if (isDestroyed(stream)) return true;
  if (sides?.readable !== false && isReadable(stream)) return false;
  return !(sides?.writable !== false && isWritable(stream));
};

exports.erroredOf = (stream) => {
  if (!isNodeStream(stream)) return null;
  const write = stream.writableErrored || stream._writableState?.errored;
  const read = stream.readableErrored || stream._readableState?.errored;
  return write || read || null;
};

exports.isClosed = (stream) => {
  if (!isNodeStream(stream)) return null;
  if (typeof stream.closed === 'boolean') return stream.closed;
  const write = stream._writableState?.closed;
  const read = stream._readableState?.closed;
  if (typeof write === 'boolean' || typeof read === 'boolean') return write || read;
  return typeof stream._closed === 'boolean' && isOutgoingMessage(stream) ? stream._closed : null;
};

// Messages of an HTTP library are streams in name only; this is how they are told.
function isOutgoingMessage(stream) {
  return (
    typeof stream._defaultKeepAlive === 'boolean' &&
    typeof stream._removedConnection === 'boolean' &&
    typeof stream._removedContLen === 'boolean'
  );
}
exports.isServerRequest = (stream) =>
  typeof stream._consuming === 'boolean' &&
  stream.req?.upgradeOrConnect === undefined &&
  typeof stream._dumped === 'boolean';
exports.isRequest = (stream) => !!stream && !!stream.setHeader && isFunction(stream.abort);

exports.willEmitClose = (stream) => {
  if (!isNodeStream(stream)) return null;
  const state = stream._writableState || stream._readableState;
  if (!state) return typeof stream._sent100 === 'boolean' && isOutgoingMessage(stream);
  return !!(state.autoDestroy && state.emitClose && state.closed === false);
};

exports.isDisturbed = function isDisturbed(stream) {
  if (!stream) return false;
  return !!(markOf(stream, kDisturbed) ?? (stream.readableDidRead || stream.readableAborted));
};

exports.isErrored = function isErrored(stream) {
  if (!stream) return false;
  const { _readableState: read, _writableState: write } = stream;
  return !!(
    markOf(stream, kErrored) ??
    stream.readableErrored ??
    stream.writableErrored ??
    read?.errorEmitted ??
    write?.errorEmitted ??
    read?.errored ??
    write?.errored
  );
};
