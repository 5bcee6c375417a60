// structuredClone: https://html.spec.whatwg.org/#structured-cloning
//
// Two passes, as in the standard: `serialize` reads the value, which may run the guest's getters, into a graph of records;
// transferred buffers are detached; `deserialize` makes the copy. When the first pass throws, nothing was transferred.

const {
  ArrayBuffer,
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  ArrayBufferPrototypeGetDetached,
  ArrayBufferPrototypeGetMaxByteLength,
  ArrayBufferPrototypeGetResizable,
  ArrayBufferPrototypeTransfer,
  ArrayIsArray,
  ArrayPrototypePush,
  BigInt64Array,
  BigIntPrototypeValueOf,
  BigUint64Array,
  BooleanPrototypeValueOf,
  DataView,
  DataViewPrototypeGetBuffer,
  DataViewPrototypeGetByteLength,
  DataViewPrototypeGetByteOffset,
  Date,
  DatePrototypeGetTime,
  Error,
  EvalError,
  Float16Array,
  Float32Array,
  Float64Array,
  FunctionPrototypeToString,
  Int16Array,
  Int32Array,
  Int8Array,
  Map,
  MapPrototypeForEach,
  MapPrototypeSet,
  NumberPrototypeValueOf,
  Object,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetPrototypeOf,
  ObjectKeys,
  ObjectPrototype,
  ObjectPrototypeHasOwnProperty,
  RangeError,
  ReferenceError,
  RegExp,
  RegExpPrototypeGetDotAll,
  RegExpPrototypeGetGlobal,
  RegExpPrototypeGetHasIndices,
  RegExpPrototypeGetIgnoreCase,
  RegExpPrototypeGetMultiline,
  RegExpPrototypeGetSource,
  RegExpPrototypeGetSticky,
  RegExpPrototypeGetUnicode,
  RegExpPrototypeGetUnicodeSets,
  SafeMap,
  Set,
  SetPrototypeAdd,
  SetPrototypeForEach,
  StringPrototypeValueOf,
  SymbolPrototypeToString,
  SyntaxError,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetLength,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSet,
  TypeError,
  URIError,
  Uint16Array,
  Uint32Array,
  Uint8Array,
  Uint8ClampedArray,
} = primordials;
const { convert, isArrayBuffer, isObject, requireArguments } = use('web/webidl');
const { DOMException, isDOMException } = use('web/dom-exception');

// What native.classify answers: CLASSES in mod.rs.
const ORDINARY = 0;
const ARGUMENTS = 1;
const ERROR = 2;
const BUFFER = 3;
const MAP = 4;
const SET = 5;
const DATE = 6;
const REGEXP = 7;
const BOXED_NUMBER = 8;
const BOXED_STRING = 9;
const BOXED_BOOLEAN = 10;
const BOXED_BIGINT = 11;

const VIEWS = {
  __proto__: null,
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float16Array, Float32Array,
  Float64Array, BigInt64Array, BigUint64Array,
};

