// Deep equality, strict (`util.isDeepStrictEqual`) and loose (`assert.deepEqual`).
const {
  ArrayBufferIsView,
  ArrayIsArray,
  ArrayPrototypeFilter,
  ArrayPrototypePush,
  BigIntPrototypeValueOf,
  BooleanPrototypeValueOf,
  DatePrototypeGetTime,
  MapIteratorPrototypeNext,
  MapPrototypeEntries,
  MapPrototypeGet,
  MapPrototypeGetSize,
  MapPrototypeHas,
  NumberPrototypeValueOf,
  ObjectGetOwnPropertySymbols,
  ObjectGetPrototypeOf,
  ObjectIs,
  ObjectKeys,
  ObjectPrototypeHasOwnProperty,
  ObjectPrototypePropertyIsEnumerable,
  ObjectPrototypeToString,
  RegExpPrototypeGetFlags,
  RegExpPrototypeGetSource,
  SafeMap,
  SetIteratorPrototypeNext,
  SetPrototypeGetSize,
  SetPrototypeHas,
  SetPrototypeValues,
  StringPrototypeValueOf,
  SymbolPrototypeValueOf,
  TypedArrayPrototypeGetLength,
  TypedArrayPrototypeGetSymbolToStringTag,
  Uint8Array,
} = primordials;
const { tagOf } = use('node/internal/util/types');
const { nonIndexKeysOf } = use('node/internal/util/inspect');

const UNBOX = {
  __proto__: null,
  BoxedNumber: NumberPrototypeValueOf,
  BoxedString: StringPrototypeValueOf,
  BoxedBoolean: BooleanPrototypeValueOf,
  BoxedBigInt: BigIntPrototypeValueOf,
  BoxedSymbol: SymbolPrototypeValueOf,
};

/** A proxy counts as the plain object it may pretend to be. */
function kindOf(value) {
  const tag = tagOf(value);
  return tag === 'Proxy' ? '' : tag;
}

/** One comparison: `strict`, and the values on the way from the roots, with their depth, for those that contain themselves. */
class Comparison {
  strict;
  #left = new SafeMap();
  #right = new SafeMap();
  #depth = 0;

  constructor(strict) {
    this.strict = strict;
  }

  equal(a, b) {
    if (a === b) return a !== 0 || !this.strict || ObjectIs(a, b);
    if (this.strict) {
      if (typeof a !== 'object') return typeof a === 'number' && a !== a && b !== b;
      if (typeof b !== 'object' || a === null || b === null) return false;
      if (ObjectGetPrototypeOf(a) !== ObjectGetPrototypeOf(b)) return false;
    } else {
      if (a === null || typeof a !== 'object')
        return (b === null || typeof b !== 'object') && (a == b || (a !== a && b !== b));
      if (b === null || typeof b !== 'object') return false;
    }
    if (ObjectPrototypeToString(a) !== ObjectPrototypeToString(b)) return false;
    return this.#kinds(a, b);
  }

  #kinds(a, b) {
    if (ArrayIsArray(a)) {
      if (!ArrayIsArray(b) || a.length !== b.length) return false;
      return this.#content(a, b, nonIndexKeys(a, this.strict), nonIndexKeys(b, this.strict), 'array');
    }
    const kind = kindOf(a);
    if (kind !== kindOf(b)) return false;
    if (ArrayBufferIsView(a)) return this.#views(a, b, kind);
    switch (kind) {
      case '':
        return this.#content(a, b, undefined, undefined, 'object');
      case 'Date':
        if (DatePrototypeGetTime(a) !== DatePrototypeGetTime(b)) return false;
        break;
      case 'RegExp':
        if (
          RegExpPrototypeGetSource(a) !== RegExpPrototypeGetSource(b) ||
          RegExpPrototypeGetFlags(a) !== RegExpPrototypeGetFlags(b) ||
          a.lastIndex !== b.lastIndex
        )
          return false;
        break;
      case 'NativeError':
        if (!this.#errors(a, b)) return false;
        break;
      case 'ArrayBuffer':
      case 'SharedArrayBuffer':
        if (!sameElements(new Uint8Array(a), new Uint8Array(b), true)) return false;
        break;
      case 'Set':
        return SetPrototypeGetSize(a) === SetPrototypeGetSize(b) && this.#content(a, b, undefined, undefined, 'set');
      case 'Map':
        return MapPrototypeGetSize(a) === MapPrototypeGetSize(b) && this.#content(a, b, undefined, undefined, 'map');
      case 'WeakMap':
      case 'WeakSet':
      case 'Promise':
        return false; // only the same one is equal; its content can't be seen
      default: {
        const unbox = UNBOX[kind];
        if (unbox !== undefined && !ObjectIs(unbox(a), unbox(b))) return false;
      }
    }
    return this.#content(a, b, undefined, undefined, 'object');
  }

