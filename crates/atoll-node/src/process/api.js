// node:process and the global `process`: the worker as a Node program sees it. What it says of the machine is virtual.
const {
  ArrayBufferIsView,
  ArrayIsArray,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  BigInt,
  Error,
  ErrorCaptureStackTrace,
  MathFloor,
  MathRound,
  NumberIsInteger,
  ObjectCreate,
  ObjectDefineProperty,
  ObjectFreeze,
  PromisePrototypeThen,
  Proxy,
  ReflectApply,
  ReflectDefineProperty,
  ReflectSet,
  Set,
  String,
  Symbol,
  SymbolToStringTag,
  TypeError,
} = primordials;
const EventEmitter = use('node:events').default;
const {
  ERR_INVALID_ARG_TYPE,
  ERR_INVALID_OBJECT_DEFINE_PROPERTY,
  ERR_OUT_OF_RANGE,
  ERR_UNCAUGHT_EXCEPTION_CAPTURE_ALREADY_SET,
  codedError,
} = use('node/internal/errors');
const { parseFileMode, validateArray, validateFunction, validateString } = use('node/internal/validators');

const NANOSECONDS_PER_MILLISECOND = 1e6;
const NANOSECONDS_PER_SECOND = 1e9;

const info = native.info();

function process() {}
const processPrototype = ObjectCreate(EventEmitter.prototype, {
  constructor: { __proto__: null, value: process, writable: true, configurable: true, enumerable: false },
});
const self = ObjectCreate(processPrototype);
EventEmitter.call(self);
ObjectDefineProperty(self, SymbolToStringTag, {
  __proto__: null,
  value: 'process',
  writable: false,
  enumerable: false,
  configurable: true,
});

// --- what the program was started with ---

self.version = `v${info.nodeVersion}`;
self.versions = ObjectFreeze({ node: info.nodeVersion, atoll: info.version, modules: '127' });
self.arch = info.arch;
self.platform = 'linux';
self.release = ObjectFreeze({ name: 'node', lts: 'Jod' });
self.title = 'atoll';
self.pid = 1; // a worker has no process of its own
self.ppid = 0;
self.argv = native.argv();
self.argv0 = self.argv[0];
self.execPath = info.execPath;
self.execArgv = [];
self.debugPort = 9229;
self.config = ObjectFreeze({ target_defaults: ObjectFreeze({}), variables: ObjectFreeze({}) });
self.features = ObjectFreeze({
  inspector: false,
  debug: false,
  uv: false,
  ipv6: true,
  tls_alpn: true,
  tls_sni: true,
  tls_ocsp: false,
  tls: true,
  cached_builtins: true,
  require_module: true,
  typescript: 'transform',
});
self.allowedNodeEnvironmentFlags = ObjectFreeze(new Set());
self.env = environment();

/** Environment variables: whatever is assigned becomes a string, as in Node. */
function environment() {
  const variables = {};
  const pairs = native.environment();
  for (let index = 0; index < pairs.length; index += 2) variables[pairs[index]] = pairs[index + 1];
  return new Proxy(variables, {
    __proto__: null,
    set(target, key, value) {
      if (typeof key === 'symbol' || typeof value === 'symbol')
        throw new TypeError('Cannot convert a Symbol value to a string');
      return ReflectSet(target, key, String(value));
    },
    defineProperty(target, key, descriptor) {
      if ('value' in descriptor) {
        if (!descriptor.configurable || !descriptor.writable || !descriptor.enumerable) {
          throw ERR_INVALID_OBJECT_DEFINE_PROPERTY(
            "'process.env' only accepts a configurable, writable, and enumerable data descriptor",
          );
        }
        return ReflectDefineProperty(target, key, { __proto__: null, ...descriptor, value: String(descriptor.value) });
      }
      throw ERR_INVALID_OBJECT_DEFINE_PROPERTY("'process.env' does not accept an accessor(getter/setter) descriptor");
    },
  });
}

self.cwd = function cwd() {
  return native.cwd();
};
self.chdir = function chdir(directory) {
  validateString(directory, 'directory');
  native.chdir(directory);
};
self.umask = function umask(mask) {
  return native.umask(mask === undefined ? -1 : parseFileMode(mask, 'mask'));
};

