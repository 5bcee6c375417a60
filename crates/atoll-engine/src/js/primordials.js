// Makes the captured originals that the platform's JavaScript works with, for exactly the names that it asks for.
// (names) => { primordials, complete }. Runs once, while the startup snapshot is built, before any guest code exists.
//
// V8 installs its newest globals into a context only after it was loaded from the snapshot. What is missing for that
// reason is `undefined` to builtins evaluated into the snapshot; `complete`, called when the context has been loaded and
// before guest code runs, adds it for the others and returns the names that are still missing, as text.
const { bind, call } = Function.prototype;
const uncurryThis = bind.bind(call);

const safe = (Class, name) => {
  // A subclass whose prototype chain ends at itself: what guests do to Map.prototype does not reach it.
  const Safe = { [name]: class extends Class {} }[name];
  for (const key of Reflect.ownKeys(Class.prototype)) {
    if (!Object.hasOwn(Safe.prototype, key)) {
      Object.defineProperty(Safe.prototype, key, Object.getOwnPropertyDescriptor(Class.prototype, key));
    }
  }
  Object.setPrototypeOf(Safe.prototype, null);
  return Object.freeze(Safe);
};

const TypedArray = Object.getPrototypeOf(Uint8Array);
const owners = { __proto__: null, TypedArray };
owners.AsyncIteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}).prototype);
owners.ArrayIteratorPrototype = Object.getPrototypeOf([][Symbol.iterator]());
owners.StringIteratorPrototype = Object.getPrototypeOf(''[Symbol.iterator]());
owners.MapIteratorPrototype = Object.getPrototypeOf(new Map().entries());
owners.SetIteratorPrototype = Object.getPrototypeOf(new Set().entries());

function addOwner(name) {
  // Only data properties: reading an accessor would evaluate the builtin of a lazy global.
  const value = Object.getOwnPropertyDescriptor(globalThis, name).value;
  if (/^[A-Z]/.test(name) && (typeof value === 'function' || typeof value === 'object') && value !== null) {
    owners[name] = value;
  }
}

// The language's own methods that make an array from an array ask it for a constructor, which guests can replace: these
// make plain ones, and Uint8Arrays, whatever Array.prototype has become.
const { trunc, max, min } = Math;
const { defineProperty, getOwnPropertyDescriptor } = Reflect;
const partOf = (key) => uncurryThis(getOwnPropertyDescriptor(TypedArray.prototype, key).get);
const [bufferOf, offsetOf, lengthOf] = ['buffer', 'byteOffset', 'byteLength'].map(partOf);
const OriginalUint8Array = Uint8Array;

function clamp(index, length, absent) {
  if (index === undefined) return absent;
  const whole = trunc(index) || 0;
  return whole < 0 ? max(length + whole, 0) : min(whole, length);
}

