// Watches and the delivery of what happens to them, in turns of the request that watches.
const { ArrayPrototypePush, ArrayPrototypeSlice, PromisePrototypeThen, SafeMap, SafeSet } = primordials;
const timers = use('web/timers');

const RENAME = 1; // what an event is called, else `change`
const ALL = 0; // instead of a watch's number: events were lost
exports.RENAME = RENAME;
exports.DIRECTORY = 2;
exports.APPEARED = 4;
exports.VANISHED = 8;
exports.ENDED = 16;

const watches = new SafeMap(); // by number
const awaited = new SafeSet(); // requests whose events are waited for

/** A watch. `told(flags, name, lost)` is called for each event; `lost` says that it stands for events that nobody kept. */
class WatchHandle {
  number = 0; // 0: it watches nothing, because its request is over or what it is on cannot be watched
  request = 0;
  refed = false;
  closed = false;

  constructor(told, refed) {
    this.told = told;
    this.request = timers.owner();
    if (refed) this.ref();
  }

  /** Begins with the watch that `make(path)` returns, unless its request is over. */
  start(make, path) {
    if (this.request < 0) return;
    try {
      this.number = make(path);
      if (this.number === 0) return;
      watches.set(this.number, this);
      listen(this.request);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  ref() {
    if (this.refed || this.closed) return;
    this.refed = true;
    timers.holdAlive(1);
  }

  unref() {
    if (!this.refed) return;
    this.refed = false;
    timers.holdAlive(-1);
  }

  close() {
    if (this.closed) return;
    this.unref();
    this.closed = true;
    if (this.number === 0) return;
    watches.delete(this.number);
    native.unwatch(this.number);
  }
}

/** A watch on what the path leads to; it stays on that. Throws where it cannot be watched. */
exports.watchObject = (path, refed, told) => {
  const handle = new WatchHandle(told, refed);
  handle.start(native.watch, path);
  return handle;
};

/** A watch on the path, whatever it leads to, if anything. Its number is 0 where that cannot be watched. */
exports.watchPath = (path, refed, told) => {
  const handle = new WatchHandle(told, refed);
  handle.start(native.watchPath, path);
  return handle;
};

/** Has a watch on a path follow where that leads now; false where it cannot any more. */
exports.follow = (handle) => {
  if (native.rewatch(handle.number)) return true;
  watches.delete(handle.number);
  handle.number = 0;
  return false;
};

exports.statInto = native.stat;

function listen(request) {
  if (awaited.has(request)) return;
  PromisePrototypeThen(native.wait(), () => deliver(request));
  awaited.add(request);
}

function deliver(request) {
  awaited.delete(request);
  const { 0: events, 1: again } = native.collect();
  if (timers.requestIsOver()) return;
  if (events.length > 0) tellLater(events, request);
  else if (again) listen(request);
}

function tellLater(events, request) {
  try {
    timers.setImmediate(tell, events, request);
  } catch {
    // There are too many timers. What is watched is told all the same.
    tell(events, request);
  }
}

/** Each listener sees what the one before has put off (ticks, promises) done. What one throws is uncaught; the rest run. */
function tell(events, request) {
  let index = 0;
  try {
    while (index < events.length) {
      if (index > 0) timers.afterCallback();
      const number = events[index];
      const flags = events[index + 1];
      const name = events[index + 2];
      index += 3;
      if (number === ALL) tellAll(request);
      else watches.get(number)?.told(flags, name, false);
    }
  } finally {
    if (index < events.length) tellLater(ArrayPrototypeSlice(events, index), request);
    else listen(request);
  }
}

function watchesOf(request) {
  const found = [];
  watches.forEach((handle) => {
    if (handle.request === request) ArrayPrototypePush(found, handle);
  });
  return found;
}

function tellAll(request) {
  const found = watchesOf(request);
  for (let index = 0; index < found.length; index++) {
    if (index > 0) timers.afterCallback();
    if (!found[index].closed) found[index].told(RENAME, null, true);
  }
}

timers.whenRequestEnds((request) => {
  const found = watchesOf(request);
  for (let index = 0; index < found.length; index++) {
    watches.delete(found[index].number);
    found[index].number = 0;
    found[index].close();
  }
  native.release(request);
});