const ERRORS = { __proto__: null, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

// What knows a class of platform objects; those of lazily evaluated builtins are asked once they exist.
const platformChecks = [];

function refuse(value) {
  let text;
  if (typeof value === 'symbol') text = SymbolPrototypeToString(value);
  else if (typeof value === 'function') text = FunctionPrototypeToString(value);
  else text = `#<${native.typeTag(value) || 'Object'}>`;
  throw new DOMException(`${text} could not be cloned.`, 'DataCloneError');
}

// --- Serialize -------------------------------------------------------------------------------------------------------

// A primitive stands for itself, an object becomes a Record.
class Record {
  data = undefined;
  keys = undefined;
  values = undefined;
  copy = undefined; // what deserialize made of it

  constructor(kind) {
    this.kind = kind;
  }
}

function record(memory, value, kind) {
  const made = new Record(kind);
  memory.set(value, made);
  return made;
}

/** The flags of a RegExp itself: its `flags` getter would ask properties that the guest may have replaced. */
function flagsOf(regexp) {
  return (
    (RegExpPrototypeGetHasIndices(regexp) ? 'd' : '') +
    (RegExpPrototypeGetGlobal(regexp) ? 'g' : '') +
    (RegExpPrototypeGetIgnoreCase(regexp) ? 'i' : '') +
    (RegExpPrototypeGetMultiline(regexp) ? 'm' : '') +
    (RegExpPrototypeGetDotAll(regexp) ? 's' : '') +
    (RegExpPrototypeGetUnicode(regexp) ? 'u' : '') +
    (RegExpPrototypeGetUnicodeSets(regexp) ? 'v' : '') +
    (RegExpPrototypeGetSticky(regexp) ? 'y' : '')
  );
}

function serialize(value, memory) {
  if (!isObject(value)) {
    if (typeof value === 'symbol') refuse(value);
    return value;
  }
  const known = memory.get(value);
  if (known !== undefined) return known;
  if (typeof value === 'function') refuse(value);
  if (ArrayBufferIsView(value)) return serializeView(value, memory);
  switch (native.classify(value)) {
    case ORDINARY:
    case ARGUMENTS:
      return serializeObject(value, memory);
    case ERROR:
      return isDOMException(value) ? serializeDOMException(value, memory) : serializeError(value, memory);
    case BUFFER:
      return serializeBuffer(value, memory);
    case MAP:
      return serializeMap(value, memory);
    case SET:
      return serializeSet(value, memory);
    case DATE:
      return withData(record(memory, value, 'date'), DatePrototypeGetTime(value));
    case REGEXP: {
      const data = { __proto__: null, source: RegExpPrototypeGetSource(value), flags: flagsOf(value) };
      return withData(record(memory, value, 'regexp'), data);
    }
    case BOXED_NUMBER:
      return withData(record(memory, value, 'boxed'), NumberPrototypeValueOf(value));
    case BOXED_STRING:
      return withData(record(memory, value, 'boxed'), StringPrototypeValueOf(value));
    case BOXED_BOOLEAN:
      return withData(record(memory, value, 'boxed'), BooleanPrototypeValueOf(value));
    case BOXED_BIGINT:
      return withData(record(memory, value, 'boxed'), BigIntPrototypeValueOf(value));
    default:
      return refuse(value);
  }
}

function withData(made, data) {
  made.data = data;
  return made;
}

function serializeBuffer(value, memory) {
  if (ArrayBufferPrototypeGetDetached(value)) {
    throw new DOMException('A detached ArrayBuffer could not be cloned.', 'DataCloneError');
  }
  const length = ArrayBufferPrototypeGetByteLength(value);
  const copy = newBuffer(length, ArrayBufferPrototypeGetResizable(value) ? ArrayBufferPrototypeGetMaxByteLength(value) : undefined);
  if (length > 0) TypedArrayPrototypeSet(new Uint8Array(copy), new Uint8Array(value, 0, length));
  return withData(record(memory, value, 'buffer'), copy);
}

function newBuffer(length, maxByteLength) {
  return maxByteLength === undefined ? new ArrayBuffer(length) : new ArrayBuffer(length, { __proto__: null, maxByteLength });
}

function serializeView(value, memory) {
  const kind = TypedArrayPrototypeGetSymbolToStringTag(value);
  let buffer;
  let offset;
  let length;
  if (kind === undefined) {
    try {
      buffer = DataViewPrototypeGetBuffer(value);
      offset = DataViewPrototypeGetByteOffset(value);
      length = DataViewPrototypeGetByteLength(value);
    } catch {
      throw new DOMException('A view of a detached ArrayBuffer could not be cloned.', 'DataCloneError');
    }
  } else {
    buffer = TypedArrayPrototypeGetBuffer(value);
    offset = TypedArrayPrototypeGetByteOffset(value);
    length = TypedArrayPrototypeGetLength(value);
  }
  if (!isArrayBuffer(buffer)) refuse(buffer); // Shared memory does not leave its agent.
  const made = withData(record(memory, value, 'view'), { __proto__: null, name: kind, offset, length, buffer: undefined });
  made.data.buffer = serialize(buffer, memory);
  return made;
}

function serializeMap(value, memory) {
  const made = record(memory, value, 'map');
  const keys = [];
  const values = [];
  MapPrototypeForEach(value, (item, key) => {
    ArrayPrototypePush(keys, key);
    ArrayPrototypePush(values, item);
  });
  for (let index = 0; index < keys.length; index++) {
    keys[index] = serialize(keys[index], memory);
    values[index] = serialize(values[index], memory);
  }
  made.keys = keys;
  made.values = values;
  return made;
}

function serializeSet(value, memory) {
  const made = record(memory, value, 'set');
  const values = [];
  SetPrototypeForEach(value, (item) => ArrayPrototypePush(values, item));
  for (let index = 0; index < values.length; index++) values[index] = serialize(values[index], memory);
  made.values = values;
  return made;
}

function serializeError(value, memory) {
  const made = record(memory, value, 'error');
  const name = value.name;
  const text = name === undefined ? 'Error' : `${name}`;
  const message = ObjectGetOwnPropertyDescriptor(value, 'message');
  const cause = ObjectGetOwnPropertyDescriptor(value, 'cause');
  const { stack } = value;
  made.data = {
    __proto__: null,
    name: text in ERRORS ? text : 'Error',
    message: message !== undefined && 'value' in message ? `${message.value}` : undefined,
    stack: typeof stack === 'string' ? stack : undefined,
    cause: cause !== undefined && 'value' in cause ? serialize(cause.value, memory) : undefined,
  };
  return made;
}

function serializeDOMException(value, memory) {
  const { name, message, stack } = value;
  return withData(record(memory, value, 'exception'), { __proto__: null, name: `${name}`, message: `${message}`, stack });
}

function serializeObject(value, memory) {
  const isArray = ArrayIsArray(value);
  const prototype = ObjectGetPrototypeOf(value);
  const isPlain = isArray || prototype === ObjectPrototype || prototype === null;
  for (let index = 0; index < platformChecks.length && !isPlain; index++) {
    const serializer = platformChecks[index](value);
    if (serializer === false) {
      throw new DOMException('A platform object of this class could not be cloned.', 'DataCloneError');
    }
    if (serializer !== undefined) return withData(record(memory, value, 'platform'), serializer);
  }
  const made = record(memory, value, isArray ? 'array' : 'object');
  if (isArray) made.data = value.length;
  const keys = ObjectKeys(value);
  const kept = [];
  const values = [];
  for (let index = 0; index < keys.length; index++) {
    if (!ObjectPrototypeHasOwnProperty(value, keys[index])) continue; // A getter removed it.
    ArrayPrototypePush(kept, keys[index]);
    ArrayPrototypePush(values, serialize(value[keys[index]], memory));
  }
  made.keys = kept;
  made.values = values;
  return made;
}

// --- Deserialize -----------------------------------------------------------------------------------------------------

function deserialize(made) {
  if (typeof made !== 'object' || made === null) return made;
  if (made.copy !== undefined) return made.copy;
  const { data } = made;
  switch (made.kind) {
    case 'object':
      made.copy = {};
      return defineMembers(made);
    case 'array':
      made.copy = [];
      made.copy.length = data;
      return defineMembers(made);
    case 'map':
      made.copy = new Map();
      for (let index = 0; index < made.keys.length; index++) {
        MapPrototypeSet(made.copy, deserialize(made.keys[index]), deserialize(made.values[index]));
      }
      return made.copy;
    case 'set':
      made.copy = new Set();
      for (let index = 0; index < made.values.length; index++) SetPrototypeAdd(made.copy, deserialize(made.values[index]));
      return made.copy;
    case 'date':
      return (made.copy = new Date(data));
    case 'regexp':
      return (made.copy = new RegExp(data.source, data.flags));
    case 'boxed':
      return (made.copy = Object(data));
    case 'buffer':
      return (made.copy = data);
    case 'view': {
      const Class = data.name === undefined ? DataView : VIEWS[data.name];
      return (made.copy = new Class(deserialize(data.buffer), data.offset, data.length));
    }
    case 'error':
      return deserializeError(made, new (ERRORS[data.name] ?? Error)());
    case 'exception':
      return deserializeError(made, new DOMException(data.message, data.name));
    default:
      return (made.copy = data());
  }
}

function defineMembers(made) {
  const { copy, keys, values } = made;
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index];
    const value = deserialize(values[index]);
    // Assignment is faster, but would run a setter that the prototype has for the key.
    if (key in copy) define(copy, key, value, true);
    else copy[key] = value;
  }
  return copy;
}

