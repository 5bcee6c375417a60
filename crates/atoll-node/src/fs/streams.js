// ReadStream and WriteStream: files as streams, over the functions of node:fs or those that the program gives instead.
const {
  ArrayPrototypeUnshift,
  Error,
  FunctionPrototypeCall,
  ObjectDefineProperties,
  ObjectSetPrototypeOf,
  PromisePrototypeThen,
  ReflectApply,
  SafeSet,
  Symbol,
  TypedArrayPrototypeGetLength,
} = primordials;
const { ERR_INVALID_ARG_TYPE, ERR_METHOD_NOT_IMPLEMENTED, ERR_OUT_OF_RANGE, ERR_STREAM_DESTROYED } =
  use('node/internal/errors');
const { validateBoolean, validateFunction, validateInteger } = use('node/internal/validators');
const { toDescriptor, toOptions, toPath } = use('node/internal/fs/arguments');
const { partOf } = use('node/internal/stream/state');
const { Readable } = use('node/internal/stream/readable');
const { Writable } = use('node/internal/stream/writable');
const { finished } = use('node/internal/stream/finished');
const { errorOrDestroy, kHurry } = use('node/internal/stream/lifecycle');
const { Buffer } = use('node:buffer').default;
const { deprecate } = use('node:util').default;
const { Operations } = use('node/internal/fs/stream_operations');
const process = use('node:process').default;

const READ_BYTES = 64 * 1024; // asked for at once, as in Node
const MAX_EMPTY_WRITES = 5; // in a row, before a file that takes nothing is given up
const FILE_MODE = 0o666;
const kFs = Symbol('kFs');
const kBusy = Symbol('kIsPerformingIO');
const kIdle = Symbol('kIoDone'); // event: the operation that the end of the stream waits for is over

const retain = (handle) => use('node:fs/promises').retain(handle);
const release = (handle) => use('node:fs/promises').release(handle);

/** A FileHandle's methods as functions with a callback. */
function operationsOf(handle) {
  return {
    __proto__: null,
    open() {
      throw ERR_METHOD_NOT_IMPLEMENTED('open()');
    },
    close(fd, callback) {
      const closed = handle.close();
      release(handle);
      PromisePrototypeThen(closed, () => callback(), callback);
    },
    fsync(fd, callback) {
      PromisePrototypeThen(handle.sync(), () => callback(), callback);
    },
    read(fd, buffer, offset, length, position, callback) {
      PromisePrototypeThen(
        handle.read(buffer, offset, length, position),
        (result) => callback(null, result.bytesRead, result.buffer),
        (error) => callback(error, 0, buffer),
      );
    },
    write(fd, buffer, offset, length, position, callback) {
      PromisePrototypeThen(
        handle.write(buffer, offset, length, position),
        (result) => callback(null, result.bytesWritten, result.buffer),
        (error) => callback(error, 0, buffer),
      );
    },
    writev(fd, buffers, position, callback) {
      PromisePrototypeThen(
        handle.writev(buffers, position),
        (result) => callback(null, result.bytesWritten, result.buffers),
        (error) => callback(error, 0, buffers),
      );
    },
  };
}

/** Takes over the path, or the open file, that the stream is to work on. */
function attach(stream, path, options, flags) {
  const { fd } = options;
  if (fd === undefined || fd === null) {
    stream.fd = null;
    stream[kFs] = options.fs || new Operations();
    validateFunction(stream[kFs].open, 'options.fs.open');
    stream.path = toPath(path);
    stream.flags = options.flags === undefined ? flags : options.flags;
    stream.mode = options.mode === undefined ? FILE_MODE : options.mode;
  } else if (typeof fd === 'number') {
    stream[kFs] = options.fs || new Operations();
    stream.fd = toDescriptor(fd);
  } else if (fd instanceof use('node:fs/promises').FileHandle) {
    if (options.fs) throw ERR_METHOD_NOT_IMPLEMENTED('FileHandle with fs');
    stream.fd = toDescriptor(fd.fd);
    stream[kFs] = operationsOf(fd);
    retain(fd);
    fd.on('close', () => stream.close());
  } else {
    throw ERR_INVALID_ARG_TYPE('options.fd', ['number', 'FileHandle'], fd);
  }
}

function optionsOf(given) {
  const options = toOptions(given, { __proto__: null });
  options.autoDestroy ??= options.autoClose === undefined ? true : options.autoClose;
  return options;
}

