// Web IDL: https://webidl.spec.whatwg.org
//
// Converters take (value, context): `context` names the argument in error messages, for instance
// "Failed to construct 'URL': argument 1". They throw TypeError and return the converted value.

const {
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  ArrayPrototypePush,
  BigInt,
  BigIntAsIntN,
  BigIntAsUintN,
  DataViewPrototypeGetBuffer,
  DataViewPrototypeGetByteLength,
  DataViewPrototypeGetByteOffset,
  FunctionPrototypeCall,
  MathFloor,
  MathFround,
  MathMax,
  MathMin,
  MathTrunc,
  Number,
  NumberIsFinite,
  NumberIsNaN,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  ReflectApply,
  ReflectOwnKeys,
  StringPrototypeCharCodeAt,
  StringPrototypeToWellFormed,
  SymbolIterator,
  SymbolToStringTag,
  TypeError,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetSymbolToStringTag,
  Uint8Array,
} = primordials;

function describe(context) {
  return context === undefined ? 'The value' : context;
}

function fail(context, problem) {
  throw new TypeError(`${describe(context)} ${problem}`);
}

function isObject(value) {
  return typeof value === 'object' ? value !== null : typeof value === 'function';
}

// --- Strings ---------------------------------------------------------------------------------------------------------

function DOMString(value) {
  // A template literal throws on symbols, as the standard asks; String() would not.
  return typeof value === 'string' ? value : `${value}`;
}

function USVString(value) {
  return StringPrototypeToWellFormed(typeof value === 'string' ? value : `${value}`);
}

function ByteString(value, context) {
  const text = DOMString(value);
  for (let index = 0; index < text.length; index++) {
    if (StringPrototypeCharCodeAt(text, index) > 255) {
      fail(context, `has a character above U+00FF at index ${index}, so it is not a ByteString.`);
    }
  }
  return text;
}

// --- Numbers ---------------------------------------------------------------------------------------------------------

function toNumber(value, context) {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') fail(context, 'is a BigInt and cannot be converted to a number.');
  return +value;
}

function roundHalfToEven(number) {
  const floor = MathFloor(number);
  const rest = number - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Makes the converter of an integer type of at most 53 usable bits: (value, context, { enforceRange, clamp }). */
function integerConverter(bits, signed) {
  const exact = bits <= 53;
  const upper = exact ? (signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1) : 2 ** 53 - 1;
  const lower = signed ? (exact ? -(2 ** (bits - 1)) : -(2 ** 53 - 1)) : 0;
  const modulus = 2 ** bits;
  return (value, context, options) => {
    let number = toNumber(value, context);
    if (options !== undefined) {
      if (options.enforceRange) {
        if (!NumberIsFinite(number)) fail(context, 'is not a finite number.');
        number = MathTrunc(number);
        if (number < lower || number > upper) fail(context, `is outside the range ${lower} to ${upper}.`);
        return number + 0;
      }
      if (options.clamp) {
        if (NumberIsNaN(number)) return 0;
        return roundHalfToEven(MathMin(MathMax(number, lower), upper)) + 0;
      }
    }
    if (!NumberIsFinite(number)) return 0;
    number = MathTrunc(number) + 0;
    if (number >= lower && number <= upper) return number;
    if (!exact) {
      const wrapped = signed ? BigIntAsIntN(bits, BigInt(number)) : BigIntAsUintN(bits, BigInt(number));
      return Number(wrapped);
    }
    number %= modulus;
    if (number < 0) number += modulus;
    return signed && number > upper ? number - modulus : number + 0;
  };
}

function unrestrictedDouble(value, context) {
  return toNumber(value, context);
}

function double(value, context) {
  const number = toNumber(value, context);
  if (!NumberIsFinite(number)) fail(context, 'is not a finite number.');
  return number;
}

function float(value, context) {
  const number = MathFround(double(value, context));
  if (!NumberIsFinite(number)) fail(context, 'is outside the range of a float.');
  return number;
}

function boolean(value) {
  return !!value;
}

// --- Objects ---------------------------------------------------------------------------------------------------------

function object(value, context) {
  if (!isObject(value)) fail(context, 'is not an object.');
  return value;
}

function callback(value, context) {
  if (typeof value !== 'function') fail(context, 'is not a function.');
  return value;
}

/** undefined and null become undefined; anything else must be an object. Members are then read with `member`. */
function dictionary(value, context) {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) fail(context, 'is not an object, so it cannot be a dictionary.');
  return value;
}