function append(array, value) {
  defineProperty(array, array.length, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
}

function slice(array, start = undefined, end = undefined) {
  const to = clamp(end, array.length, array.length);
  const made = [];
  for (let index = clamp(start, array.length, 0); index < to; index++) append(made, array[index]);
  return made;
}

function splice(array, start, count, ...items) {
  const from = clamp(start, array.length, 0);
  const removed = slice(array, from, from + count);
  const rest = slice(array, from + removed.length);
  array.length = from;
  for (let index = 0; index < items.length; index++) append(array, items[index]);
  for (let index = 0; index < rest.length; index++) append(array, rest[index]);
  return removed;
}

function filter(array, keep) {
  const made = [];
  for (let index = 0; index < array.length; index++) if (keep(array[index], index, array)) append(made, array[index]);
  return made;
}

function map(array, change) {
  const made = [];
  for (let index = 0; index < array.length; index++) append(made, change(array[index], index, array));
  return made;
}

function part(bytes, start = undefined, end = undefined) {
  const length = lengthOf(bytes);
  const from = clamp(start, length, 0);
  return new OriginalUint8Array(bufferOf(bytes), offsetOf(bytes) + from, max(clamp(end, length, length) - from, 0));
}

function copyOf(bytes, start = undefined, end = undefined) {
  const original = part(bytes, start, end);
  const copy = new OriginalUint8Array(lengthOf(original));
  setBytes(copy, original);
  return copy;
}
const setBytes = uncurryThis(Uint8Array.prototype.set);

const special = {
  __proto__: null,
  ArrayPrototypeFilter: filter,
  ArrayPrototypeMap: map,
  ArrayPrototypeSlice: slice,
  ArrayPrototypeSplice: splice,
  TypedArrayPrototypeSlice: copyOf,
  TypedArrayPrototypeSubarray: part,
  uncurryThis,
  ArrayPrototypePushApply: bind.call(Function.prototype.apply, Array.prototype.push),
  globalThis,
  SafeMap: safe(Map, 'SafeMap'),
  SafeSet: safe(Set, 'SafeSet'),
  SafeWeakMap: safe(WeakMap, 'SafeWeakMap'),
  SafeWeakSet: safe(WeakSet, 'SafeWeakSet'),
  decodeURI,
  decodeURIComponent,
  encodeURI,
  encodeURIComponent,
  escape,
  unescape,
  parseInt,
  parseFloat,
  isNaN,
  isFinite,
};

// `Slice` names `slice` or `Slice`; `SymbolIterator` names the property keyed by Symbol.iterator; `ToISOString` is found
// whatever its capitals.
function keyOf(object, name) {
  const symbol = /^Symbol([A-Z]\w*)$/.exec(name);
  if (symbol) {
    const key = Symbol[symbol[1][0].toLowerCase() + symbol[1].slice(1)];
    if (key !== undefined) return key;
  }
  if (name in object) return name;
  const lowered = name[0].toLowerCase() + name.slice(1);
  if (lowered in object) return lowered;
  for (let holder = object; holder !== null; holder = Object.getPrototypeOf(holder)) {
    const found = Object.getOwnPropertyNames(holder).find((key) => key.toLowerCase() === name.toLowerCase());
    if (found !== undefined) return found;
  }
  return undefined;
}

function descriptorOf(object, key) {
  for (let holder = object; holder !== null; holder = Object.getPrototypeOf(holder)) {
    const descriptor = Object.getOwnPropertyDescriptor(holder, key);
    if (descriptor !== undefined) return descriptor;
  }
  return undefined;
}

function member(owner, rest) {
  if (rest === '') return { value: owner };
  if (rest === 'Prototype') return { value: owner.prototype };
  const accessor = /^Prototype([GS]et)(\w+)$/.exec(rest);
  if (accessor && owner.prototype) {
    const key = keyOf(owner.prototype, accessor[2]);
    const descriptor = key === undefined ? undefined : descriptorOf(owner.prototype, key);
    const method = descriptor?.[accessor[1].toLowerCase()];
    if (method) return { value: uncurryThis(method) };
  }
  const method = /^Prototype(\w+)$/.exec(rest);
  if (method && owner.prototype) {
    const key = keyOf(owner.prototype, method[1]);
    const descriptor = key === undefined ? undefined : descriptorOf(owner.prototype, key);
    if (descriptor === undefined || !('value' in descriptor)) return undefined;
    return { value: typeof descriptor.value === 'function' ? uncurryThis(descriptor.value) : descriptor.value };
  }
  const key = keyOf(owner, rest);
  if (key === undefined) return undefined;
  const descriptor = descriptorOf(owner, key);
  // Iterator prototypes are owners without a constructor: their methods take `this` first, as all methods do.
  if (typeof owner === 'object' && typeof descriptor.value === 'function' && !namespaces.has(owner)) {
    return { value: uncurryThis(descriptor.value) };
  }
  if (descriptor.get) return { value: uncurryThis(descriptor.get) };
  return { value: typeof descriptor.value === 'function' && !/^[A-Z]/.test(String(key)) ? descriptor.value.bind(owner) : descriptor.value };
}
const namespaces = new Set([Math, JSON, Reflect, globalThis.Intl, globalThis.Atomics]);

const primordials = { __proto__: null };

/** Adds what can be found of `wanted`; returns the rest. */
function add(wanted) {
  for (const name of Object.getOwnPropertyNames(globalThis)) addOwner(name);
  const ownerNames = Object.keys(owners).sort((a, b) => b.length - a.length);
  const missing = [];
  for (const name of wanted) {
    let found = name in special ? { value: special[name] } : undefined;
    for (const ownerName of ownerNames) {
      if (found) break;
      if (name.startsWith(ownerName)) found = member(owners[ownerName], name.slice(ownerName.length));
    }
    if (found) primordials[name] = found.value;
    else missing.push(name);
  }
  return missing;
}

let missing = add(names);
function complete() {
  if (missing.length > 0) missing = add(missing);
  Object.freeze(primordials);
  return missing.join(', ');
}
return { primordials, complete };
