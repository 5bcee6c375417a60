// What a stream of a file does with node:fs. An operation is done in a later turn, as node:fs does it; but a request
// that is over gets no more turns, and its client may leave at any time. So what waits can be hurried, and files are
// closed at once: only the callback waits. Otherwise descriptors would stay open for as long as the worker lives.
const { ReflectApply } = primordials;
const core = use('node/internal/fs/core');
const { default: fs, later } = use('node:fs');
const { originals } = use('node/internal/fs/stream_entry');
const process = use('node:process').default;

const nothing = () => {};

function perform(operation) {
  if (operation.done) return;
  operation.done = true;
  try {
    operation.value = operation.work();
  } catch (error) {
    operation.error = error;
  }
}

/** The functions of node:fs that a stream calls. Where a program has replaced one, that one is called. */
class Operations {
  #waiting = null; // the operation whose callback is to come

  #start(work, callback) {
    const operation = { __proto__: null, work, callback, done: false, error: null, value: undefined };
    this.#waiting = operation;
    later(
      () => perform(operation),
      () => this.#deliver(operation),
    );
    return operation;
  }

  #deliver(operation) {
    const { callback, error, value } = operation;
    if (callback === nothing) return;
    operation.callback = nothing;
    if (this.#waiting === operation) this.#waiting = null;
    callback(error, value);
  }

  /** Does what waits, and calls back in the next tick. */
  hurry() {
    const operation = this.#waiting;
    if (operation === null) return;
    perform(operation);
    process.nextTick(() => this.#deliver(operation));
  }

  open(...values) {
    if (fs.open !== originals.open) return ReflectApply(fs.open, fs, values);
    const { 0: path, 1: flags, 2: mode, 3: callback } = values;
    return this.#start(core.open(path, flags, mode), callback);
  }

  read(...values) {
    if (fs.read !== originals.read) return ReflectApply(fs.read, fs, values);
    const { 0: fd, 1: buffer, 2: offset, 3: length, 4: position, 5: callback } = values;
    const { work } = core.readRange(fd, buffer, offset, length, position);
    return this.#start(work, (error, bytesRead) => callback(error, bytesRead ?? 0, buffer));
  }

  write(...values) {
    if (fs.write !== originals.write) return ReflectApply(fs.write, fs, values);
    const { 0: fd, 1: buffer, 2: offset, 3: length, 4: position, 5: callback } = values;
    const { work } = core.writeRange(fd, buffer, offset, length, position);
    return this.#start(work, (error, bytesWritten) => callback(error, bytesWritten ?? 0, buffer));
  }

  writev(...values) {
    if (fs.writev !== originals.writev) return ReflectApply(fs.writev, fs, values);
    const { 0: fd, 1: buffers, 2: position, 3: callback } = values;
    const work = core.writev(fd, buffers, position);
    return this.#start(work, (error, bytesWritten) => callback(error, bytesWritten ?? 0, buffers));
  }

  /** At once, also the callback. */
  fsync(...values) {
    if (fs.fsync !== originals.fsync) return ReflectApply(fs.fsync, fs, values);
    const { 0: fd, 1: callback } = values;
    const operation = { __proto__: null, work: core.fsync(fd), done: false, error: null, value: undefined };
    perform(operation);
    return callback(operation.error);
  }

  close(...values) {
    if (fs.close !== originals.close) return ReflectApply(fs.close, fs, values);
    const { 0: fd, 1: callback } = values;
    return perform(this.#start(core.close(fd), callback));
  }
}

exports.Operations = Operations;