/** `stream._construct`: opens the file. */
function construct(callback) {
  if (typeof this.fd === 'number') {
    callback();
    return;
  }
  if (!ownOpens.has(this.open)) {
    openByProgram(this, callback);
    return;
  }
  this[kFs].open(this.path, this.flags, this.mode, (error, fd) => {
    if (error) {
      callback(error);
      return;
    }
    this.fd = fd;
    callback();
    this.emit('open', this.fd);
    this.emit('ready');
  });
  if (this.destroyed) this[kHurry]();
}

/** Some packages replace `open`, and tell by events what came of it. */
function openByProgram(stream, callback) {
  const { emit } = stream;
  stream.emit = function (event, ...values) {
    if (event === 'error') {
      stream.emit = emit;
      callback(values[0]);
      return true;
    }
    if (event === 'open') {
      stream.emit = emit;
      callback();
    }
    ArrayPrototypeUnshift(values, event);
    return ReflectApply(emit, stream, values);
  };
  stream.open();
}

// What `open` is where no program has replaced it.
const ownOpens = new SafeSet();
function ignoreOpen() {}

/** `stream._destroy`: closes the file when nothing is being read or written any more. */
function destroy(error, callback) {
  if (!this[kBusy]) {
    flushAndClose(this, error, callback);
    return;
  }
  this.once(kIdle, (failure) => flushAndClose(this, error || failure, callback));
  this[kHurry]();
}

function hurry() {
  this[kFs].hurry?.();
}

function flushAndClose(stream, error, callback) {
  if (!stream.fd) callback(error);
  else if (stream.flush) stream[kFs].fsync(stream.fd, (failure) => close(stream, error || failure, callback));
  else close(stream, error, callback);
}

function close(stream, error, callback) {
  stream[kFs].close(stream.fd, (failure) => callback(failure || error));
  stream.fd = null;
}

/** Ends an operation; true when the stream was destroyed meanwhile, and waits for that. */
function goIdle(stream, error) {
  stream[kBusy] = false;
  if (stream.destroyed) stream.emit(kIdle, error);
  return stream.destroyed;
}

function defineShared(prototype, name, autoClose) {
  ObjectDefineProperties(prototype, {
    __proto__: null,
    autoClose: {
      __proto__: null,
      get() {
        return this[autoClose].autoDestroy;
      },
      set(value) {
        this[autoClose].autoDestroy = value;
      },
    },
    pending: {
      __proto__: null,
      configurable: true,
      get() {
        return this.fd === null;
      },
    },
  });
  prototype.open = deprecate(ignoreOpen, `${name}.prototype.open() is deprecated`, 'DEP0135');
  ownOpens.add(prototype.open);
  prototype._construct = construct;
  prototype._destroy = destroy;
  prototype[kHurry] = hurry;
}

// --- reading ---------------------------------------------------------------------------------------------------------

function ReadStream(path, given) {
  if (!(this instanceof ReadStream)) return new ReadStream(path, given);
  const options = optionsOf(given);
  if (options.highWaterMark === undefined) options.highWaterMark = READ_BYTES;
  attach(this, path, options, 'r');
  validateFunction(this[kFs].read, 'options.fs.read');
  if (options.autoDestroy) validateFunction(this[kFs].close, 'options.fs.close');
  this.start = options.start;
  this.end = options.end ?? Infinity;
  this.pos = undefined;
  this.bytesRead = 0;
  this[kBusy] = false;
  if (this.start !== undefined) {
    validateInteger(this.start, 'start', 0);
    this.pos = this.start;
  }
  if (this.end !== Infinity) {
    validateInteger(this.end, 'end', 0);
    if (this.start !== undefined && this.start > this.end) {
      throw ERR_OUT_OF_RANGE('start', `<= "end" (here: ${this.end})`, this.start);
    }
  }
  FunctionPrototypeCall(Readable, this, options);
}
ObjectSetPrototypeOf(ReadStream.prototype, Readable.prototype);
ObjectSetPrototypeOf(ReadStream, Readable);
defineShared(ReadStream.prototype, 'ReadStream', '_readableState');

ReadStream.prototype._read = function _read(size) {
  const left = this.pos !== undefined ? this.end - this.pos + 1 : this.end - this.bytesRead + 1;
  const length = left < size ? left : size;
  if (length <= 0) {
    this.push(null);
    return;
  }
  const buffer = Buffer.allocUnsafeSlow(length);
  this[kBusy] = true;
  this[kFs].read(this.fd, buffer, 0, length, this.pos, (error, bytesRead, filled) => {
    if (goIdle(this, error)) return;
    if (error) {
      errorOrDestroy(this, error);
      return;
    }
    if (bytesRead <= 0) {
      this.push(null);
      return;
    }
    if (this.pos !== undefined) this.pos += bytesRead;
    this.bytesRead += bytesRead;
    // A short read gets memory of its size: the rest of a large buffer would live as long as the chunk.
    this.push(bytesRead === TypedArrayPrototypeGetLength(filled) ? filled : Buffer.from(partOf(filled, 0, bytesRead)));
  });
};

