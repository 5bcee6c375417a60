// Dir: an open directory, read piece by piece. One operation is under way at a time; others wait for it in line.
const {
  ArrayPrototypePush, ArrayPrototypeShift, FinalizationRegistry, FinalizationRegistryPrototypeRegister,
  FinalizationRegistryPrototypeUnregister, ObjectDefineProperty, Promise, PromisePrototypeThen, PromiseReject, SymbolAsyncDispose,
  SymbolAsyncIterator, SymbolDispose,
} = primordials;
const { ERR_DIR_CLOSED, ERR_DIR_CONCURRENT_OPERATION, ERR_MISSING_ARGS } = use('node/internal/errors');
const { validateFunction } = use('node/internal/validators');
const core = use('node/internal/fs/core');
const { callLater, run } = use('node/internal/fs/later');
const { takeLater, takeNow } = use('node/internal/fs/steps');
const process = use('node:process').default;

const forgotten = new FinalizationRegistry((number) => run(core.closeDirectory(number)));

class Dir {
  #number; // of the open directory
  #path;
  #options; // { encoding, recursive, bufferSize }
  #here; // the directory that is being read: the program's, or one below it
  #below = []; // directories still to be read
  #entries = []; // that were read and not yet asked for
  #next = 0;
  #closed = false;
  #line = null; // what waits for the operation that is under way; null where there is none

  constructor(number, path, options) {
    if (number === undefined) throw ERR_MISSING_ARGS('handle');
    this.#number = number;
    this.#path = path;
    this.#here = path;
    this.#options = options;
    FinalizationRegistryPrototypeRegister(forgotten, this, number, this);
  }

  get path() {
    return this.#path;
  }

  /** Steps: reads further entries, if there are any. */
  *#more() {
    const { bufferSize, encoding, recursive } = this.#options;
    for (;;) {
      const entries = yield core.readDirectory(this.#number, this.#here, bufferSize, encoding);
      if (entries.length > 0) {
        this.#entries = entries;
        this.#next = 0;
        if (recursive) this.#keepBelow(entries);
        return;
      }
      if (this.#below.length === 0) return;
      const path = ArrayPrototypeShift(this.#below);
      const number = yield core.openDirectory(path);
      const before = this.#replace(number);
      this.#here = path;
      yield core.closeDirectory(before);
    }
  }

  #keepBelow(entries) {
    const { join } = use('node:path').default;
    for (let index = 0; index < entries.length; index++) {
      if (entries[index].isDirectory()) ArrayPrototypePush(this.#below, join(this.#here, `${entries[index].name}`));
    }
  }

  #replace(number) {
    const before = this.#number;
    FinalizationRegistryPrototypeUnregister(forgotten, this);
    FinalizationRegistryPrototypeRegister(forgotten, this, number, this);
    this.#number = number;
    return before;
  }

  /** The next entry of those that were read; undefined where all are gone. */
  #take() {
    return this.#next < this.#entries.length ? this.#entries[this.#next++] : undefined;
  }

  #requireIdle() {
    if (this.#closed) throw ERR_DIR_CLOSED();
    if (this.#line !== null) throw ERR_DIR_CONCURRENT_OPERATION();
  }

  /** Ends the operation that is under way, and begins those that have waited for it. */
  #release() {
    const waiting = this.#line;
    this.#line = null;
    for (let index = 0; index < waiting.length; index++) waiting[index]();
  }

  read(callback = undefined) {
    if (this.#closed) throw ERR_DIR_CLOSED();
    if (callback === undefined) return promised((done) => this.#read(done));
    validateFunction(callback, 'callback');
    this.#read(callback);
    return undefined;
  }

  #read(callback) {
    if (this.#line !== null) {
      ArrayPrototypePush(this.#line, () => this.#read(callback));
      return;
    }
    if (this.#closed) {
      process.nextTick(callback, ERR_DIR_CLOSED());
      return;
    }
    const entry = this.#take();
    if (entry !== undefined) {
      process.nextTick(callback, null, entry);
      return;
    }
    this.#line = [];
    const end = (error) => {
      const found = error === null ? this.#take() ?? null : undefined;
      // Those in line are served before the program goes on, which may ask for more.
      process.nextTick(() => (error === null ? callback(null, found) : callback(error)));
      this.#release();
    };
    PromisePrototypeThen(takeLater(this.#more()), () => end(null), end);
  }

  readSync() {
    this.#requireIdle();
    let entry = this.#take();
    if (entry === undefined) {
      takeNow(this.#more());
      entry = this.#take();
    }
    return entry ?? null;
  }

  close(callback = undefined) {
    if (callback === undefined) return this.#closed ? PromiseReject(ERR_DIR_CLOSED()) : promised((done) => this.#close(done));
    validateFunction(callback, 'callback');
    this.#close(callback);
    return undefined;
  }

  #close(callback) {
    if (this.#line !== null) {
      ArrayPrototypePush(this.#line, () => this.#close(callback));
      return;
    }
    if (this.#closed) {
      process.nextTick(callback, ERR_DIR_CLOSED());
      return;
    }
    callLater(this.#end(), callback);
  }

  closeSync() {
    this.#requireIdle();
    run(this.#end());
  }

  /** An operation that closes it. */
  #end() {
    this.#closed = true;
    FinalizationRegistryPrototypeUnregister(forgotten, this);
    return core.closeDirectory(this.#number);
  }

  async *entries() {
    try {
      for (;;) {
        const entry = await this.read();
        if (entry === null) break;
        yield entry;
      }
    } finally {
      await this.close();
    }
  }

  async [SymbolAsyncDispose]() {
    if (!this.#closed) await this.close();
  }

  [SymbolDispose]() {
    if (!this.#closed) this.closeSync();
  }
}
ObjectDefineProperty(Dir.prototype, SymbolAsyncIterator, {
  __proto__: null,
  value: Dir.prototype.entries,
  configurable: true,
  enumerable: false,
  writable: true,
});

function promised(begin) {
  return new Promise((resolve, reject) => begin((error, value) => (error ? reject(error) : resolve(value))));
}

exports.Dir = Dir;
