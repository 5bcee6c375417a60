// fs.watchFile and fs.unwatchFile: what `stat` tells of a path, and told before. Nothing is polled: the directories on the path and
// what it leads to are watched. Only where a layer cannot tell of changes is the path looked at in intervals.
const { BigInt64Array, Float64Array, SafeMap, TypedArrayPrototypeFill, TypedArrayPrototypeSet } = primordials;
const path = use('node:path').default;
const timers = use('web/timers');
const { validateFunction, validateUint32 } = use('node/internal/validators');
const { toPath } = use('node/internal/fs/arguments');
const { statsFrom } = use('node/internal/fs/types');
const { RENAME, follow, statInto, watchPath } = use('node/internal/fs/watch_events');
const EventEmitter = use('node:events').default;
const process = use('node:process').default;

const { resolve } = path;

const DEFAULT_INTERVAL_MS = 5007; // as Node's

const BIG = 2;
const MAY_MISS = 4;
const FIELDS = 18;
// Of a stat result: the number of links and the time of the last access are no change.
const COMPARED = [0, 1, 3, 4, 7, 8, 12, 13, 14, 15, 16, 17];

function differ(one, other) {
  for (let index = 0; index < COMPARED.length; index++) {
    if (one[COMPARED[index]] !== other[COMPARED[index]]) return true;
  }
  return false;
}

let startWatcher;
let countListener;
let discountListener;
let discountAll;

class StatWatcher extends EventEmitter {
  #handle = null;
  #path;
  #interval;
  #bigint;
  #now;
  #before;
  #isThere = false;
  #isDirty = false; // something has happened since the last look
  // What is still to come, each undefined when it is not.
  #first; // telling that there was nothing
  #rest; // the end of the interval since the last look
  #nextLook; // where nobody tells of changes
  // Listeners in whose name the program is kept alive, and how many there may be.
  #refs = 1;
  #maxRefs = 1;

  static {
    startWatcher = (file, persistent, interval, bigint) => {
      const watcher = new StatWatcher();
      validateUint32(interval, 'interval');
      watcher.#start(file, persistent, interval, bigint);
      return watcher;
    };
    countListener = (watcher) => {
      watcher.#refs++;
      watcher.#maxRefs++;
    };
    discountListener = (watcher) => {
      watcher.#maxRefs--;
      watcher.unref();
    };
    discountAll = (watcher) => {
      watcher.#refs = 0;
      watcher.#maxRefs = 0;
      watcher.#handle?.unref();
    };
  }

  #start(file, persistent, interval, bigint) {
    this.#path = file;
    this.#interval = interval;
    this.#bigint = bigint === true;
    const Fields = this.#bigint ? BigInt64Array : Float64Array;
    this.#now = new Fields(FIELDS);
    this.#before = new Fields(FIELDS);
    this.#handle = watchPath(file, true, (flags) => this.#onEvent(flags));
    if (!persistent) this.unref();
    this.#isThere = this.#look();
    try {
      if (this.#isThere) TypedArrayPrototypeSet(this.#before, this.#now);
      else this.#first = timers.setImmediate(() => this.#emitFirst());
      if (this.#handle.number === 0) this.#poll();
    } catch (error) {
      // There are too many timers.
      timers.clearImmediate(this.#first);
      this.#handle.close();
      throw error;
    }
  }

  /** What is there now; zeros and false where nothing is, or it cannot be said. */
  #look() {
    try {
      if (statInto(this.#path, this.#now, MAY_MISS | (this.#bigint ? BIG : 0))) return true;
    } catch {
      // As if there were nothing.
    }
    TypedArrayPrototypeFill(this.#now, this.#bigint ? 0n : 0);
    return false;
  }

  #stats(fields) {
    return statsFrom(this.#bigint, fields, 0);
  }

  /** There was nothing when it began. What has come since is told by itself. */
  #emitFirst() {
    this.#first = undefined;
    const nothing = new (this.#bigint ? BigInt64Array : Float64Array)(FIELDS);
    this.emit('change', this.#stats(nothing), this.#stats(nothing));
  }

  #onEvent(flags) {
    if (this.#handle === null) return;
    if (flags & RENAME && !follow(this.#handle)) this.#poll();
    this.#isDirty = true;
    if (this.#rest === undefined) this.#compare();
  }

  /** Tells of a change, once in an interval at most: Node would look no more often. */
  #compare() {
    this.#isDirty = false;
    this.#rest = timers.startInternalTimer(() => {
      this.#rest = undefined;
      if (this.#isDirty) this.#compare();
    }, this.#interval);
    const isThere = this.#look();
    const wasThere = this.#isThere;
    this.#isThere = isThere;
    if (isThere) {
      if (wasThere && !differ(this.#now, this.#before)) return;
      const before = this.#stats(this.#before);
      TypedArrayPrototypeSet(this.#before, this.#now);
      this.emit('change', this.#stats(this.#now), before);
    } else if (wasThere) {
      // What was there before stays what was before, as in Node.
      this.emit('change', this.#stats(this.#now), this.#stats(this.#before));
    }
  }

  #poll() {
    if (this.#handle === null || this.#handle.request < 0) return;
    timers.clearTimeout(this.#nextLook);
    this.#nextLook = timers.startInternalTimer(() => {
      if (this.#rest === undefined) this.#compare();
      this.#poll();
    }, this.#interval > 0 ? this.#interval : 1);
  }

  /** Kept by Node for old programs; does nothing. */
  start() {}

  stop() {
    if (this.#handle === null) return;
    this.#handle.close();
    this.#handle = null;
    timers.clearImmediate(this.#first);
    timers.clearTimeout(this.#rest);
    timers.clearTimeout(this.#nextLook);
    process.nextTick(emitStop, this);
  }

  ref() {
    if (this.#refs === this.#maxRefs) return this;
    if (this.#handle !== null && this.#refs++ === 0) this.#handle.ref();
    return this;
  }

  unref() {
    if (this.#refs === 0) return this;
    if (this.#handle !== null && --this.#refs === 0) this.#handle.unref();
    return this;
  }
}

function emitStop(watcher) {
  watcher.emit('stop');
}

const watchers = new SafeMap(); // by path

exports.watchFile = (filename, value, callback) => {
  const file = resolve(toPath(filename));
  const hasOptions = value !== null && typeof value === 'object';
  const listener = hasOptions ? callback : value;
  const options = { __proto__: null, interval: DEFAULT_INTERVAL_MS, persistent: true, ...(hasOptions ? value : undefined) };
  validateFunction(listener, 'listener');
  let watcher = watchers.get(file);
  if (watcher === undefined) {
    watcher = startWatcher(file, options.persistent, options.interval, options.bigint);
    watchers.set(file, watcher);
  } else {
    countListener(watcher);
  }
  watcher.addListener('change', listener);
  return watcher;
};

exports.unwatchFile = (filename, listener) => {
  const file = resolve(toPath(filename));
  const watcher = watchers.get(file);
  if (watcher === undefined) return;
  if (typeof listener === 'function') {
    const before = watcher.listenerCount('change');
    watcher.removeListener('change', listener);
    if (watcher.listenerCount('change') < before) discountListener(watcher);
  } else {
    watcher.removeAllListeners('change');
    discountAll(watcher);
  }
  if (watcher.listenerCount('change') === 0) {
    watcher.stop();
    watchers.delete(file);
  }
};
