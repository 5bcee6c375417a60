// fromWeb and toWeb: Node's streams as web streams, and the other way round.
const {
  ArrayPrototypePush,
  PromisePrototypeThen,
  PromiseResolve,
  PromiseWithResolvers,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  Uint8Array,
} = primordials;
const { AbortError, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE } = use('node/internal/errors');
const { validateBoolean, validateObject } = use('node/internal/validators');
const { Duplex } = use('node/internal/stream/duplex');
const { Readable } = use('node/internal/stream/readable');
const { Writable } = use('node/internal/stream/writable');
const { finished } = use('node/internal/stream/finished');
const { destroyAny } = use('node/internal/stream/lifecycle');
const { isDestroyed, isReadable, isReadableStream, isWritable, isWritableEnded, isWritableStream } =
  use('node/internal/stream/state');
const { ByteLengthQueuingStrategy, CountQueuingStrategy, ReadableStream, WritableStream } = use('web/streams');
const { Buffer } = use('node:buffer').default;
const process = use('node:process').default;

const nothing = () => {};

/** Calls back; what the callback throws is the program's, and no rejection. */
function answer(callback, error) {
  try {
    callback(error);
  } catch (thrown) {
    process.nextTick(() => {
      throw thrown;
    });
  }
}

/** Fulfilled when all of these promises are; rejected with the reason of the first, in their order, that is. */
async function settled(promises) {
  for (let index = 0; index < promises.length; index++) PromisePrototypeThen(promises[index], undefined, nothing);
  for (let index = 0; index < promises.length; index++) await promises[index];
}

function checkEncoding(encoding) {
  if (encoding !== undefined && !Buffer.isEncoding(encoding)) throw ERR_INVALID_ARG_VALUE('options.encoding', encoding);
}

// --- web to Node -----------------------------------------------------------------------------------------------------

/** What `_read` and `_destroy` of a Node stream do over a reader; `closed` tells whether the stream is over. */
function readsOf(reader, closed) {
  return {
    read() {
      PromisePrototypeThen(
        reader.read(),
        ({ value, done }) => this.push(done ? null : value),
        (error) => destroyAny(this, error),
      );
    },
    cancel(error, callback) {
      const done = () => answer(callback, error);
      if (closed()) done();
      else PromisePrototypeThen(reader.cancel(error), done, done);
    },
  };
}

exports.readableFromWeb = (readableStream, options = {}) => {
  if (!isReadableStream(readableStream)) {
    throw ERR_INVALID_ARG_TYPE('readableStream', 'ReadableStream', readableStream);
  }
  validateObject(options, 'options');
  const { highWaterMark, encoding, objectMode = false, signal } = options;
  checkEncoding(encoding);
  validateBoolean(objectMode, 'options.objectMode');
  const reader = readableStream.getReader();
  let closed = false;
  const { read, cancel } = readsOf(reader, () => closed);
  const readable = new Readable({
    __proto__: null,
    objectMode,
    highWaterMark,
    encoding,
    signal,
    read,
    destroy: cancel,
  });
  watchClosed(reader, readable, () => (closed = true));
  return readable;
};

/** Destroys `stream` when a reader or writer fails. */
function watchClosed(end, stream, onClosed) {
  PromisePrototypeThen(end.closed, onClosed, (error) => {
    onClosed();
    destroyAny(stream, error);
  });
}

