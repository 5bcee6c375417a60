// Captures the originals of the language's own functions, for exactly the names that the platform's JavaScript asks for.
// (names) => { pick, complete, missing }. Runs once, while the startup snapshot is built, before any guest code exists.
//
// What a context of the snapshot holds costs at every context that is made from it, so it holds the originals as they are,
// in one array; the functions that are made of them (`this` as first argument) are made when a builtin that wants them is
// evaluated, which may be after guest code ran. `pick` therefore uses nothing that guests can replace.
//
// V8 installs its newest globals into a context only after it was loaded from the snapshot: `missing`. `complete`, called
// when the context has been loaded and before guest code runs, takes them in, and returns whether they are there.
const { bind, call } = Function.prototype;
const uncurryThis = bind.bind(call);
/** (function, receiver) => the function bound to it. */
const bindTo = uncurryThis(bind);

/** An original is handed over as it is, as a function that takes `this` first, or bound to the object that has it. */
const VALUE = 'v';
const METHOD = 'm';
const BOUND = 'b';

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
  if (rest === '') return { how: VALUE, value: owner };
  if (rest === 'Prototype') return { how: VALUE, value: owner.prototype };
  const accessor = /^Prototype([GS]et)(\w+)$/.exec(rest);
  if (accessor && owner.prototype) {
    const key = keyOf(owner.prototype, accessor[2]);
    const descriptor = key === undefined ? undefined : descriptorOf(owner.prototype, key);
    const method = descriptor?.[accessor[1].toLowerCase()];
    if (method) return { how: METHOD, value: method };
  }
  const method = /^Prototype(\w+)$/.exec(rest);
  if (method && owner.prototype) {
    const key = keyOf(owner.prototype, method[1]);
    const descriptor = key === undefined ? undefined : descriptorOf(owner.prototype, key);
    if (descriptor === undefined || !('value' in descriptor)) return undefined;
    return { how: typeof descriptor.value === 'function' ? METHOD : VALUE, value: descriptor.value };
  }
  const key = keyOf(owner, rest);
  if (key === undefined) return undefined;
  const descriptor = descriptorOf(owner, key);
  // Iterator prototypes are owners without a constructor: their methods take `this` first, as all methods do.
  if (typeof owner === 'object' && typeof descriptor.value === 'function' && !namespaces.has(owner)) {
    return { how: METHOD, value: descriptor.value };
  }
  if (descriptor.get) return { how: METHOD, value: descriptor.get };
  const isFunction = typeof descriptor.value === 'function' && !/^[A-Z]/.test(String(key));
  return { how: isFunction ? BOUND : VALUE, value: descriptor.value, receiver: isFunction ? owner : undefined };
}
const namespaces = new Set([Math, JSON, Reflect, globalThis.Intl, globalThis.Atomics]);

for (const name of Object.getOwnPropertyNames(globalThis)) addOwner(name);
const ownerNames = Object.keys(owners).sort((a, b) => b.length - a.length);

function find(name) {
  if (name in special) return { how: VALUE, value: special[name] };
  for (const ownerName of ownerNames) {
    const found = name.startsWith(ownerName) ? member(owners[ownerName], name.slice(ownerName.length)) : undefined;
    if (found) return found;
  }
  return undefined;
}

const originals = [];
/** The objects that bound originals are methods of. */
const receivers = [];
/** How each is made, a character for each. */
let ways = '';
/** Positions of what is not there yet. */
const missing = [];
for (const name of names) {
  const found = find(name);
  if (found === undefined) missing.push(originals.length);
  originals.push(found?.value);
  receivers.push(found?.receiver);
  ways += found?.how ?? VALUE;
}

/** What was made already, by position. */
const made = { __proto__: null };

function make(position) {
  const original = originals[position];
  switch (ways[position]) {
    case METHOD:
      return uncurryThis(original);
    case BOUND:
      return bindTo(original, receivers[position]);
    default:
      return original;
  }
}

/** The object that a builtin gets as `primordials`: for each of its `names`, what is at the position in `names` above. */
function pick(wanted, positions) {
  const picked = { __proto__: null };
  for (let index = 0; index < wanted.length; index++) {
    const position = positions[index];
    made[position] ??= make(position);
    picked[wanted[index]] = made[position];
  }
  return picked;
}

function complete() {
  for (let index = 0; index < missing.length; index++) {
    const position = missing[index];
    originals[position] = globalThis[names[position]];
    if (originals[position] === undefined) return false;
  }
  return true;
}
return { pick, complete, missing: missing.map((position) => names[position]).join(', ') };