// Who a program is: a user of its own, which owns what it makes.
const USER_IDS = ['getuid', 'geteuid'];
const GROUP_IDS = ['getgid', 'getegid'];
function defineIds(names, id) {
  for (let index = 0; index < names.length; index++) {
    const name = names[index];
    self[name] = { [name]: () => id }[name];
  }
}
defineIds(USER_IDS, info.uid);
defineIds(GROUP_IDS, info.gid);
self.getgroups = function getgroups() {
  return [info.gid];
};

/** What `require(id)` gives for a builtin, undefined for any other name. */
self.getBuiltinModule = function getBuiltinModule(id) {
  validateString(id, 'id');
  const Module = use('node:module').default;
  return Module.isBuiltin(id) ? Module._load(id) : undefined;
};

// --- time ---

self.uptime = function uptime() {
  return native.now() / 1000;
};
// The clock is coarse, and programs divide by what passes between two looks at it: each look tells a later time.
let latest = 0;
function nextNanosecond() {
  const now = MathRound(native.now() * NANOSECONDS_PER_MILLISECOND);
  latest = now > latest ? now : latest + 1;
  return latest;
}

self.hrtime = function hrtime(previous) {
  const now = nextNanosecond();
  let seconds = MathFloor(now / NANOSECONDS_PER_SECOND);
  let nanoseconds = now - seconds * NANOSECONDS_PER_SECOND;
  if (previous !== undefined) {
    validateArray(previous, 'time');
    if (previous.length !== 2) throw ERR_OUT_OF_RANGE('time', 2, previous.length);
    seconds -= previous[0];
    nanoseconds -= previous[1];
    if (nanoseconds < 0) {
      seconds--;
      nanoseconds += NANOSECONDS_PER_SECOND;
    }
  }
  return [seconds, nanoseconds];
};
self.hrtime.bigint = function bigint() {
  return BigInt(nextNanosecond());
};

// --- ticks: callbacks that run before promises' ---

const TICKS_DONE = 1024; // that are kept before their place is used again: callbacks that queue callbacks may never end

let ticks = [];
let nextTickIndex = 0;

self.nextTick = function nextTick(callback, ...values) {
  validateFunction(callback, 'callback');
  if (self._exiting) return;
  if (ticks.length === nextTickIndex) native.wantTick();
  ArrayPrototypePush(ticks, { callback, values });
};

/** For the event loop, after each turn, and for timers, after each callback: runs ticks and microtasks until there are none. */
exports.runTicks = () => {
  try {
    do {
      while (nextTickIndex < ticks.length) {
        const { callback, values } = ticks[nextTickIndex];
        ticks[nextTickIndex++] = undefined;
        if (nextTickIndex >= TICKS_DONE && nextTickIndex * 2 > ticks.length) {
          ticks = ArrayPrototypeSlice(ticks, nextTickIndex);
          nextTickIndex = 0;
        }
        ReflectApply(callback, undefined, values);
      }
      ticks = [];
      nextTickIndex = 0;
      native.runMicrotasks();
    } while (ticks.length > 0);
  } finally {
    if (nextTickIndex < ticks.length) native.wantTick(); // a callback threw; the others are still to run
  }
};
use('web/timers').afterCallback = exports.runTicks;

/** After code was ended by force, which runs no `finally`: what is left to run is still to run. */
exports.recover = () => {
  if (nextTickIndex < ticks.length) native.wantTick();
};

// --- the end ---

let exitCode;
ObjectDefineProperty(self, 'exitCode', {
  __proto__: null,
  configurable: true,
  enumerable: true,
  get() {
    return exitCode;
  },
  set(code) {
    if (code !== null && code !== undefined) {
      let value = code;
      if (typeof code === 'string' && code !== '') value = +code;
      if (typeof value !== 'number' || value !== value) throw ERR_INVALID_ARG_TYPE('code', 'number', code);
      if (!NumberIsInteger(value)) throw ERR_OUT_OF_RANGE('code', 'an integer', value);
      native.setExitCode(value | 0);
    } else {
      native.setExitCode(0);
    }
    exitCode = code;
  },
});
self._exiting = false;

