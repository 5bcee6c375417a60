// Stream, the class beneath all others: an EventEmitter with the oldest pipe(), for streams that push and never wait.
const { ArrayIsArray, ArrayPrototypeUnshift, FunctionPrototypeCall, ObjectSetPrototypeOf } = primordials;
const EventEmitter = use('node:events').default;

function Stream(options) {
  FunctionPrototypeCall(EventEmitter, this, options);
}
ObjectSetPrototypeOf(Stream.prototype, EventEmitter.prototype);
ObjectSetPrototypeOf(Stream, EventEmitter);

/** Puts a listener before all others, also of emitters that cannot do so themselves. */
function prependListener(emitter, event, listener) {
  if (typeof emitter.prependListener === 'function') return emitter.prependListener(event, listener);
  const known = emitter._events?.[event];
  if (!known) emitter.on(event, listener);
  else if (ArrayIsArray(known)) ArrayPrototypeUnshift(known, listener);
  else emitter._events[event] = [listener, known];
  return emitter;
}

Stream.prototype.pipe = function pipe(destination, options) {
  const source = this;
  let over = false;

  const onData = (chunk) => {
    if (destination.writable && destination.write(chunk) === false && source.pause) source.pause();
  };
  const onDrain = () => {
    if (source.readable && source.resume) source.resume();
  };
  const onEnd = () => {
    if (over) return;
    over = true;
    destination.end();
  };
  const onClose = () => {
    if (over) return;
    over = true;
    if (typeof destination.destroy === 'function') destination.destroy();
  };
  function onError(error) {
    stop();
    if (EventEmitter.listenerCount(this, 'error') === 0) this.emit('error', error);
  }
  const stop = () => {
    source.removeListener('data', onData);
    destination.removeListener('drain', onDrain);
    source.removeListener('end', onEnd);
    source.removeListener('close', onClose);
    source.removeListener('error', onError);
    destination.removeListener('error', onError);
    source.removeListener('end', stop);
    source.removeListener('close', stop);
    destination.removeListener('close', stop);
  };

  source.on('data', onData);
  destination.on('drain', onDrain);
  if (!destination._isStdio && (!options || options.end !== false)) {
    source.on('end', onEnd);
    source.on('close', onClose);
  }
  prependListener(source, 'error', onError);
  prependListener(destination, 'error', onError);
  source.on('end', stop);
  source.on('close', stop);
  destination.on('close', stop);
  destination.emit('pipe', source);
  return destination;
};

exports.Stream = Stream;
exports.prependListener = prependListener;