function define(object, name, value, enumerable) {
  ObjectDefineProperty(object, name, { __proto__: null, value, writable: true, enumerable, configurable: true });
}

function deserializeError(made, error) {
  made.copy = error;
  const { data } = made;
  if (made.kind === 'error' && data.message !== undefined) define(error, 'message', data.message, false);
  if (data.cause !== undefined) define(error, 'cause', deserialize(data.cause), false);
  if (data.stack !== undefined) define(error, 'stack', data.stack, false);
  return error;
}

// --- Transfer --------------------------------------------------------------------------------------------------------

function structuredClone(value, options = undefined) {
  requireArguments(arguments.length, 1, "Failed to execute 'structuredClone'");
  const dictionary = convert.dictionary(options, "Failed to execute 'structuredClone': the second argument");
  const transfer = dictionary?.transfer;
  const list =
    transfer === undefined ? [] : convert.sequence(transfer, "Failed to execute 'structuredClone': transfer", convert.object);
  if (!isObject(value) && typeof value !== 'symbol' && list.length === 0) return value;
  const memory = new SafeMap();
  for (let index = 0; index < list.length; index++) {
    const buffer = list[index];
    if (!isArrayBuffer(buffer)) throw new DOMException('Only ArrayBuffers can be transferred.', 'DataCloneError');
    if (memory.has(buffer)) throw new DOMException('An ArrayBuffer is listed twice for transfer.', 'DataCloneError');
    record(memory, buffer, 'buffer');
  }
  const root = serialize(value, memory);
  for (let index = 0; index < list.length; index++) {
    if (ArrayBufferPrototypeGetDetached(list[index])) {
      throw new DOMException('A detached ArrayBuffer cannot be transferred.', 'DataCloneError');
    }
    memory.get(list[index]).data = ArrayBufferPrototypeTransfer(list[index]);
  }
  return deserialize(root);
}

