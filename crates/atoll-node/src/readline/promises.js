// node:readline/promises.
const { ArrayPrototypeJoin, ArrayPrototypePush, Promise } = primordials;
const { ERR_INVALID_ARG_TYPE } = use('node/internal/errors');
const { validateAbortSignal, validateBoolean, validateInteger } = use('node/internal/validators');
const { abortError, onAbort } = use('node/internal/stream/abort');
const { isWritable } = use('node/internal/stream/state');
const { Interface: Base, ask, cancelQuestion } = use('node/internal/readline/interface');
const { CLEAR_BELOW, clearOf, moveBy, moveTo } = use('node/internal/readline/cursor');
const process = use('node:process').default;

class Interface extends Base {
  constructor(input, output, completer, terminal) {
    super(input, output, completer, terminal);
  }

  /** A promise of the next line; rejects with an AbortError when `options.signal` takes the question back. */
  question(query, options = {}) {
    return new Promise((resolve, reject) => {
      const { signal } = options;
      if (!signal) {
        ask(this, query, resolve);
        return;
      }
      validateAbortSignal(signal, 'options.signal');
      if (signal.aborted) {
        reject(abortError(signal));
        return;
      }
      const stop = onAbort(signal, () => {
        cancelQuestion(this);
        reject(abortError(signal));
      });
      ask(this, query, (answer) => {
        stop();
        resolve(answer);
      });
    });
  }
}

/** Movements of a terminal's cursor that are written together. */
class Readline {
  #stream;
  #autoCommit = false;
  #actions = [];

  constructor(stream, options = undefined) {
    if (!isWritable(stream)) throw ERR_INVALID_ARG_TYPE('stream', 'Writable', stream);
    this.#stream = stream;
    if (options?.autoCommit !== undefined && options.autoCommit !== null) {
      validateBoolean(options.autoCommit, 'options.autoCommit');
      this.#autoCommit = options.autoCommit;
    }
  }

  #add(text) {
    if (this.#autoCommit) process.nextTick(() => this.#stream.write(text));
    else ArrayPrototypePush(this.#actions, text);
    return this;
  }

  cursorTo(x, y = undefined) {
    validateInteger(x, 'x');
    if (y !== undefined && y !== null) validateInteger(y, 'y');
    return this.#add(moveTo(x, y));
  }

  moveCursor(dx, dy) {
    if (!dx && !dy) return this;
    validateInteger(dx, 'dx');
    validateInteger(dy, 'dy');
    return this.#add(moveBy(dx, dy));
  }

  clearLine(direction) {
    validateInteger(direction, 'dir', -1, 1);
    return this.#add(clearOf(direction));
  }

  clearScreenDown() {
    return this.#add(CLEAR_BELOW);
  }

  commit() {
    return new Promise((resolve) => {
      this.#stream.write(ArrayPrototypeJoin(this.#actions, ''), resolve);
      this.#actions = [];
    });
  }

  rollback() {
    this.#actions = [];
    return this;
  }
}

function createInterface(input, output, completer, terminal) {
  return new Interface(input, output, completer, terminal);
}

exports.default = { Interface, Readline, createInterface };