self.exit = function exit(code) {
  if (code !== undefined) self.exitCode = code;
  announceExit();
  native.exit();
};
self.reallyExit = function reallyExit(code) {
  if (code !== undefined) self.exitCode = code;
  native.exit();
};
self.abort = function abort() {
  native.setExitCode(134);
  native.exit();
};
function announceExit() {
  if (self._exiting) return;
  self._exiting = true;
  self.emit('exit', +self.exitCode || 0);
}

/** For the event loop: 'beforeExit' when nothing is left to do, 'exit' at the end. */
exports.emitLifecycle = (event) => {
  if (event === 'exit') announceExit();
  else self.emit(event, +self.exitCode || 0);
};

// --- errors that nobody caught ---

let captureCallback = null;
self.setUncaughtExceptionCaptureCallback = function setUncaughtExceptionCaptureCallback(callback) {
  if (callback === null) {
    captureCallback = null;
    return;
  }
  if (typeof callback !== 'function') throw ERR_INVALID_ARG_TYPE('fn', ['Function', 'null'], callback);
  if (captureCallback !== null) throw ERR_UNCAUGHT_EXCEPTION_CAPTURE_ALREADY_SET();
  captureCallback = callback;
};
self.hasUncaughtExceptionCaptureCallback = function hasUncaughtExceptionCaptureCallback() {
  return captureCallback !== null;
};

function handleUncaught(error, origin) {
  self.emit('uncaughtExceptionMonitor', error, origin);
  if (captureCallback !== null) {
    captureCallback(error);
    return true;
  }
  return self.emit('uncaughtException', error, origin);
}

/** Asked by web/report after the global object's own listeners; true when the guest took care of it. */
use('web/report').processHooks = {
  __proto__: null,
  uncaught: (error) => handleUncaught(error, 'uncaughtException'),
  unhandledRejection: (promise, reason) =>
    self.emit('unhandledRejection', reason, promise) || handleUncaught(reason, 'unhandledRejection'),
  rejectionHandled: (promise) => {
    self.emit('rejectionHandled', promise);
  },
};

// --- warnings ---

function createWarning(message, name, code, constructor, detail) {
  const warning = new Error(message);
  warning.name = name;
  if (code !== undefined) warning.code = code;
  if (detail !== undefined) warning.detail = detail;
  ErrorCaptureStackTrace(warning, constructor);
  return warning;
}

self.emitWarning = function emitWarning(given, type, code, constructor) {
  let detail;
  let name = type;
  let itsCode = code;
  let hidden = constructor;
  if (name !== null && typeof name === 'object' && !ArrayIsArray(name)) {
    hidden = name.ctor;
    itsCode = name.code;
    if (typeof name.detail === 'string') ({ detail } = name);
    name = name.type || 'Warning';
  } else if (typeof name === 'function') {
    hidden = name;
    itsCode = '';
    name = 'Warning';
  }
  if (name !== undefined) validateString(name, 'type');
  if (typeof itsCode === 'function') {
    hidden = itsCode;
    itsCode = '';
  } else if (itsCode !== undefined) {
    validateString(itsCode, 'code');
  }
  let warning = given;
  if (typeof warning === 'string')
    warning = createWarning(warning, String(name || 'Warning'), itsCode || undefined, hidden || emitWarning, detail);
  else if (!(warning instanceof Error)) throw ERR_INVALID_ARG_TYPE('warning', ['Error', 'string'], warning);
  if (warning.name === 'DeprecationWarning') {
    if (self.noDeprecation) return;
    if (self.throwDeprecation) {
      self.nextTick(() => {
        throw warning;
      });
      return;
    }
  }
  self.nextTick(() => self.emit('warning', warning));
};

self.on('warning', (warning) => {
  if (!(warning instanceof Error)) return;
  const code = warning.code ? `[${warning.code}] ` : '';
  const text = warning.stack && self.traceProcessWarnings ? warning.stack : `${warning.name}: ${warning.message}`;
  self.stderr.write(
    `(atoll:${self.pid}) ${code}${text}\n${typeof warning.detail === 'string' ? `${warning.detail}\n` : ''}`,
  );
});

