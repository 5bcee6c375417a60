// What all stream kinds share: the queue with sizes, promises made on demand, strategies, buffer helpers.
const {
  ArrayBuffer, ArrayBufferPrototypeGetByteLength, ArrayBufferPrototypeGetDetached, DataViewPrototypeGetBuffer,
  DataViewPrototypeGetByteLength, DataViewPrototypeGetByteOffset, NumberIsNaN, Promise, PromisePrototypeThen,
  PromiseReject, PromiseResolve, RangeError, ReflectApply, TypeError, TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength, TypedArrayPrototypeGetByteOffset, TypedArrayPrototypeGetSymbolToStringTag,
  Uint8Array,
} = primordials;

const noop = () => {};

/** Queue with sizes as a linked list: no index properties, so no setter on `Array.prototype` sees internal values. */
class Queue {
  head = null;
  tail = null;
  length = 0;
  totalSize = 0;

  push(value, size) {
    const entry = { value, size, next: null };
    if (this.tail === null) this.head = entry;
    else this.tail.next = entry;
    this.tail = entry;
    this.length++;
    this.totalSize += size;
  }

  shift() {
    const entry = this.head;
    this.head = entry.next;
    if (this.head === null) this.tail = null;
    this.length--;
    this.totalSize -= entry.size;
    if (this.totalSize < 0) this.totalSize = 0; // rounding of fractional sizes
    return entry.value;
  }

  peek() {
    return this.head.value;
  }

  clear() {
    this.head = null;
    this.tail = null;
    this.length = 0;
    this.totalSize = 0;
  }
}

const PENDING = 0;
const FULFILLED = 1;
const REJECTED = 2;

/**
 * A promise that is made when somebody first asks for it, and whose rejection never counts as unhandled: what the standard calls
 * for with `closed` and `ready`, which most programs never look at.
 */
class Deferred {
  status = PENDING;
  #value = undefined;
  #promise = null;
  #resolve = null;
  #reject = null;

  static resolved() {
    const deferred = new Deferred();
    deferred.status = FULFILLED;
    return deferred;
  }

  static rejected(reason) {
    const deferred = new Deferred();
    deferred.status = REJECTED;
    deferred.#value = reason;
    return deferred;
  }

  get isPending() {
    return this.status === PENDING;
  }

  get promise() {
    if (this.#promise === null) {
      if (this.status === FULFILLED) {
        this.#promise = PromiseResolve(this.#value);
      } else if (this.status === REJECTED) {
        this.#promise = PromiseReject(this.#value);
        markHandled(this.#promise);
      } else {
        this.#promise = new Promise((resolve, reject) => {
          this.#resolve = resolve;
          this.#reject = reject;
        });
        markHandled(this.#promise);
      }
    }
    return this.#promise;
  }

