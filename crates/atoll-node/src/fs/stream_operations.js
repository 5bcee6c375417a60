// What a stream of a file does with node:fs. Reading and writing go to the threads that all operations go to. Files are
// opened and closed on the worker's own thread: a request that is over gets no more turns, and its client may leave at any
// time. So what waits can be hurried, and files are closed at once: only the callback waits. Otherwise descriptors would
// stay open for as long as the worker lives.
const { ReflectApply } = primordials;
const core = use('node/internal/fs/core');
const { default: fs } = use('node:fs');
const { callLater, run } = use('node/internal/fs/later');
const { originals } = use('node/internal/fs/stream_entry');
const process = use('node:process').default;
const { setImmediate } = use('web/timers');

const nothing = () => {};

/** What waits for its turn, or for a thread: `operation` is done here, where there is one. */
class Waiting {
  done = false;
  error = null;
  value = undefined;

  constructor(operation, callback) {
    this.operation = operation;
    this.callback = callback;
  }

  perform() {
    if (this.done) return;
    this.done = true;
    if (this.operation === null) return;
    try {
      this.value = run(this.operation);
    } catch (error) {
      this.error = error;
    }
  }
}

/** The functions of node:fs that a stream calls. Where a program has replaced one, that one is called. */
class Operations {
  #waiting = null; // whose callback is to come

  /** On this thread: the work in a turn of its own, and the callback in the one after. */
  #here(operation, callback) {
    const waiting = new Waiting(operation, callback);
    this.#waiting = waiting;
    setImmediate(() => {
      waiting.perform();
      setImmediate(() => this.#deliver(waiting));
    });
    return waiting;
  }

  /** On a thread of the pool. */
  #elsewhere(operation, callback) {
    const waiting = new Waiting(null, callback);
    this.#waiting = waiting;
    callLater(operation, (error, value) => {
      waiting.error = error;
      waiting.value = value;
      this.#deliver(waiting);
    });
  }

  #deliver(waiting) {
    const { callback, error, value } = waiting;
    if (callback === nothing) return;
    waiting.callback = nothing;
    if (this.#waiting === waiting) this.#waiting = null;
    callback(error, value);
  }

  /** Does what waits, and calls back in the next tick. What a thread does is not waited for: its outcome is dropped. */
  hurry() {
    const waiting = this.#waiting;
    if (waiting === null) return;
    waiting.perform();
    process.nextTick(() => this.#deliver(waiting));
  }

  open(...values) {
    if (fs.open !== originals.open) return ReflectApply(fs.open, fs, values);
    const { 0: path, 1: flags, 2: mode, 3: callback } = values;
    this.#here(core.open(path, flags, mode), callback);
  }

  read(...values) {
    if (fs.read !== originals.read) return ReflectApply(fs.read, fs, values);
    const { 0: fd, 1: buffer, 2: offset, 3: length, 4: position, 5: callback } = values;
    const { operation } = core.read(fd, buffer, offset, length, position);
    this.#elsewhere(operation, (error, bytesRead) => callback(error, bytesRead ?? 0, buffer));
  }

  write(...values) {
    if (fs.write !== originals.write) return ReflectApply(fs.write, fs, values);
    const { 0: fd, 1: buffer, 2: offset, 3: length, 4: position, 5: callback } = values;
    const { operation } = core.write(fd, buffer, offset, length, position);
    this.#elsewhere(operation, (error, bytesWritten) => callback(error, bytesWritten ?? 0, buffer));
  }

  writev(...values) {
    if (fs.writev !== originals.writev) return ReflectApply(fs.writev, fs, values);
    const { 0: fd, 1: buffers, 2: position, 3: callback } = values;
    const { operation } = core.writev(fd, buffers, position);
    this.#elsewhere(operation, (error, bytesWritten) => callback(error, bytesWritten ?? 0, buffers));
  }

  /** At once, also the callback. */
  fsync(...values) {
    if (fs.fsync !== originals.fsync) return ReflectApply(fs.fsync, fs, values);
    const { 0: fd, 1: callback } = values;
    const waiting = new Waiting(core.fsync(fd), callback);
    waiting.perform();
    return callback(waiting.error);
  }

  close(...values) {
    if (fs.close !== originals.close) return ReflectApply(fs.close, fs, values);
    const { 0: fd, 1: callback } = values;
    this.#here(core.close(fd), callback).perform();
  }
}

exports.Operations = Operations;