ReadStream.prototype.close = function (callback) {
  if (typeof callback === 'function') finished(this, callback);
  this.destroy();
};

// --- writing ---------------------------------------------------------------------------------------------------------

function WriteStream(path, given) {
  if (!(this instanceof WriteStream)) return new WriteStream(path, given);
  const options = optionsOf(given);
  options.decodeStrings = true; // files are written bytes
  attach(this, path, options, 'w');
  const { [kFs]: operations } = this;
  if (!operations.write && !operations.writev) {
    throw ERR_INVALID_ARG_TYPE('options.fs.write', 'function', operations.write);
  }
  if (operations.write) validateFunction(operations.write, 'options.fs.write');
  if (operations.writev) validateFunction(operations.writev, 'options.fs.writev');
  if (options.autoDestroy) validateFunction(operations.close, 'options.fs.close');
  this.flush = options.flush ?? false;
  validateBoolean(this.flush, 'options.flush');
  if (this.flush) validateFunction(operations.fsync, 'options.fs.fsync');
  if (!operations.write) this._write = null;
  if (!operations.writev) this._writev = null;
  this.start = options.start;
  this.pos = undefined;
  this.bytesWritten = 0;
  this[kBusy] = false;
  if (this.start !== undefined) {
    validateInteger(this.start, 'start', 0);
    this.pos = this.start;
  }
  FunctionPrototypeCall(Writable, this, options);
  if (options.encoding) this.setDefaultEncoding(options.encoding);
}
ObjectSetPrototypeOf(WriteStream.prototype, Writable.prototype);
ObjectSetPrototypeOf(WriteStream, Writable);
defineShared(WriteStream.prototype, 'WriteStream', '_writableState');

/**
 * Writes all of `size` bytes: `write(position, callback)` writes some of what is left, and `advance(count)` takes off
 * what was written.
 */
function writeWhole(stream, size, start, write, advance, callback) {
  let left = size;
  let position = start;
  let empty = 0;
  const next = () =>
    write(position, (error, bytesWritten) => {
      const again = error?.code === 'EAGAIN';
      if (stream.destroyed || (error && !again)) {
        callback(error || ERR_STREAM_DESTROYED('write'));
        return;
      }
      const count = again ? 0 : bytesWritten;
      stream.bytesWritten += count;
      left -= count;
      if (position !== undefined) position += count;
      empty = count > 0 ? 0 : empty + 1;
      if (left <= 0) {
        callback();
      } else if (empty > MAX_EMPTY_WRITES) {
        callback(new Error('write failed'));
      } else {
        advance(count);
        next();
      }
    });
  next();
}

function startWriting(stream, size, write, advance, callback) {
  stream[kBusy] = true;
  writeWhole(stream, size, stream.pos, write, advance, (error) => {
    stream[kBusy] = false;
    callback(error);
    if (stream.destroyed) stream.emit(kIdle, error);
  });
  if (stream.pos !== undefined) stream.pos += size;
}

WriteStream.prototype._write = function _write(data, encoding, callback) {
  let rest = data;
  startWriting(
    this,
    TypedArrayPrototypeGetLength(data),
    (position, done) => this[kFs].write(this.fd, rest, 0, TypedArrayPrototypeGetLength(rest), position, done),
    (count) => (rest = partOf(rest, count, TypedArrayPrototypeGetLength(rest))),
    callback,
  );
};

WriteStream.prototype._writev = function _writev(data, callback) {
  const buffers = [];
  let size = 0;
  for (let index = 0; index < data.length; index++) {
    const { chunk } = data[index];
    buffers[index] = chunk;
    size += TypedArrayPrototypeGetLength(chunk);
  }
  let rest = buffers;
  startWriting(
    this,
    size,
    (position, done) => this[kFs].writev(this.fd, rest, position, done),
    (count) => {
      const all = Buffer.concat(rest);
      rest = [partOf(all, count, TypedArrayPrototypeGetLength(all))];
    },
    callback,
  );
};

WriteStream.prototype.close = function (callback) {
  if (callback) {
    if (this.closed) {
      process.nextTick(callback);
      return;
    }
    this.on('close', callback);
  }
  if (!this.autoClose) this.on('finish', this.destroy);
  this.end();
};
WriteStream.prototype.destroySoon = WriteStream.prototype.end;

exports.ReadStream = ReadStream;
exports.WriteStream = WriteStream;