  resolve(value) {
    if (this.status !== PENDING) return;
    this.status = FULFILLED;
    this.#value = value;
    if (this.#resolve !== null) this.#resolve(value);
  }

  reject(reason) {
    if (this.status !== PENDING) return;
    this.status = REJECTED;
    this.#value = reason;
    if (this.#reject !== null) this.#reject(reason);
  }
}

/** A promise with its resolving functions; rejections count as unhandled when nobody listens. */
class Capability {
  promise;
  resolve;
  reject;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** What a promise-returning method returns when its `this` is not an object of its class. */
function rejectedInvocation() {
  return PromiseReject(new TypeError('Illegal invocation'));
}

function markHandled(promise) {
  PromisePrototypeThen(promise, undefined, noop);
}

// Made on first use: a promise may not be part of the startup snapshot's roots.
let resolvedPromise = null;

/** An already fulfilled promise of `undefined`, shared by all who only need something to wait on. */
function resolved() {
  resolvedPromise ??= PromiseResolve(undefined);
  return resolvedPromise;
}

/** Runs `callback` as a microtask. */
function microtask(callback) {
  PromisePrototypeThen(resolved(), callback);
}

/** Calls `algorithm`; what it throws becomes a rejection, what it returns is awaited. */
function promiseCall(algorithm, argument) {
  let result;
  try {
    result = algorithm(argument);
  } catch (error) {
    return PromiseReject(error);
  }
  return result === undefined ? resolved() : PromiseResolve(result);
}

/** As a dictionary argument: `undefined` and `null` are the empty dictionary, other non-objects a TypeError. */
function dictionary(value, what) {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'object' && typeof value !== 'function') throw new TypeError(`${what} is not an object`);
  return value;
}

/** Reads a callback member; returns `undefined` or the function. */
function callbackMember(object, name, what) {
  const value = object[name];
  if (value !== undefined && typeof value !== 'function') throw new TypeError(`${what} ${name} is not a function`);
  return value;
}

/** Reads a queuing strategy: `{ highWaterMark, size }`, both possibly `undefined`; `size` returns a number. */
function convertStrategy(strategy) {
  const object = dictionary(strategy, 'Queuing strategy');
  if (object === null) return { highWaterMark: undefined, size: undefined };
  let highWaterMark = object.highWaterMark;
  if (highWaterMark !== undefined) highWaterMark = +highWaterMark;
  const size = callbackMember(object, 'size', 'Queuing strategy');
  return { highWaterMark, size: size === undefined ? undefined : (chunk) => +ReflectApply(size, undefined, [chunk]) };
}

function extractHighWaterMark(strategy, fallback) {
  const { highWaterMark } = strategy;
  if (highWaterMark === undefined) return fallback;
  if (NumberIsNaN(highWaterMark) || highWaterMark < 0) throw new RangeError(`Invalid highWaterMark: ${highWaterMark}`);
  return highWaterMark;
}

/** Throws unless `size` can be the size of a chunk. */
function checkChunkSize(size) {
  if (!(size >= 0 && size < Infinity)) throw new RangeError(`Invalid chunk size: ${size}`);
}

// ---- buffers ----

function isTypedArray(view) {
  return TypedArrayPrototypeGetSymbolToStringTag(view) !== undefined;
}

/** `{ buffer, byteOffset, byteLength }` of a typed array or DataView; zeros when its buffer is detached. */
function viewParts(view) {
  if (isTypedArray(view)) {
    return {
      buffer: TypedArrayPrototypeGetBuffer(view),
      byteOffset: TypedArrayPrototypeGetByteOffset(view),
      byteLength: TypedArrayPrototypeGetByteLength(view),
    };
  }
  const buffer = DataViewPrototypeGetBuffer(view);
  if (isDetached(buffer)) return { buffer, byteOffset: 0, byteLength: 0 };
  return { buffer, byteOffset: DataViewPrototypeGetByteOffset(view), byteLength: DataViewPrototypeGetByteLength(view) };
}

function isDetached(buffer) {
  return isArrayBuffer(buffer) && ArrayBufferPrototypeGetDetached(buffer);
}

function isArrayBuffer(value) {
  try {
    ArrayBufferPrototypeGetByteLength(value);
    return true;
  } catch {
    return false;
  }
}

/** A Uint8Array with a copy of the view's bytes. */
function cloneAsUint8Array(view) {
  const { buffer, byteOffset, byteLength } = viewParts(view);
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}

/** A new ArrayBuffer; throws a RangeError when there is no memory for it. */
function allocate(byteLength) {
  return new ArrayBuffer(byteLength);
}

exports.Queue = Queue;
exports.Deferred = Deferred;
exports.Capability = Capability;
exports.noop = noop;
exports.rejectedInvocation = rejectedInvocation;
exports.markHandled = markHandled;
exports.resolved = resolved;
exports.microtask = microtask;
exports.promiseCall = promiseCall;
exports.dictionary = dictionary;
exports.callbackMember = callbackMember;
exports.convertStrategy = convertStrategy;
exports.extractHighWaterMark = extractHighWaterMark;
exports.checkChunkSize = checkChunkSize;
exports.isTypedArray = isTypedArray;
exports.viewParts = viewParts;
exports.isDetached = isDetached;
exports.isArrayBuffer = isArrayBuffer;
exports.cloneAsUint8Array = cloneAsUint8Array;
exports.allocate = allocate;
