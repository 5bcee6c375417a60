// stream.Transform: a duplex stream whose output is made of its input, and PassThrough, whose output is its input.
const { FunctionPrototypeCall, ObjectSetPrototypeOf, Symbol } = primordials;
const { ERR_METHOD_NOT_IMPLEMENTED } = use('node/internal/errors');
const { Duplex } = use('node/internal/stream/duplex');
const { highWaterMarkFrom } = use('node/internal/stream/state');
const process = use('node:process').default;

const kCallback = Symbol('kCallback'); // of a write that waits until the output is read

function Transform(options) {
  if (!(this instanceof Transform)) return new Transform(options);
  // Nothing is buffered on the readable side if that is to be so on either side.
  let given = options;
  if (
    options &&
    highWaterMarkFrom(options, !!options.readableObjectMode || !!options.objectMode, 'readableHighWaterMark', true) ===
      0
  ) {
    given = {
      __proto__: null,
      ...options,
      highWaterMark: null,
      readableHighWaterMark: 0,
      writableHighWaterMark: options.writableHighWaterMark || 0,
    };
  }
  FunctionPrototypeCall(Duplex, this, given);
  this._readableState.sync = false; // it has no work of its own to do in _read
  this[kCallback] = null;
  if (options) {
    if (typeof options.transform === 'function') this._transform = options.transform;
    if (typeof options.flush === 'function') this._flush = options.flush;
  }
  // Those that override _final get their flush here.
  this.on('prefinish', onPrefinish);
}
ObjectSetPrototypeOf(Transform.prototype, Duplex.prototype);
ObjectSetPrototypeOf(Transform, Duplex);

const { prototype } = Transform;

function callFlush(stream, callback) {
  if (typeof stream._flush !== 'function' || stream.destroyed) {
    stream.push(null);
    callback?.();
    return;
  }
  stream._flush((error, data) => {
    if (error) {
      if (callback) callback(error);
      else stream.destroy(error);
      return;
    }
    if (data !== null && data !== undefined) stream.push(data);
    stream.push(null);
    callback?.();
  });
}

function flushAtEnd(callback) {
  callFlush(this, callback);
}
prototype._final = flushAtEnd;

function onPrefinish() {
  if (this._final !== flushAtEnd) callFlush(this);
}

prototype._transform = function _transform() {
  throw ERR_METHOD_NOT_IMPLEMENTED('_transform()');
};

prototype._write = function _write(chunk, encoding, callback) {
  const read = this._readableState;
  const write = this._writableState;
  const { length } = read;
  this._transform(chunk, encoding, (error, data) => {
    if (error) {
      callback(error);
      return;
    }
    if (data !== null && data !== undefined) this.push(data);
    // More input is taken while it gives no output, or there is room for more of that.
    if (read.ended) process.nextTick(callback);
    else if (write.ended || length === read.length || read.length < read.highWaterMark) callback();
    else this[kCallback] = callback;
  });
};

prototype._read = function _read() {
  const callback = this[kCallback];
  if (!callback) return;
  this[kCallback] = null;
  callback();
};

function PassThrough(options) {
  if (!(this instanceof PassThrough)) return new PassThrough(options);
  FunctionPrototypeCall(Transform, this, options);
}
ObjectSetPrototypeOf(PassThrough.prototype, Transform.prototype);
ObjectSetPrototypeOf(PassThrough, Transform);
PassThrough.prototype._transform = function _transform(chunk, encoding, callback) {
  callback(null, chunk);
};

exports.PassThrough = PassThrough;
exports.Transform = Transform;
