// node:util/types: which kind of object a value is, whatever its prototype says.
const { ArrayBufferIsView, ObjectPrototypeHasOwnProperty, TypedArrayPrototypeGetSymbolToStringTag } = primordials;

/** The engine's name for the kind of object ('Map', 'Promise', 'Proxy', …); '' for plain objects and primitives. */
function tagOf(value) {
  const tag = native.typeTag(value);
  // Of async functions only generators have a prototype.
  return tag === 'AsyncFunction' && ObjectPrototypeHasOwnProperty(value, 'prototype') ? 'AsyncGeneratorFunction' : tag;
}
exports.tagOf = tagOf;

const types = {};
function byTag(name, ...tags) {
  const { 0: first, 1: second = first } = tags;
  types[name] = {
    [name](value) {
      if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false;
      const tag = tagOf(value);
      return tag === first || tag === second;
    },
  }[name];
}
byTag('isExternal', 'External');
byTag('isDate', 'Date');
byTag('isArgumentsObject', 'Arguments');
byTag('isBigIntObject', 'BoxedBigInt');
byTag('isBooleanObject', 'BoxedBoolean');
byTag('isNumberObject', 'BoxedNumber');
byTag('isStringObject', 'BoxedString');
byTag('isSymbolObject', 'BoxedSymbol');
byTag('isNativeError', 'NativeError');
byTag('isRegExp', 'RegExp');
byTag('isAsyncFunction', 'AsyncFunction', 'AsyncGeneratorFunction');
byTag('isGeneratorFunction', 'GeneratorFunction', 'AsyncGeneratorFunction');
byTag('isGeneratorObject', 'GeneratorObject');
byTag('isPromise', 'Promise');
byTag('isMap', 'Map');
byTag('isSet', 'Set');
byTag('isMapIterator', 'MapIterator');
byTag('isSetIterator', 'SetIterator');
byTag('isWeakMap', 'WeakMap');
byTag('isWeakSet', 'WeakSet');
byTag('isArrayBuffer', 'ArrayBuffer');
byTag('isDataView', 'DataView');
byTag('isSharedArrayBuffer', 'SharedArrayBuffer');
byTag('isProxy', 'Proxy');
byTag('isModuleNamespaceObject', 'ModuleNamespace');
byTag('isAnyArrayBuffer', 'ArrayBuffer', 'SharedArrayBuffer');

const BOXED = {
  __proto__: null,
  BoxedBigInt: true,
  BoxedBoolean: true,
  BoxedNumber: true,
  BoxedString: true,
  BoxedSymbol: true,
};
types.isBoxedPrimitive = function isBoxedPrimitive(value) {
  return typeof value === 'object' && value !== null && BOXED[tagOf(value)] === true;
};

types.isArrayBufferView = function isArrayBufferView(value) {
  return ArrayBufferIsView(value);
};
// The getter of %TypedArray%.prototype[@@toStringTag] is undefined for whatever is no typed array.
types.isTypedArray = function isTypedArray(value) {
  return TypedArrayPrototypeGetSymbolToStringTag(value) !== undefined;
};
function byTypedArrayName(array) {
  const name = `is${array}`;
  types[name] = {
    [name](value) {
      return TypedArrayPrototypeGetSymbolToStringTag(value) === array;
    },
  }[name];
}
const ARRAYS = [
  'Uint8Array',
  'Uint8ClampedArray',
  'Uint16Array',
  'Uint32Array',
  'Int8Array',
  'Int16Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
];
for (let index = 0; index < ARRAYS.length; index++) byTypedArrayName(ARRAYS[index]);

/** There is no node:crypto yet, hence no KeyObject. */
types.isKeyObject = function isKeyObject() {
  return false;
};
types.isCryptoKey = function isCryptoKey(value) {
  const { CryptoKey } = use('web/crypto');
  return CryptoKey !== undefined && value instanceof CryptoKey;
};

/** `[state, result]` of a promise; state 0 pending, 1 fulfilled, 2 rejected. */
exports.promiseDetails = native.promiseDetails;
/** `[target, handler]` of a proxy, both null once it is revoked. */
exports.proxyDetails = native.proxyDetails;
/** `[entries, keyed]` of a map, set, weak collection or their iterators, which are not advanced; entries alternate key and value if `keyed`. */
exports.previewEntries = native.previewEntries;
exports.types = types;
exports.default = types;
