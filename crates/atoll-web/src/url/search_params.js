// URLSearchParams: https://url.spec.whatwg.org/#interface-urlsearchparams
//
// The list is flat: name, value, name, value, …

const {
  ArrayIteratorPrototype,
  ArrayPrototypePush,
  ArrayPrototypeSort,
  FunctionPrototypeCall,
  ObjectDefineProperty,
  ObjectGetPrototypeOf,
  ObjectSetPrototypeOf,
  StringPrototypeCharCodeAt,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  SymbolFor,
  SymbolIterator,
  SymbolToStringTag,
  TypeError,
  decodeURIComponent,
  encodeURIComponent,
} = primordials;
const { convert, defineEnumerable, illegalInvocation, isObject, requireArguments, setToStringTag } = use('web/webidl');

// --- application/x-www-form-urlencoded -------------------------------------------------------------------------------

function decodeComponent(text) {
  if (StringPrototypeIndexOf(text, '+') === -1 && StringPrototypeIndexOf(text, '%') === -1) return text;
  let decoded = '';
  let start = 0;
  let hasPercent = false;
  for (let index = 0; index < text.length; index++) {
    const code = StringPrototypeCharCodeAt(text, index);
    if (code === 0x2b /* + */) {
      decoded += `${StringPrototypeSlice(text, start, index)} `;
      start = index + 1;
    } else if (code === 0x25 /* % */) {
      hasPercent = true;
    }
  }
  decoded = start === 0 ? text : decoded + StringPrototypeSlice(text, start);
  if (!hasPercent) return decoded;
  try {
    return decodeURIComponent(decoded);
  } catch {
    return native.percentDecode(decoded); // Malformed sequences stay, or become U+FFFD.
  }
}

/** Parses a query (well-formed, without its question mark) into a flat list. */
function parseUrlEncoded(text) {
  const list = [];
  let start = 0;
  while (start < text.length) {
    let end = StringPrototypeIndexOf(text, '&', start);
    if (end === -1) end = text.length;
    if (end > start) {
      const part = StringPrototypeSlice(text, start, end);
      const equals = StringPrototypeIndexOf(part, '=');
      const name = equals === -1 ? part : StringPrototypeSlice(part, 0, equals);
      ArrayPrototypePush(list, decodeComponent(name));
      ArrayPrototypePush(list, equals === -1 ? '' : decodeComponent(StringPrototypeSlice(part, equals + 1)));
    }
    start = end + 1;
  }
  return list;
}

function isUnreserved(code) {
  return (
    (code >= 0x61 && code <= 0x7a) || // a-z
    (code >= 0x41 && code <= 0x5a) || // A-Z
    (code >= 0x30 && code <= 0x39) || // 0-9
    code === 0x2a || code === 0x2d || code === 0x2e || code === 0x5f // * - . _
  );
}

const HEX = '0123456789ABCDEF';

function escape(code) {
  return code === 0x20 ? '+' : `%${HEX[code >> 4]}${HEX[code & 15]}`;
}

function encodeComponent(text) {
  let encoded = '';
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const code = StringPrototypeCharCodeAt(text, index);
    if (isUnreserved(code)) continue;
    if (code > 0x7f) return encodeUnicode(text);
    encoded += StringPrototypeSlice(text, start, index) + escape(code);
    start = index + 1;
  }
  return start === 0 ? text : encoded + StringPrototypeSlice(text, start);
}

function encodeUnicode(text) {
  // encodeURIComponent leaves ! ' ( ) ~ as they are, and a space is %20 to it.
  const escaped = encodeURIComponent(text);
  let encoded = '';
  let start = 0;
  for (let index = 0; index < escaped.length; index++) {
    const code = StringPrototypeCharCodeAt(escaped, index);
    if (code === 0x25 /* % */) {
      const isSpace =
        StringPrototypeCharCodeAt(escaped, index + 1) === 0x32 && StringPrototypeCharCodeAt(escaped, index + 2) === 0x30;
      if (isSpace) {
        encoded += `${StringPrototypeSlice(escaped, start, index)}+`;
        start = index + 3;
      }
      index += 2;
    } else if (!isUnreserved(code)) {
      encoded += StringPrototypeSlice(escaped, start, index) + escape(code);
      start = index + 1;
    }
  }
  return encoded + StringPrototypeSlice(escaped, start);
}

function serializeUrlEncoded(list) {
  let text = '';
  for (let index = 0; index < list.length; index += 2) {
    if (index > 0) text += '&';
    text += `${encodeComponent(list[index])}=${encodeComponent(list[index + 1])}`;
  }
  return text;
}