/** What the methods of a Node stream do over a writer. */
function writesOf(writer, decodeStrings, objectMode, closed) {
  const whenReady = (act, callback) => {
    const done = (error) => answer(callback, error);
    PromisePrototypeThen(writer.ready, () => PromisePrototypeThen(act(), () => done(), done), done);
  };
  const bytesOf = (chunk, encoding) => {
    if (typeof chunk !== 'string' || !decodeStrings || objectMode) return chunk;
    return plainBytes(Buffer.from(chunk, encoding));
  };
  return {
    write(chunk, encoding, callback) {
      whenReady(() => writer.write(bytesOf(chunk, encoding)), callback);
    },
    writev(chunks, callback) {
      whenReady(() => {
        const writes = [];
        for (let index = 0; index < chunks.length; index++) {
          const { chunk, encoding } = chunks[index];
          ArrayPrototypePush(writes, writer.write(bytesOf(chunk, encoding)));
        }
        return settled(writes);
      }, callback);
    },
    final(callback) {
      const done = (error) => answer(callback, error);
      if (closed()) done();
      else PromisePrototypeThen(writer.close(), () => done(), done);
    },
    /** Ends the writing, without an error or with one. */
    abort(error, callback) {
      const done = () => answer(callback, error);
      if (closed()) done();
      else if (error !== null && error !== undefined) PromisePrototypeThen(writer.abort(error), done, done);
      else PromisePrototypeThen(writer.close(), done, done);
    },
  };
}

function plainBytes(buffer) {
  return new Uint8Array(
    TypedArrayPrototypeGetBuffer(buffer),
    TypedArrayPrototypeGetByteOffset(buffer),
    TypedArrayPrototypeGetByteLength(buffer),
  );
}

exports.writableFromWeb = (writableStream, options = {}) => {
  if (!isWritableStream(writableStream)) {
    throw ERR_INVALID_ARG_TYPE('writableStream', 'WritableStream', writableStream);
  }
  validateObject(options, 'options');
  const { highWaterMark, decodeStrings = true, objectMode = false, signal } = options;
  validateBoolean(objectMode, 'options.objectMode');
  validateBoolean(decodeStrings, 'options.decodeStrings');
  const writer = writableStream.getWriter();
  let closed = false;
  const { write, writev, final, abort } = writesOf(writer, decodeStrings, objectMode, () => closed);
  const writable = new Writable({
    __proto__: null,
    highWaterMark,
    objectMode,
    decodeStrings,
    signal,
    write,
    writev,
    final,
    destroy: abort,
  });
  watchClosed(writer, writable, () => (closed = true));
  return writable;
};

exports.duplexFromWeb = (pair, options = {}) => {
  validateObject(pair, 'pair');
  const { readable: readableStream, writable: writableStream } = pair;
  if (!isReadableStream(readableStream)) {
    throw ERR_INVALID_ARG_TYPE('pair.readable', 'ReadableStream', readableStream);
  }
  if (!isWritableStream(writableStream)) {
    throw ERR_INVALID_ARG_TYPE('pair.writable', 'WritableStream', writableStream);
  }
  validateObject(options, 'options');
  const { allowHalfOpen = false, objectMode = false, encoding, decodeStrings = true, highWaterMark, signal } = options;
  validateBoolean(objectMode, 'options.objectMode');
  checkEncoding(encoding);
  const writer = writableStream.getWriter();
  const reader = readableStream.getReader();
  let writableClosed = false;
  let readableClosed = false;
  const { write, writev, final } = writesOf(writer, decodeStrings, objectMode, () => writableClosed);
  const { read } = readsOf(reader, () => readableClosed);
  const duplex = new Duplex({
    __proto__: null,
    allowHalfOpen,
    highWaterMark,
    objectMode,
    encoding,
    decodeStrings,
    signal,
    read,
    write,
    writev,
    final,
    destroy(error, callback) {
      const ends = [];
      if (!writableClosed) ArrayPrototypePush(ends, writer.abort(error));
      if (!readableClosed) ArrayPrototypePush(ends, reader.cancel(error));
      const done = () => answer(callback, error);
      if (ends.length === 0) done();
      else PromisePrototypeThen(settled(ends), done, done);
    },
  });
  watchClosed(writer, duplex, () => (writableClosed = true));
  watchClosed(reader, duplex, () => (readableClosed = true));
  return duplex;
};

// --- Node to web -----------------------------------------------------------------------------------------------------

/** What web streams say when a Node stream was closed too early. */
function known(error) {
  return error?.code === 'ERR_STREAM_PREMATURE_CLOSE' ? new AbortError(undefined, { cause: error }) : error;
}

