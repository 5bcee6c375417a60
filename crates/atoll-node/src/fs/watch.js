// fs.watch and fs.promises.watch.
const {
  ArrayPrototypePush, ArrayPrototypeShift, Promise, StringPrototypeLastIndexOf, StringPrototypeSlice, TypedArrayPrototypeGetLength,
  TypedArrayPrototypeSubarray,
} = primordials;
const { AbortError, ERR_INVALID_ARG_VALUE } = use('node/internal/errors');
const { validateAbortSignal, validateBoolean, validateObject } = use('node/internal/validators');
const { toOptions, toPath } = use('node/internal/fs/arguments');
const { encoded } = use('node/internal/fs/core');
const { RENAME, watchObject } = use('node/internal/fs/watch_events');
const { Buffer } = use('node:buffer');
const EventEmitter = use('node:events').default;
const process = use('node:process').default;

const SLASH = 47;

// Events that an iterator keeps while nobody asks for them, as many as newer releases of Node keep; more are dropped.
const MAX_KEPT_EVENTS = 2048;

/** What follows the last slash of a path, which is how an object's own events name it. */
function lastName(path) {
  if (typeof path === 'string') return StringPrototypeSlice(path, StringPrototypeLastIndexOf(path, '/') + 1);
  let start = TypedArrayPrototypeGetLength(path);
  while (start > 0 && path[start - 1] !== SLASH) start--;
  return TypedArrayPrototypeSubarray(path, start);
}

/** Has `emit(eventType, filename)` called for what happens there. Returns what `close()`, `ref()` and `unref()` are called on. */
function open(path, persistent, recursive, encoding, emit, fail) {
  const named = (type, name) => emit(type, name === null ? null : encoded(name, encoding));
  if (recursive) return use('node/internal/fs/watch_tree').openTree(path, persistent, named, fail);
  const own = lastName(path);
  const told = (flags, name, lost) => named(flags & RENAME ? 'rename' : 'change', lost ? null : name ?? own);
  try {
    return watchObject(path, persistent, told);
  } catch (error) {
    error.filename = path;
    throw error;
  }
}

let startWatcher;

class FSWatcher extends EventEmitter {
  #source = null;

  static {
    startWatcher = (watcher, path, options) => {
      const { persistent = true, recursive, encoding } = options;
      const emit = (type, name) => {
        if (watcher.#source !== null) watcher.emit('change', type, name);
      };
      const fail = (error) => watcher.emit('error', error);
      watcher.#source = open(path, persistent === true, recursive, encoding, emit, fail);
    };
  }

  /** Kept by Node for old programs; does nothing. */
  start() {}

  close() {
    if (this.#source === null) return;
    this.#source.close();
    this.#source = null;
    process.nextTick(emitClose, this);
  }

  ref() {
    this.#source?.ref();
    return this;
  }

  unref() {
    this.#source?.unref();
    return this;
  }
}

function emitClose(watcher) {
  watcher.emit('close');
}

exports.watch = (filename, value, callback) => {
  const listener = typeof value === 'function' ? value : callback;
  const options = toOptions(value);
  const path = toPath(filename);
  const { signal, recursive } = options;
  if (recursive) {
    validateBoolean(recursive, 'options.recursive');
    if (options.persistent !== undefined && options.persistent !== null) validateBoolean(options.persistent, 'options.persistent');
    if (signal !== undefined && signal !== null) validateAbortSignal(signal, 'options.signal');
    requireText(options.encoding);
  }
  const watcher = new FSWatcher();
  startWatcher(watcher, path, options);
  if (listener) watcher.addListener('change', listener);
  if (signal) {
    const close = () => watcher.close();
    if (signal.aborted) {
      process.nextTick(close);
    } else {
      signal.addEventListener('abort', close);
      watcher.once('close', () => signal.removeEventListener('abort', close));
    }
  }
  return watcher;
};

function requireText(encoding) {
  if (encoding !== undefined && encoding !== null && typeof encoding !== 'string') {
    throw ERR_INVALID_ARG_VALUE('options.encoding', encoding);
  }
}

/** What happens there, for as long as it is asked for. */
exports.watchAsync = async function* watch(filename, options = {}) {
  validateObject(options, 'options');
  const { recursive = false, persistent = true, encoding = 'utf8', signal } = options;
  if (recursive !== null) validateBoolean(recursive, 'options.recursive');
  const path = toPath(filename);
  validateBoolean(persistent, 'options.persistent');
  validateAbortSignal(signal, 'options.signal');
  if (recursive) requireText(encoding);
  if (encoding && encoding !== 'buffer' && !Buffer.isEncoding(encoding)) {
    // Node has the value in the name's place.
    throw ERR_INVALID_ARG_VALUE(encoding, 'encoding', 'is invalid encoding');
  }
  const kept = [];
  let failure;
  let wake;
  const emit = (eventType, name) => {
    if (kept.length < MAX_KEPT_EVENTS) ArrayPrototypePush(kept, { eventType, filename: name });
    wake?.();
  };
  const fail = (error) => {
    failure ??= { error };
    wake?.();
  };
  const abort = () => {
    source.close();
    wake?.();
  };
  if (signal?.aborted) throw new AbortError(undefined, { cause: signal.reason });
  const source = open(path, persistent, recursive, encoding, emit, fail);
  signal?.addEventListener('abort', abort, { __proto__: null, once: true });
  try {
    for (;;) {
      if (signal?.aborted) throw new AbortError(undefined, { cause: signal.reason });
      if (kept.length > 0) {
        yield ArrayPrototypeShift(kept);
      } else if (failure !== undefined) {
        throw failure.error;
      } else {
        await new Promise((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
    }
  } finally {
    source.close();
    signal?.removeEventListener('abort', abort);
  }
};