/** Reads one member of a dictionary: `fallback` where it is undefined or there is no dictionary. */
function member(dictionaryObject, name, converter, fallback, context) {
  if (dictionaryObject === undefined || dictionaryObject === null) return fallback;
  const value = dictionaryObject[name];
  return value === undefined ? fallback : converter(value, context === undefined ? `Member '${name}'` : context);
}

/** sequence<T>: an iterable object, read into an array of its own. */
function sequence(value, context, converter) {
  if (!isObject(value)) fail(context, 'is not iterable, so it cannot be converted to a sequence.');
  const method = value[SymbolIterator];
  if (method === undefined || method === null) fail(context, 'is not iterable, so it cannot be converted to a sequence.');
  return sequenceFromMethod(value, method, context, converter);
}

/** As `sequence`, when @@iterator was already read (unions must read it exactly once). */
function sequenceFromMethod(value, method, context, converter) {
  if (typeof method !== 'function') fail(context, 'has a Symbol.iterator that is not a function.');
  const iterator = FunctionPrototypeCall(method, value);
  if (!isObject(iterator)) fail(context, 'has an iterator that is not an object.');
  const next = iterator.next;
  const list = [];
  for (let index = 0; ; index++) {
    const step = ReflectApply(next, iterator, []);
    if (!isObject(step)) fail(context, 'has an iterator whose results are not objects.');
    if (step.done) return list;
    const element = step.value;
    ArrayPrototypePush(list, converter === undefined ? element : converter(element, `${describe(context)}, element ${index}`));
  }
}

/** record<K, V> as an array of [key, value] pairs in property order; a repeated key (after conversion) keeps its place. */
function record(value, context, keyConverter, valueConverter) {
  if (!isObject(value)) fail(context, 'is not an object, so it cannot be converted to a record.');
  const keys = ReflectOwnKeys(value);
  const positions = { __proto__: null };
  const entries = [];
  for (let index = 0; index < keys.length; index++) {
    const descriptor = ObjectGetOwnPropertyDescriptor(value, keys[index]);
    if (descriptor === undefined || !descriptor.enumerable) continue;
    const key = keyConverter(keys[index], `${describe(context)}, a key`);
    const converted = valueConverter(value[keys[index]], `${describe(context)}, value of '${key}'`);
    if (key in positions) {
      entries[positions[key]][1] = converted;
    } else {
      positions[key] = entries.length;
      ArrayPrototypePush(entries, [key, converted]);
    }
  }
  return entries;
}

/** Makes the converter of an enumeration. */
function enumeration(name, values) {
  const known = { __proto__: null };
  for (let index = 0; index < values.length; index++) known[values[index]] = true;
  return (value, context) => {
    const text = DOMString(value);
    if (!(text in known)) fail(context, `'${text}' is not a valid value of ${name}.`);
    return text;
  };
}

/** Makes the converter of a nullable type: undefined and null become null. */
function nullable(converter) {
  return (value, context) => (value === undefined || value === null ? null : converter(value, context));
}

// --- Buffers ---------------------------------------------------------------------------------------------------------

function isArrayBuffer(value) {
  if (typeof value !== 'object' || value === null) return false;
  try {
    ArrayBufferPrototypeGetByteLength(value);
    return true;
  } catch {
    return false;
  }
}

function BufferSource(value, context) {
  if (!ArrayBufferIsView(value) && !isArrayBuffer(value)) fail(context, 'is not an ArrayBuffer or a view of one.');
  return value;
}