  #views(a, b, kind) {
    const name = TypedArrayPrototypeGetSymbolToStringTag(a);
    if (name !== TypedArrayPrototypeGetSymbolToStringTag(b)) return false;
    if (kind === 'DataView') {
      if (
        !sameElements(
          new Uint8Array(a.buffer, a.byteOffset, a.byteLength),
          new Uint8Array(b.buffer, b.byteOffset, b.byteLength),
          true,
        )
      )
        return false;
    } else if (!sameElements(a, b, this.strict)) {
      return false;
    }
    return this.#content(a, b, nonIndexKeys(a, this.strict), nonIndexKeys(b, this.strict), 'object');
  }

  /** Name and message count though they are not enumerable; so do cause and errors. */
  #errors(a, b) {
    if (a.message !== b.message || a.name !== b.name) return false;
    const fields = ['cause', 'errors'];
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index];
      const owns = ObjectPrototypeHasOwnProperty(a, field);
      if (owns !== ObjectPrototypeHasOwnProperty(b, field)) return false;
      if (owns && !this.equal(a[field], b[field])) return false;
    }
    return true;
  }

  /** Own properties and elements; cycles count as equal when they close at the same place. */
  #content(a, b, givenKeys, otherKeys, kind) {
    const keys = givenKeys ?? ownKeys(a, this.strict);
    const others = otherKeys ?? ownKeys(b, this.strict);
    if (keys.length !== others.length) return false;
    for (let index = 0; index < keys.length; index++) {
      if (!ObjectPrototypePropertyIsEnumerable(b, keys[index])) return false;
    }
    const left = this.#left.get(a);
    const right = this.#right.get(b);
    if (left !== undefined && right !== undefined) return left === right;
    this.#depth++;
    if (left === undefined) this.#left.set(a, this.#depth);
    if (right === undefined) this.#right.set(b, this.#depth);
    const same = this.#members(a, b, keys, kind);
    if (left === undefined) this.#left.delete(a);
    if (right === undefined) this.#right.delete(b);
    return same;
  }

  #members(a, b, keys, kind) {
    if (kind === 'set' && !this.#sets(a, b)) return false;
    if (kind === 'map' && !this.#maps(a, b)) return false;
    if (kind === 'array') {
      for (let index = 0; index < a.length; index++) {
        if (ObjectPrototypeHasOwnProperty(a, index) !== ObjectPrototypeHasOwnProperty(b, index)) return false;
        if (!this.equal(a[index], b[index])) return false;
      }
    }
    for (let index = 0; index < keys.length; index++) if (!this.equal(a[keys[index]], b[keys[index]])) return false;
    return true;
  }

  #sets(a, b) {
    const unmatched = []; // of a: objects, and loosely compared primitives, that b does not have as they are
    const iterator = SetPrototypeValues(a);
    for (let step = SetIteratorPrototypeNext(iterator); !step.done; step = SetIteratorPrototypeNext(iterator)) {
      const { value } = step;
      if (SetPrototypeHas(b, value)) continue;
      if (this.strict && (typeof value !== 'object' || value === null)) return false;
      ArrayPrototypePush(unmatched, value);
    }
    if (unmatched.length === 0) return true;
    const candidates = [];
    const others = SetPrototypeValues(b);
    for (let step = SetIteratorPrototypeNext(others); !step.done; step = SetIteratorPrototypeNext(others)) {
      if (!SetPrototypeHas(a, step.value)) ArrayPrototypePush(candidates, step.value);
    }
    for (let index = 0; index < unmatched.length; index++) {
      const at = this.#indexOfEqual(candidates, unmatched[index]);
      if (at === -1) return false;
      removeAt(candidates, at);
    }
    return true;
  }

  #indexOfEqual(candidates, value) {
    for (let index = 0; index < candidates.length; index++) if (this.equal(value, candidates[index])) return index;
    return -1;
  }

  #maps(a, b) {
    const unmatched = [];
    const iterator = MapPrototypeEntries(a);
    for (let step = MapIteratorPrototypeNext(iterator); !step.done; step = MapIteratorPrototypeNext(iterator)) {
      const { 0: key, 1: value } = step.value;
      if (MapPrototypeHas(b, key) && this.equal(value, MapPrototypeGet(b, key))) continue;
      if (this.strict && (typeof key !== 'object' || key === null)) return false;
      ArrayPrototypePush(unmatched, step.value);
    }
    if (unmatched.length === 0) return true;
    const candidates = [];
    const others = MapPrototypeEntries(b);
    for (let step = MapIteratorPrototypeNext(others); !step.done; step = MapIteratorPrototypeNext(others)) {
      const { 0: key, 1: value } = step.value;
      if (!MapPrototypeHas(a, key) || !this.equal(MapPrototypeGet(a, key), value))
        ArrayPrototypePush(candidates, step.value);
    }
    for (let index = 0; index < unmatched.length; index++) {
      const { 0: key, 1: value } = unmatched[index];
      let at = -1;
      for (let other = 0; other < candidates.length && at === -1; other++) {
        if (this.equal(key, candidates[other][0]) && this.equal(value, candidates[other][1])) at = other;
      }
      if (at === -1) return false;
      removeAt(candidates, at);
    }
    return true;
  }
}

function removeAt(list, at) {
  for (let index = at; index < list.length - 1; index++) list[index] = list[index + 1];
  list.length--;
}

function ownKeys(value, strict) {
  const keys = ObjectKeys(value);
  if (!strict) return keys;
  const symbols = ArrayPrototypeFilter(ObjectGetOwnPropertySymbols(value), (symbol) =>
    ObjectPrototypePropertyIsEnumerable(value, symbol),
  );
  for (let index = 0; index < symbols.length; index++) ArrayPrototypePush(keys, symbols[index]);
  return keys;
}
function nonIndexKeys(value, strict) {
  const keys = nonIndexKeysOf(value, false);
  return strict ? keys : ArrayPrototypeFilter(keys, (key) => typeof key === 'string');
}

function sameElements(a, b, strict) {
  const length = TypedArrayPrototypeGetLength(a);
  if (length !== TypedArrayPrototypeGetLength(b)) return false;
  for (let index = 0; index < length; index++) {
    if (
      strict ? !ObjectIs(a[index], b[index]) : a[index] !== b[index] && (a[index] === a[index] || b[index] === b[index])
    )
      return false;
  }
  return true;
}

exports.isDeepEqual = (a, b) => new Comparison(false).equal(a, b);
exports.isDeepStrictEqual = (a, b) => new Comparison(true).equal(a, b);
