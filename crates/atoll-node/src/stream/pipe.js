// Readable.prototype.pipe and unpipe: what flows out of one stream is written to others. The source pauses while any of
// them is full.
const { ArrayPrototypeIndexOf, ArrayPrototypePush, ArrayPrototypeSplice, SafeSet, SetPrototypeGetSize } = primordials;
const { prependListener } = use('node/internal/stream/legacy');
const { errorOrDestroy } = use('node/internal/stream/lifecycle');
const process = use('node:process').default;

exports.pipe = function pipe(destination, options) {
  const source = this;
  const state = source._readableState;
  if (state.pipes.length === 1 && !state.multiAwaitDrain) {
    state.multiAwaitDrain = true;
    const full = state.awaitDrainWriters;
    state.awaitDrainWriters = new SafeSet();
    if (full) state.awaitDrainWriters.add(full);
  }
  ArrayPrototypePush(state.pipes, destination);

  const ends = options?.end !== false && !isStandardStream(destination);
  const onSourceEnd = ends ? () => destination.end() : leave;
  if (state.endEmitted) process.nextTick(onSourceEnd);
  else source.once('end', onSourceEnd);

  let onDrain;
  let left = false;

  function leave() {
    source.unpipe(destination);
  }
  function onUnpipe(readable, info) {
    if (readable !== source || !info || info.hasUnpiped !== false) return;
    info.hasUnpiped = true;
    cleanUp();
  }
  function cleanUp() {
    destination.removeListener('close', onClose);
    destination.removeListener('finish', onFinish);
    if (onDrain) destination.removeListener('drain', onDrain);
    destination.removeListener('error', onError);
    destination.removeListener('unpipe', onUnpipe);
    source.removeListener('end', onSourceEnd);
    source.removeListener('end', leave);
    source.removeListener('data', onData);
    left = true;
    // Others that read from the source must not wait for one that has left.
    if (onDrain && state.awaitDrainWriters && (!destination._writableState || destination._writableState.needDrain))
      onDrain();
  }
  function wait() {
    if (!left) {
      if (state.pipes.length === 1 && state.pipes[0] === destination) {
        state.awaitDrainWriters = destination;
        state.multiAwaitDrain = false;
      } else if (state.pipes.length > 1 && ArrayPrototypeIndexOf(state.pipes, destination) !== -1) {
        state.awaitDrainWriters.add(destination);
      }
      source.pause();
    }
    if (!onDrain) {
      onDrain = drainOf(source, destination);
      destination.on('drain', onDrain);
    }
  }
  function onData(chunk) {
    if (destination.write(chunk) === false) wait();
  }
  function onError(error) {
    leave();
    destination.removeListener('error', onError);
    if (destination.listenerCount('error') > 0) return;
    const itsState = destination._writableState || destination._readableState;
    if (itsState && !itsState.errorEmitted)
      errorOrDestroy(destination, error); // nobody has heard of it
    else destination.emit('error', error);
  }
  function onClose() {
    destination.removeListener('finish', onFinish);
    leave();
  }
  function onFinish() {
    destination.removeListener('close', onClose);
    leave();
  }

  destination.on('unpipe', onUnpipe);
  source.on('data', onData);
  prependListener(destination, 'error', onError);
  destination.once('close', onClose);
  destination.once('finish', onFinish);
  destination.emit('pipe', source);
  if (destination.writableNeedDrain === true) wait();
  else if (!state.flowing) source.resume();
  return destination;
};

function isStandardStream(stream) {
  return stream._isStdio === true && (stream === process.stdout || stream === process.stderr);
}

/** For when a full destination has room again. */
function drainOf(source, destination) {
  return () => {
    const state = source._readableState;
    if (state.awaitDrainWriters === destination) state.awaitDrainWriters = null;
    else if (state.multiAwaitDrain) state.awaitDrainWriters.delete(destination);
    const nobody =
      !state.awaitDrainWriters || (state.multiAwaitDrain && SetPrototypeGetSize(state.awaitDrainWriters) === 0);
    if (nobody && source.listenerCount('data') > 0) source.resume();
  };
}

exports.unpipe = function unpipe(destination) {
  const state = this._readableState;
  if (state.pipes.length === 0) return this;
  if (!destination) {
    const all = state.pipes;
    state.pipes = [];
    this.pause();
    for (let index = 0; index < all.length; index++) all[index].emit('unpipe', this, { hasUnpiped: false });
    return this;
  }
  const index = ArrayPrototypeIndexOf(state.pipes, destination);
  if (index === -1) return this;
  ArrayPrototypeSplice(state.pipes, index, 1);
  if (state.pipes.length === 0) this.pause();
  destination.emit('unpipe', this, { hasUnpiped: false });
  return this;
};
