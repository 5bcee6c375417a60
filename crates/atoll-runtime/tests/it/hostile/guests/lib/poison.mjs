// Replaces everything that a guest can replace in the language and in the platform, and puts it back.
//
// The intrinsics are found by walking from the global object and from what syntax makes, so a new one is covered as soon as
// it exists. What this file itself needs while everything is poisoned, it has taken before.

const { apply, construct, defineProperty, deleteProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;
const { setTimeout, Promise, Set: OriginalSet, Symbol: OriginalSymbol } = globalThis;
const then = Promise.prototype.then;
const toText = Function.prototype.toString;
const [addTo, has] = [Set.prototype.add, Set.prototype.has];
const startsWith = String.prototype.startsWith;

/** What poisoned functions throw: the guest's own error, never to be taken for one of the platform's. */
export const own = { __proto__: null, isOwn: true };

/** Natives, and the objects that only the platform's code has, by their looks. */
export function isInternal(value) {
  if (typeof value === 'function') return apply(startsWith, apply(toText, value, []), ['function atoll:']);
  if (typeof value !== 'object' || value === null) return false;
  return getOwnPropertyDescriptor(value, 'ReflectApply') !== undefined || getOwnPropertyDescriptor(value, 'uncurryThis') !== undefined;
}

/** Everything that can be reached from `roots` by properties, accessors and prototypes. */
export function walk(roots, visit = () => {}) {
  const seen = new OriginalSet();
  const queue = [];
  const push = (value, path) => {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return;
    if (apply(has, seen, [value])) return;
    apply(addTo, seen, [value]);
    queue.push([value, path]);
  };
  for (const [name, value] of roots) push(value, name);
  for (let index = 0; index < queue.length; index++) {
    const [object, path] = queue[index];
    visit(object, path);
    push(getPrototypeOf(object), `${path}.__proto__`);
    for (const key of ownKeys(object)) {
      const name = `${path}.${String(key)}`;
      const descriptor = getOwnPropertyDescriptor(object, key);
      if (descriptor === undefined) continue;
      push(descriptor.value, name);
      push(descriptor.get, `get ${name}`);
      push(descriptor.set, `set ${name}`);
    }
  }
  return seen;
}

const syntax = [
  ['generator', (function* () {})()],
  ['async generator', (async function* () {})()],
  ['async function', async () => {}],
  ['array iterator', [][Symbol.iterator]()],
  ['string iterator', ''[Symbol.iterator]()],
  ['map iterator', new Map()[Symbol.iterator]()],
  ['set iterator', new Set()[Symbol.iterator]()],
  ['regexp', /x/],
  ['regexp iterator', 'x'.matchAll(/x/g)],
  ['iterator helper', [].values().map((x) => x)],
  ['wrapped iterator', Iterator.from({ next() {} })],
  ['segments', new Intl.Segmenter('en').segment('x')],
  ['segment iterator', new Intl.Segmenter('en').segment('x')[Symbol.iterator]()],
  ['error', new Error('x')],
];

/** Evaluates what is evaluated when first used, so that it is there to be poisoned. */
export async function load() {
  for (const key of ownKeys(globalThis)) void globalThis[key];
  const { builtinModules } = await import('node:module');
  const modules = [];
  for (const name of builtinModules) modules.push([`node:${name}`, await import(`node:${name.replace(/^node:/, '')}`)]);
  return modules;
}

let saved = [];
let touched = { __proto__: null };
let leaked = { __proto__: null };

function noticeInternals(receiver, values) {
  if (isInternal(receiver)) leaked[`receiver ${typeof receiver}`] = receiver;
  for (let index = 0; index < values.length; index++) {
    if (isInternal(values[index])) leaked[`argument ${index}`] = values[index];
  }
}

function throwing(name) {
  return function poison(...values) {
    touched[name] = true;
    noticeInternals(this, values);
    throw own;
  };
}

function replace(object, key, descriptor, name) {
  const { configurable, enumerable, writable } = descriptor;
  let next;
  if (typeof descriptor.value === 'function' || key === 'constructor') {
    if (!writable && !configurable) return;
    next = configurable
      ? { __proto__: null, configurable, enumerable, writable: true, value: throwing(name) }
      : { __proto__: null, value: throwing(name) };
  } else if (descriptor.get !== undefined || descriptor.set !== undefined) {
    if (!configurable) return;
    next = { __proto__: null, configurable, enumerable, get: throwing(`get ${name}`), set: throwing(`set ${name}`) };
  } else {
    return;
  }
  saved[saved.length] = { __proto__: null, object, key, descriptor, next };
}

/** Plans the replacement of every function and accessor in the graph, except of what `spared` says. */
export function planMethods(roots, spared) {
  const plan = [];
  saved = plan;
  walk([['globalThis', globalThis], ...syntax, ...roots], (object, path) => {
    if (apply(has, spared, [object])) return;
    for (const key of ownKeys(object)) replace(object, key, getOwnPropertyDescriptor(object, key), `${path}.${String(key)}`);
  });
  saved = [];
  return plan;
}

// What platforms read from objects that they make themselves.
const KEYS = [
  '0', '1', '2', 'then', 'value', 'done', 'next', 'return', 'throw', 'get', 'set', 'writable', 'enumerable', 'configurable',
  'length', 'index', 'name', 'code', 'cause', 'headers', 'body', 'signal', 'read', 'cancel', 'start', 'pull',
  'encoding', 'mode', 'flag', 'id', 'start', 'end', 'key', 'status', 'url', 'callback', 'delay', 'refed',
  'native', 'exports', 'use', 'primordials', 'evaluate', 'registry', 'state', 'stream', 'reader', 'controller', 'kind', 'data',
];
const SYMBOLS = ['iterator', 'asyncIterator', 'toPrimitive', 'species', 'hasInstance', 'isConcatSpreadable', 'match', 'replace', 'search', 'split', 'toStringTag', 'unscopables'];

/** Plans accessors on Object.prototype and Array.prototype for keys that objects without them would inherit. */
export function planKeys() {
  const plan = [];
  const add = (object, name, key) => {
    if (getOwnPropertyDescriptor(object, key) !== undefined) return;
    const label = `${name}.${String(key)}`;
    const next = {
      __proto__: null,
      configurable: true,
      enumerable: false,
      get() {
        touched[`get ${label}`] = true;
        return undefined;
      },
      set(value) {
        touched[`set ${label}`] = true;
        noticeInternals(this, [value]);
        // As an ordinary property would be: the platform's own objects must not have come here at all.
        defineProperty(this, key, { __proto__: null, configurable: true, enumerable: true, writable: true, value });
      },
    };
    plan[plan.length] = { __proto__: null, object, key, descriptor: undefined, next };
  };
  for (const key of KEYS) add(Object.prototype, 'Object.prototype', key);
  for (const key of SYMBOLS) add(Object.prototype, 'Object.prototype', OriginalSymbol[key]);
  for (const key of ['0', '1', '2']) add(Array.prototype, 'Array.prototype', key);
  return plan;
}

function put(plan) {
  for (let index = 0; index < plan.length; index++) {
    const { object, key, next } = plan[index];
    defineProperty(object, key, next);
  }
}

function restore(plan) {
  for (let index = plan.length - 1; index >= 0; index--) {
    const { object, key, descriptor } = plan[index];
    if (descriptor === undefined) deleteProperty(object, key);
    else defineProperty(object, key, descriptor);
  }
}

/** Makes a promise one that can be awaited while Promise.prototype.constructor is poisoned. */
function awaitable(promise) {
  defineProperty(promise, 'constructor', { __proto__: null, value: Promise });
  return promise;
}

const sleep = (ms) => awaitable(new Promise((resolve) => setTimeout(resolve, ms)));

const isPromise = (value) => typeof value === 'object' && value !== null && getPrototypeOf(value) === Promise.prototype;

/** Runs `body` while `plan` is in force; says what came of it, which poisons were met and what internals they saw. */
export function poisoned(plan, body) {
  return awaitable(underPoison(plan, body));
}

async function underPoison(plan, body) {
  touched = { __proto__: null };
  leaked = { __proto__: null };
  const outcome = { __proto__: null, settled: false, value: undefined, error: undefined };
  try {
    put(plan);
    const value = body();
    if (isPromise(value)) {
      defineProperty(value, 'constructor', { __proto__: null, value: undefined, configurable: true });
      const done = (result) => { outcome.settled = true; outcome.value = result; };
      const failed = (error) => { outcome.settled = true; outcome.error = { __proto__: null, error }; };
      apply(then, value, [done, failed]);
      for (let turns = 0; turns < 200 && !outcome.settled; turns++) await sleep(turns < 20 ? 0 : 10);
    } else {
      outcome.settled = true;
      outcome.value = value;
    }
  } catch (error) {
    outcome.settled = true;
    outcome.error = { __proto__: null, error };
  } finally {
    restore(plan);
  }
  return { ...outcome, touched: Object.keys(touched), leaked: Object.keys(leaked) };
}

/** The methods of an object's prototypes, as functions of their receiver. */
export function methodsOf(object) {
  const methods = { __proto__: null };
  for (const key in object) {
    const value = object[key];
    if (typeof value === 'function') methods[key] = (self, ...values) => apply(value, self, values);
  }
  for (let holder = getPrototypeOf(object); holder !== Object.prototype && holder !== null; holder = getPrototypeOf(holder)) {
    for (const key of ownKeys(holder)) {
      const { value } = getOwnPropertyDescriptor(holder, key);
      if (typeof value === 'function') methods[key] ??= (self, ...values) => apply(value, self, values);
    }
  }
  return methods;
}

/** Methods and accessors of classes as functions of their receiver, taken before anything is poisoned. */
export function taken(...classes) {
  const all = { __proto__: null };
  for (const Class of classes) {
    const methods = { __proto__: null };
    for (const key of ownKeys(Class.prototype)) {
      const { value, get } = getOwnPropertyDescriptor(Class.prototype, key);
      if (typeof value === 'function') methods[key] = (self, ...values) => apply(value, self, values);
      else if (get !== undefined) methods[key] = (self) => apply(get, self, []);
    }
    all[Class.name] = methods;
  }
  return all;
}

/** A value as text that two runs can be compared by. */
export function dump(value, depth = 0) {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Error || Object.prototype.toString.call(value) === '[object DOMException]') return `${value.name}(${value.message})`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}[${new Uint8Array(value.buffer, value.byteOffset, value.byteLength).join()}]`;
  if (value instanceof ArrayBuffer) return `ArrayBuffer[${new Uint8Array(value).join()}]`;
  if (depth > 6) return '…';
  if (Array.isArray(value)) return `[${value.map((element) => dump(element, depth + 1)).join()}]`;
  return `{${ownKeys(value).filter((key) => typeof key === 'string').map((key) => `${key}:${dump(value[key], depth + 1)}`).join()}}`;
}

/** Puts `plan` in force for good. */
export function force(plan, answer) {
  put(plan);
  return answer;
}