// --- output ---

/** process.stdout and stderr: takes everything at once, so it is never full and has nothing to flush. */
class OutputStream extends EventEmitter {
  #fd;
  #ended = false;

  constructor(fd) {
    super();
    this.#fd = fd;
    this.fd = fd;
    this.writable = true;
    this._isStdio = true;
  }

  write(chunk, encodingOrCallback, callback) {
    const done = typeof encodingOrCallback === 'function' ? encodingOrCallback : callback;
    if (this.#ended) {
      const error = use('node/internal/errors').ERR_STREAM_WRITE_AFTER_END();
      if (typeof done === 'function') self.nextTick(done, error);
      self.nextTick(() => this.emit('error', error));
      return false;
    }
    if (typeof chunk === 'string') {
      const { Buffer } = use('node:buffer').default;
      native.write(this.#fd, Buffer.from(chunk, typeof encodingOrCallback === 'string' ? encodingOrCallback : 'utf8'));
    } else if (ArrayBufferIsView(chunk)) {
      native.write(this.#fd, chunk);
    } else {
      throw ERR_INVALID_ARG_TYPE('chunk', ['string', 'Buffer', 'TypedArray', 'DataView'], chunk);
    }
    if (typeof done === 'function') self.nextTick(done);
    return true;
  }

  end(chunk, encodingOrCallback, callback) {
    const done =
      typeof chunk === 'function' ? chunk : typeof encodingOrCallback === 'function' ? encodingOrCallback : callback;
    if (chunk !== undefined && chunk !== null && typeof chunk !== 'function') this.write(chunk, encodingOrCallback);
    this.#ended = true;
    this.writable = false;
    self.nextTick(() => {
      this.emit('finish');
      if (typeof done === 'function') done();
    });
    return this;
  }

  cork() {}
  uncork() {}
  get isTTY() {
    return false;
  }
  get columns() {
    return undefined;
  }
  get writableLength() {
    return 0;
  }
  get writableHighWaterMark() {
    return 16384;
  }
  get writableEnded() {
    return this.#ended;
  }
  get destroyed() {
    return false;
  }
  getColorDepth() {
    return 1;
  }
  hasColors() {
    return false;
  }
}

function lazyStream(name, fd) {
  let stream;
  ObjectDefineProperty(self, name, {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      return (stream ??= new OutputStream(fd));
    },
  });
}
lazyStream('stdout', 1);
lazyStream('stderr', 2);

// --- input ---

/**
 * process.stdin. Nothing is read before somebody wants it, and a read that is under way when the stream is paused ends
 * without having taken anything: it would keep the program alive.
 */
function inputStream() {
  const { Readable } = use('node:stream').default;
  const { Buffer } = use('node:buffer').default;
  let isWanted = false;
  let isReading = false;
  // By `pause()`: a stream that is read by `read()` says of itself that it is paused, too.
  let isPaused = false;
  const take = (bytes) => {
    isReading = false;
    if (bytes === null) {
      if (isWanted && !stream.destroyed && !isPaused) start();
      return;
    }
    isWanted = false;
    stream.push(bytes.length === 0 ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  };
  const fail = (error) => {
    isReading = false;
    stream.destroy(error);
  };
  const start = () => {
    if (isReading) return;
    isReading = true;
    PromisePrototypeThen(native.readInput(), take, fail);
  };
  const stream = new Readable({
    __proto__: null,
    highWaterMark: INPUT_BYTES,
    read() {
      isWanted = true;
      if (!isPaused) start();
    },
    destroy(error, callback) {
      native.stopInput();
      callback(error);
    },
  });
  stream.on('pause', () => {
    isPaused = true;
    native.stopInput();
  });
  stream.on('resume', () => {
    isPaused = false;
    if (isWanted) start();
  });
  stream.fd = 0;
  stream.isTTY = false;
  return stream;
}
const INPUT_BYTES = 65_536; // as much as a pipe holds
let input;
ObjectDefineProperty(self, 'stdin', {
  __proto__: null,
  configurable: true,
  enumerable: true,
  get() {
    return (input ??= inputStream());
  },
});

exports.process = self;
exports.default = self;