function readableToWeb(streamReadable, options = {}) {
  if (typeof streamReadable?._readableState !== 'object') {
    throw ERR_INVALID_ARG_TYPE('streamReadable', 'stream.Readable', streamReadable);
  }
  if (isDestroyed(streamReadable) || !isReadable(streamReadable)) {
    const ended = new ReadableStream();
    ended.cancel();
    return ended;
  }
  const { readableObjectMode: objectMode, readableHighWaterMark: highWaterMark } = streamReadable;
  const strategy =
    options.strategy ??
    (objectMode
      ? new CountQueuingStrategy({ __proto__: null, highWaterMark })
      : new ByteLengthQueuingStrategy({ __proto__: null, highWaterMark }));
  let controller;
  let canceled = false;
  const stopWatching = finished(streamReadable, (given) => {
    const error = known(given);
    stopWatching();
    streamReadable.on('error', nothing); // it has been told
    if (error) controller.error(error);
    else if (!canceled) controller.close();
  });
  streamReadable.pause();
  streamReadable.on('data', (chunk) => {
    controller.enqueue(chunk instanceof Buffer && !objectMode ? plainBytes(chunk) : chunk);
    if (controller.desiredSize <= 0) streamReadable.pause();
  });
  return new ReadableStream(
    {
      __proto__: null,
      start(given) {
        controller = given;
      },
      pull() {
        streamReadable.resume();
      },
      cancel(reason) {
        canceled = true;
        destroyAny(streamReadable, reason);
      },
    },
    strategy,
  );
}

function writableToWeb(streamWritable) {
  if (typeof streamWritable?._writableState !== 'object') {
    throw ERR_INVALID_ARG_TYPE('streamWritable', 'stream.Writable', streamWritable);
  }
  if (isDestroyed(streamWritable) || !isWritable(streamWritable)) {
    const ended = new WritableStream();
    ended.close();
    return ended;
  }
  const { writableObjectMode: objectMode, writableHighWaterMark: highWaterMark } = streamWritable;
  const strategy = objectMode
    ? new CountQueuingStrategy({ __proto__: null, highWaterMark })
    : { __proto__: null, highWaterMark };
  let controller;
  let drained; // of a write that waits for room
  let closed; // of close(), until 'finish'
  const onDrain = () => drained?.resolve();
  const stopWatching = finished(streamWritable, (given) => {
    const error = known(given);
    stopWatching();
    streamWritable.on('error', nothing); // it has been told
    if (error !== null && error !== undefined) {
      drained?.reject(error);
      closed?.reject(error);
      closed = undefined;
      controller.error(error);
    } else if (closed !== undefined) {
      closed.resolve();
      closed = undefined;
    } else {
      controller.error(new AbortError());
    }
  });
  streamWritable.on('drain', onDrain);
  return new WritableStream(
    {
      __proto__: null,
      start(given) {
        controller = given;
      },
      write(chunk) {
        if (streamWritable.write(chunk)) return undefined;
        drained = PromiseWithResolvers();
        return PromisePrototypeThen(drained.promise, () => {
          drained = undefined;
        });
      },
      abort(reason) {
        destroyAny(streamWritable, reason);
      },
      close() {
        if (closed !== undefined || isWritableEnded(streamWritable)) return PromiseResolve();
        closed = PromiseWithResolvers();
        streamWritable.end();
        return closed.promise;
      },
    },
    strategy,
  );
}

exports.readableToWeb = readableToWeb;
exports.writableToWeb = writableToWeb;
exports.duplexToWeb = (duplex) => {
  if (typeof duplex?._writableState !== 'object' || typeof duplex?._readableState !== 'object') {
    throw ERR_INVALID_ARG_TYPE('duplex', 'stream.Duplex', duplex);
  }
  const over = isDestroyed(duplex);
  let writable;
  if (over || !isWritable(duplex)) {
    writable = new WritableStream();
    writable.close();
  } else {
    writable = writableToWeb(duplex);
  }
  let readable;
  if (over || !isReadable(duplex)) {
    readable = new ReadableStream();
    readable.cancel();
  } else {
    readable = readableToWeb(duplex);
  }
  return { readable, writable };
};