exports.parseUrlEncoded = parseUrlEncoded;
exports.serializeUrlEncoded = serializeUrlEncoded;

// --- URLSearchParams -------------------------------------------------------------------------------------------------

let stateOf;
let isURLSearchParams;

class ParamsState {
  list = [];
  update = undefined; // of a URL's params: tells the URL
}

class URLSearchParams {
  #state = new ParamsState();

  static {
    isURLSearchParams = (value) => isObject(value) && #state in value;
    stateOf = (params) => (isObject(params) && #state in params ? params.#state : illegalInvocation());
  }

  constructor(init = '') {
    if (init === undefined || init === null || !isObject(init)) {
      let text = convert.USVString(init);
      if (text.length > 0 && text[0] === '?') text = StringPrototypeSlice(text, 1);
      this.#state.list = parseUrlEncoded(text);
      return;
    }
    const context = "Failed to construct 'URLSearchParams': argument 1";
    const method = init[SymbolIterator];
    const { list } = this.#state;
    if (method === undefined || method === null) {
      const entries = convert.record(init, context, convert.USVString, convert.USVString);
      for (let index = 0; index < entries.length; index++) {
        ArrayPrototypePush(list, entries[index][0]);
        ArrayPrototypePush(list, entries[index][1]);
      }
      return;
    }
    const pairs = convert.sequenceFromMethod(init, method, context, convertPair);
    for (let index = 0; index < pairs.length; index++) {
      if (pairs[index].length !== 2) {
        throw new TypeError(`${context}: each query pair must be an iterable [name, value] tuple.`);
      }
      ArrayPrototypePush(list, pairs[index][0]);
      ArrayPrototypePush(list, pairs[index][1]);
    }
  }

  get size() {
    return stateOf(this).list.length / 2;
  }

  append(name, value) {
    const state = stateOf(this);
    requireArguments(arguments.length, 2, "Failed to execute 'append' on 'URLSearchParams'");
    const key = convert.USVString(name);
    const text = convert.USVString(value);
    ArrayPrototypePush(state.list, key);
    ArrayPrototypePush(state.list, text);
    state.update?.();
  }

  delete(name, value = undefined) {
    const state = stateOf(this);
    requireArguments(arguments.length, 1, "Failed to execute 'delete' on 'URLSearchParams'");
    const key = convert.USVString(name);
    const text = value === undefined ? undefined : convert.USVString(value);
    removeFrom(state.list, 0, (otherKey, otherValue) => otherKey === key && (text === undefined || otherValue === text));
    state.update?.();
  }

  get(name) {
    const { list } = stateOf(this);
    requireArguments(arguments.length, 1, "Failed to execute 'get' on 'URLSearchParams'");
    const index = indexOf(list, convert.USVString(name));
    return index === -1 ? null : list[index + 1];
  }

  getAll(name) {
    const { list } = stateOf(this);
    requireArguments(arguments.length, 1, "Failed to execute 'getAll' on 'URLSearchParams'");
    const key = convert.USVString(name);
    const values = [];
    for (let index = 0; index < list.length; index += 2) {
      if (list[index] === key) ArrayPrototypePush(values, list[index + 1]);
    }
    return values;
  }

  has(name, value = undefined) {
    const { list } = stateOf(this);
    requireArguments(arguments.length, 1, "Failed to execute 'has' on 'URLSearchParams'");
    const key = convert.USVString(name);
    if (value === undefined) return indexOf(list, key) !== -1;
    const text = convert.USVString(value);
    for (let index = 0; index < list.length; index += 2) {
      if (list[index] === key && list[index + 1] === text) return true;
    }
    return false;
  }

  set(name, value) {
    const state = stateOf(this);
    requireArguments(arguments.length, 2, "Failed to execute 'set' on 'URLSearchParams'");
    const key = convert.USVString(name);
    const text = convert.USVString(value);
    const index = indexOf(state.list, key);
    if (index === -1) {
      ArrayPrototypePush(state.list, key);
      ArrayPrototypePush(state.list, text);
    } else {
      state.list[index + 1] = text;
      removeFrom(state.list, index + 2, (otherKey) => otherKey === key);
    }
    state.update?.();
  }

  sort() {
    const state = stateOf(this);
    const pairs = [];
    for (let index = 0; index < state.list.length; index += 2) {
      ArrayPrototypePush(pairs, { __proto__: null, key: state.list[index], value: state.list[index + 1] });
    }
    ArrayPrototypeSort(pairs, (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)); // by code units, stable
    for (let index = 0; index < pairs.length; index++) {
      state.list[2 * index] = pairs[index].key;
      state.list[2 * index + 1] = pairs[index].value;
    }
    state.update?.();
  }

  forEach(callback, thisArgument = undefined) {
    const state = stateOf(this);
    requireArguments(arguments.length, 1, "Failed to execute 'forEach' on 'URLSearchParams'");
    convert.callback(callback, "Failed to execute 'forEach' on 'URLSearchParams': argument 1");
    for (let index = 0; index < state.list.length; index += 2) {
      FunctionPrototypeCall(callback, thisArgument, state.list[index + 1], state.list[index], this);
    }
  }

  entries() {
    return new ParamsIterator(stateOf(this), 'entries');
  }

  keys() {
    return new ParamsIterator(stateOf(this), 'keys');
  }

  values() {
    return new ParamsIterator(stateOf(this), 'values');
  }

  toString() {
    return serializeUrlEncoded(stateOf(this).list);
  }

  [SymbolFor('nodejs.util.inspect.custom')](depth, options, inspect) {
    const { list } = stateOf(this);
    if (typeof depth === 'number' && depth < 0) return '[Object]';
    const parts = [];
    for (let index = 0; index < list.length; index += 2) {
      ArrayPrototypePush(parts, `${inspect(list[index], options)} => ${inspect(list[index + 1], options)}`);
    }
    let text = '';
    for (let index = 0; index < parts.length; index++) text += `${index > 0 ? ', ' : ''}${parts[index]}`;
    return text === '' ? 'URLSearchParams {}' : `URLSearchParams { ${text} }`;
  }
}

function convertPair(pair, context) {
  return convert.sequence(pair, context, convert.USVString);
}

function indexOf(list, key) {
  for (let index = 0; index < list.length; index += 2) {
    if (list[index] === key) return index;
  }
  return -1;
}

/** Removes the pairs from `start` on for which `matches(name, value)`, in one pass. */
function removeFrom(list, start, matches) {
  let kept = start;
  for (let index = start; index < list.length; index += 2) {
    if (matches(list[index], list[index + 1])) continue;
    list[kept] = list[index];
    list[kept + 1] = list[index + 1];
    kept += 2;
  }
  list.length = kept;
}

class ParamsIterator {
  #state;
  #kind;
  #index = 0;