ObjectDefineProperty(structuredClone, 'length', { __proto__: null, value: 1, configurable: true });

exports.structuredClone = structuredClone;

/**
 * Registers a class of platform objects. `check(value)` returns undefined when the value is not of the class, false when
 * it is and has no clone, and a function that makes the clone when it has one.
 */
exports.registerPlatformClass = (check) => {
  ArrayPrototypePush(platformChecks, check);
};

// --- Platform objects ------------------------------------------------------------------------------------------------

const { blobFromState, createFile, fileAttributes, getBlobState, isFile } = use('web/blob');

exports.registerPlatformClass((value) => {
  const state = getBlobState(value);
  if (state === undefined) return undefined;
  if (!isFile(value)) return () => blobFromState(state);
  const { name, lastModified } = fileAttributes(value);
  return () => createFile(state, name, lastModified);
});

const { isEvent, isEventTarget } = use('web/events');
const { isURL } = use('web/url');
const { isURLSearchParams } = use('web/url/search_params');
const { listOf } = use('web/headers');
const { getFormEntries } = use('web/form-data');
const { getRequestState } = use('web/request');
const { getResponseState } = use('web/response');
const { getReadableState } = use('web/streams');
const { getWritableState } = use('web/streams/writable');

exports.registerPlatformClass((value) => {
  const known =
    isEvent(value) ||
    isEventTarget(value) ||
    isURL(value) ||
    isURLSearchParams(value) ||
    listOf(value) !== undefined ||
    getFormEntries(value) !== undefined ||
    getRequestState(value) !== undefined ||
    getResponseState(value) !== undefined ||
    getReadableState(value) !== undefined ||
    getWritableState(value) !== undefined;
  return known ? false : undefined;
});
