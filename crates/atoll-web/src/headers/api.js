// Headers. Inside the platform a header list is a flat array [name, value, …] with lower-case names in a HeaderList; the Headers object
// is a shell that is made when a guest asks for one.
const {
  ArrayPrototypePush, ArrayPrototypeSort, ObjectPrototypePropertyIsEnumerable, ReflectOwnKeys, RegExpPrototypeExec,
  SafeMap, StringPrototypeCharCodeAt, StringPrototypeSlice, StringPrototypeToLowerCase, SymbolFor, SymbolIterator,
  TypeError,
} = primordials;
const { convert, defineEnumerable, illegalInvocation, isObject, requireArguments, setToStringTag } = use('web/webidl');
const { definePairIterable } = use('web/headers/iterable');

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const invalidInValue = /[^\x01-\x09\x0b\x0c\x0e-\xff]/;

/** Values up to this length are checked by a loop: to enter a regular expression costs as much as so many characters. */
const MAX_LOOPED_CHARACTERS = 24;

/** Names seen so far → lower case: programs use few names, and each is checked once. */
const names = new SafeMap();
/** Entries of `names`: far more than a program has names, little enough that a guest who invents names wastes nothing. */
const MAX_NAMES = 512;

/** The lower-case name; TypeError unless it is an HTTP token. */
function normalizeName(name) {
  const text = typeof name === 'string' ? name : `${name}`;
  const known = names.get(text);
  if (known !== undefined) return known;
  if (RegExpPrototypeExec(token, text) === null) throw new TypeError(`'${text}' is not a valid header name`);
  const lower = StringPrototypeToLowerCase(text);
  if (names.size < MAX_NAMES) names.set(text, lower);
  return lower;
}

/** The value without surrounding white space; TypeError when HTTP can't carry it. */
function normalizeValue(value) {
  const text = typeof value === 'string' ? value : `${value}`;
  const { length } = text;
  if (length === 0) return text;
  if (isPrintable(StringPrototypeCharCodeAt(text, 0)) && isPrintable(StringPrototypeCharCodeAt(text, length - 1))) {
    if (length > MAX_LOOPED_CHARACTERS) {
      if (RegExpPrototypeExec(invalidInValue, text) === null) return text;
    } else {
      let index = 1;
      for (; index < length; index++) {
        const code = StringPrototypeCharCodeAt(text, index);
        if (code !== 0x20 && !isPrintable(code)) break;
      }
      if (index >= length) return text;
    }
  }
  return trimmedValue(text);
}

/** ASCII that is seen: valid in a value, wherever it stands. */
function isPrintable(code) {
  return code > 0x20 && code < 0x7f;
}

function trimmedValue(text) {
  let start = 0;
  let end = text.length;
  while (start < end && isWhitespace(StringPrototypeCharCodeAt(text, start))) start++;
  while (end > start && isWhitespace(StringPrototypeCharCodeAt(text, end - 1))) end--;
  const trimmed = StringPrototypeSlice(text, start, end);
  if (RegExpPrototypeExec(invalidInValue, trimmed) !== null) throw new TypeError('A header value has a character that HTTP does not allow');
  return trimmed;
}

function isWhitespace(code) {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}

class HeaderList {
  /** [name, value, …]; names in lower case. */
  flat;
  /** The same, sorted by name and combined; null after a change. */
  #sorted = null;

  constructor(flat = []) {
    this.flat = flat;
  }

  clone() {
    const { flat } = this;
    const copy = [];
    for (let index = 0; index < flat.length; index++) ArrayPrototypePush(copy, flat[index]);
    return new HeaderList(copy);
  }

  /** The combined value, or null. `name` is in lower case. */
  get(name) {
    const { flat } = this;
    let value = null;
    for (let index = 0; index < flat.length; index += 2) {
      if (flat[index] === name) value = value === null ? flat[index + 1] : `${value}, ${flat[index + 1]}`;
    }
    return value;
  }

  has(name) {
    const { flat } = this;
    for (let index = 0; index < flat.length; index += 2) {
      if (flat[index] === name) return true;
    }
    return false;
  }

  append(name, value) {
    this.#sorted = null;
    ArrayPrototypePush(this.flat, name, value);
  }

  set(name, value) {
    const { flat } = this;
    this.#sorted = null;
    for (let index = 0; index < flat.length; index += 2) {
      if (flat[index] !== name) continue;
      flat[index + 1] = value;
      this.#removeFrom(index + 2, name);
      return;
    }
    ArrayPrototypePush(flat, name, value);
  }

  delete(name) {
    this.#sorted = null;
    this.#removeFrom(0, name);
  }