/**
 * The bytes of a BufferSource as a Uint8Array over the same memory, whatever the guest did to the prototypes. A
 * detached buffer has none.
 */
function bytesOf(source) {
  let buffer = source;
  let offset = 0;
  let length;
  if (ArrayBufferIsView(source)) {
    if (TypedArrayPrototypeGetSymbolToStringTag(source) !== undefined) {
      buffer = TypedArrayPrototypeGetBuffer(source);
      offset = TypedArrayPrototypeGetByteOffset(source);
      length = TypedArrayPrototypeGetByteLength(source);
    } else {
      try {
        buffer = DataViewPrototypeGetBuffer(source);
        offset = DataViewPrototypeGetByteOffset(source);
        length = DataViewPrototypeGetByteLength(source);
      } catch {
        length = 0; // A DataView over a detached buffer throws where a typed array says 0.
      }
    }
  } else {
    length = ArrayBufferPrototypeGetByteLength(source);
  }
  return length === 0 ? new Uint8Array(0) : new Uint8Array(buffer, offset, length);
}

exports.convert = {
  __proto__: null,
  any: (value) => value,
  DOMString,
  USVString,
  ByteString,
  byte: integerConverter(8, true),
  octet: integerConverter(8, false),
  short: integerConverter(16, true),
  unsignedShort: integerConverter(16, false),
  long: integerConverter(32, true),
  unsignedLong: integerConverter(32, false),
  longLong: integerConverter(64, true),
  unsignedLongLong: integerConverter(64, false),
  double,
  float,
  unrestrictedDouble,
  boolean,
  object,
  callback,
  dictionary,
  sequence,
  sequenceFromMethod,
  record,
  BufferSource,
};
exports.member = member;
exports.enumeration = enumeration;
exports.nullable = nullable;
exports.isObject = isObject;
exports.isArrayBuffer = isArrayBuffer;
exports.bytesOf = bytesOf;

/** Throws unless at least `needed` of the `count` arguments were passed. */
exports.requireArguments = (count, needed, context) => {
  if (count < needed) {
    throw new TypeError(`${describe(context)}: ${needed} argument${needed === 1 ? '' : 's'} required, but only ${count} present.`);
  }
};

/** Throws what a method throws whose `this` is not an object of its class. */
exports.illegalInvocation = () => {
  throw new TypeError('Illegal invocation');
};

/** Throws what `new X()` throws where guests cannot construct X. */
exports.illegalConstructor = () => {
  throw new TypeError('Illegal constructor');
};

/** Makes methods and accessors of `Class.prototype` enumerable, as interface members are; symbols are left alone. */
exports.defineEnumerable = (Class, names) => {
  for (let index = 0; index < names.length; index++) {
    ObjectDefineProperty(Class.prototype, names[index], { __proto__: null, enumerable: true });
  }
};

/** Makes static methods enumerable. */
exports.defineEnumerableStatic = (Class, names) => {
  for (let index = 0; index < names.length; index++) {
    ObjectDefineProperty(Class, names[index], { __proto__: null, enumerable: true });
  }
};

/** Defines constants, enumerable and read-only, on the class and on its prototype. */
exports.defineConstants = (Class, constants) => {
  const names = ReflectOwnKeys(constants);
  for (let index = 0; index < names.length; index++) {
    const descriptor = {
      __proto__: null,
      value: constants[names[index]],
      enumerable: true,
      writable: false,
      configurable: false,
    };
    ObjectDefineProperty(Class, names[index], descriptor);
    ObjectDefineProperty(Class.prototype, names[index], descriptor);
  }
};

/** Gives the prototype its Symbol.toStringTag. */
exports.setToStringTag = (Class, name) => {
  ObjectDefineProperty(Class.prototype, SymbolToStringTag, {
    __proto__: null,
    value: name,
    configurable: true,
    enumerable: false,
    writable: false,
  });
};