  constructor(state, kind) {
    this.#state = state;
    this.#kind = kind;
  }

  next() {
    if (!isObject(this) || !(#state in this)) illegalInvocation();
    const { list } = this.#state;
    const index = this.#index;
    if (index >= list.length) return { value: undefined, done: true };
    this.#index = index + 2;
    if (this.#kind === 'keys') return { value: list[index], done: false };
    if (this.#kind === 'values') return { value: list[index + 1], done: false };
    return { value: [list[index], list[index + 1]], done: false };
  }
}

delete ParamsIterator.prototype.constructor;
ObjectSetPrototypeOf(ParamsIterator.prototype, ObjectGetPrototypeOf(ArrayIteratorPrototype));
defineEnumerable(ParamsIterator, ['next']);
ObjectDefineProperty(ParamsIterator.prototype, SymbolToStringTag, {
  __proto__: null, value: 'URLSearchParams Iterator', configurable: true,
});

ObjectDefineProperty(URLSearchParams.prototype, SymbolIterator, {
  __proto__: null, value: URLSearchParams.prototype.entries, writable: true, configurable: true,
});
defineEnumerable(URLSearchParams, [
  'size', 'append', 'delete', 'get', 'getAll', 'has', 'set', 'sort', 'forEach', 'entries', 'keys', 'values', 'toString',
]);
setToStringTag(URLSearchParams, 'URLSearchParams');

exports.URLSearchParams = URLSearchParams;

/** The params of a URL: `update()` runs after each change of theirs. */
exports.createLinked = (query, update) => {
  const params = new URLSearchParams();
  const state = stateOf(params);
  state.list = parseUrlEncoded(query);
  state.update = update;
  return params;
};

/** Makes linked params say what the URL's query says now. */
exports.replaceList = (params, query) => {
  stateOf(params).list = parseUrlEncoded(query);
};

/** For Request and Response bodies. */
exports.isURLSearchParams = isURLSearchParams;
exports.serializeParams = (params) => serializeUrlEncoded(stateOf(params).list);