  #removeFrom(start, name) {
    const { flat } = this;
    let kept = start;
    for (let index = start; index < flat.length; index += 2) {
      if (flat[index] === name) continue;
      flat[kept] = flat[index];
      flat[kept + 1] = flat[index + 1];
      kept += 2;
    }
    flat.length = kept;
  }

  values(name) {
    const { flat } = this;
    const values = [];
    for (let index = 0; index < flat.length; index += 2) {
      if (flat[index] === name) ArrayPrototypePush(values, flat[index + 1]);
    }
    return values;
  }

  /** The standard's "sort and combine", flat: `set-cookie` stays one pair for each value. */
  sorted() {
    if (this.#sorted !== null) return this.#sorted;
    const { flat } = this;
    const combined = new SafeMap();
    const unique = [];
    for (let index = 0; index < flat.length; index += 2) {
      const name = flat[index];
      const known = combined.get(name);
      if (known === undefined) {
        ArrayPrototypePush(unique, name);
        combined.set(name, flat[index + 1]);
      } else if (name !== 'set-cookie') {
        combined.set(name, `${known}, ${flat[index + 1]}`);
      }
    }
    ArrayPrototypeSort(unique, (a, b) => (a < b ? -1 : 1));
    const sorted = [];
    for (let index = 0; index < unique.length; index++) {
      const name = unique[index];
      if (name === 'set-cookie') {
        const cookies = this.values(name);
        for (let cookie = 0; cookie < cookies.length; cookie++) ArrayPrototypePush(sorted, name, cookies[cookie]);
      } else {
        ArrayPrototypePush(sorted, name, combined.get(name));
      }
    }
    this.#sorted = sorted;
    return sorted;
  }

  /** Appends what a HeadersInit holds. */
  fill(init, context) {
    if (!isObject(init)) throw new TypeError(`${context}: the headers are not an object`);
    const method = init[SymbolIterator];
    if (method === undefined || method === null) {
      this.#fillFromRecord(init);
      return;
    }
    const other = listOf(init);
    if (other !== undefined && method === originalEntries) {
      const { flat } = other;
      const count = flat.length; // `init` may be this very list
      for (let index = 0; index < count; index++) ArrayPrototypePush(this.flat, flat[index]);
      return;
    }
    const pairs = convert.sequenceFromMethod(init, method, context, (pair, where) => convert.sequence(pair, where, convert.ByteString));
    for (let index = 0; index < pairs.length; index++) {
      const pair = pairs[index];
      if (pair.length !== 2) throw new TypeError(`${context}: a header is not a pair of name and value`);
      this.append(normalizeName(pair[0]), normalizeValue(pair[1]));
    }
  }

  #fillFromRecord(init) {
    const keys = ReflectOwnKeys(init);
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index];
      if (!ObjectPrototypePropertyIsEnumerable(init, key)) continue;
      // A template literal would convert an enumerable symbol to an error without words.
      if (typeof key === 'symbol') throw new TypeError('A symbol is not a valid header name');
      ArrayPrototypePush(this.flat, normalizeName(key), normalizeValue(init[key]));
    }
  }
}

const internal = { __proto__: null };
/** The HeaderList of a Headers object; undefined for anything else. */
let listOf;

class Headers {
  #list;
  #immutable = false;

  constructor(init = undefined) {
    if (init === internal) {
      this.#list = arguments[1];
      this.#immutable = arguments[2];
      return;
    }
    this.#list = new HeaderList();
    if (init !== undefined) this.#list.fill(init, "Failed to construct 'Headers'");
  }

  append(name, value) {
    if (!(#list in this)) throw illegalInvocation();
    requireArguments(arguments.length, 2, "Failed to execute 'append' on 'Headers'");
    const key = normalizeName(name);
    const text = normalizeValue(value);
    this.#checkMutable();
    this.#list.append(key, text);
  }

  delete(name) {
    if (!(#list in this)) throw illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'delete' on 'Headers'");
    const key = normalizeName(name);
    this.#checkMutable();
    this.#list.delete(key);
  }

  get(name) {
    if (!(#list in this)) throw illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'get' on 'Headers'");
    return this.#list.get(normalizeName(name));
  }

  getSetCookie() {
    if (!(#list in this)) throw illegalInvocation();
    return this.#list.values('set-cookie');
  }

  has(name) {
    if (!(#list in this)) throw illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'has' on 'Headers'");
    return this.#list.has(normalizeName(name));
  }

  set(name, value) {
    if (!(#list in this)) throw illegalInvocation();
    requireArguments(arguments.length, 2, "Failed to execute 'set' on 'Headers'");
    const key = normalizeName(name);
    const text = normalizeValue(value);
    this.#checkMutable();
    this.#list.set(key, text);
  }

  [SymbolFor('nodejs.util.inspect.custom')](depth, options, inspect) {
    const list = listOf(this);
    if (list === undefined) return 'Headers';
    const shown = { __proto__: null };
    const sorted = list.sorted();
    for (let index = 0; index < sorted.length; index += 2) {
      const known = shown[sorted[index]];
      shown[sorted[index]] = known === undefined ? sorted[index + 1] : `${known}, ${sorted[index + 1]}`;
    }
    return `Headers ${inspect({ ...shown }, options)}`;
  }

  #checkMutable() {
    if (this.#immutable) throw new TypeError('These headers are immutable');
  }

  static {
    listOf = (headers) => (typeof headers === 'object' && headers !== null && #list in headers ? headers.#list : undefined);
  }
}
defineEnumerable(Headers, ['append', 'delete', 'get', 'getSetCookie', 'has', 'set']);
const originalEntries = definePairIterable(Headers, 'Headers', (headers) => listOf(headers)?.sorted());
setToStringTag(Headers, 'Headers');

/** The Headers object for a list that somebody else holds too. */
function createHeaders(list, immutable) {
  return new Headers(internal, list, immutable);
}

exports.HeaderList = HeaderList;
exports.Headers = Headers;
exports.createHeaders = createHeaders;
exports.listOf = listOf;
