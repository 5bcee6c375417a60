// Web IDL's `iterable<K, V>`: entries, keys, values, forEach and their live iterator, for classes that are lists of pairs.
const {
  FunctionPrototypeCall, ObjectDefineProperty, ObjectGetPrototypeOf, ObjectSetPrototypeOf, SymbolIterator,
  SymbolToStringTag, TypeError,
} = primordials;
const { illegalInvocation, requireArguments } = use('web/webidl');

const IteratorPrototype = ObjectGetPrototypeOf(ObjectGetPrototypeOf([][SymbolIterator]()));

const KEYS = 0;
const VALUES = 1;
const ENTRIES = 2;

/**
 * Adds the four methods and Symbol.iterator to `Class.prototype`. `pairsOf(object)` gives the flat list [key, value, …] as it is now, or
 * undefined when `object` is not of the class. Returns the `entries` function.
 */
function definePairIterable(Class, name, pairsOf) {
  class PairIterator {
    #target;
    #kind;
    #index = 0;

    constructor(target, kind) {
      this.#target = target;
      this.#kind = kind;
    }

    next() {
      if (typeof this !== 'object' || this === null || !(#target in this)) throw illegalInvocation();
      const pairs = pairsOf(this.#target);
      const index = this.#index;
      if (index >= pairs.length) return { value: undefined, done: true };
      this.#index = index + 2;
      if (this.#kind === KEYS) return { value: pairs[index], done: false };
      if (this.#kind === VALUES) return { value: pairs[index + 1], done: false };
      return { value: [pairs[index], pairs[index + 1]], done: false };
    }
  }
  const { prototype } = PairIterator;
  delete prototype.constructor;
  ObjectSetPrototypeOf(prototype, IteratorPrototype);
  ObjectDefineProperty(prototype, 'next', { __proto__: null, enumerable: true });
  ObjectDefineProperty(prototype, SymbolToStringTag, { __proto__: null, value: `${name} Iterator`, configurable: true });
  const open = (target, kind) => {
    if (pairsOf(target) === undefined) throw illegalInvocation();
    return new PairIterator(target, kind);
  };
  const methods = {
    entries() {
      return open(this, ENTRIES);
    },
    keys() {
      return open(this, KEYS);
    },
    values() {
      return open(this, VALUES);
    },
    forEach(callback, thisArg = undefined) {
      if (pairsOf(this) === undefined) throw illegalInvocation();
      const context = `Failed to execute 'forEach' on '${name}'`;
      requireArguments(arguments.length, 1, context);
      if (typeof callback !== 'function') throw new TypeError(`${context}: parameter 1 is not a function`);
      for (let index = 0, pairs; index < (pairs = pairsOf(this)).length; index += 2) {
        FunctionPrototypeCall(callback, thisArg, pairs[index + 1], pairs[index], this);
      }
    },
  };
  define(Class.prototype, 'entries', methods.entries, true);
  define(Class.prototype, 'forEach', methods.forEach, true);
  define(Class.prototype, 'keys', methods.keys, true);
  define(Class.prototype, 'values', methods.values, true);
  define(Class.prototype, SymbolIterator, methods.entries, false);
  return methods.entries;
}

function define(object, key, value, enumerable) {
  ObjectDefineProperty(object, key, { __proto__: null, value, writable: true, enumerable, configurable: true });
}

exports.definePairIterable = definePairIterable;
