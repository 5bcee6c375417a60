// util.inspect: the dispatch over kinds of values, and properties. Kinds are worded in kinds.js, lines are
// fitted in text.js, options kept in options.js. `context` is the state of one inspect call: the options, plus the way from the root (`seen`).
const {
  ArrayIsArray,
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  ArrayPrototypeSort,
  ArrayPrototypeSplice,
  FunctionPrototypeCall,
  Number,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetOwnPropertyNames,
  ObjectGetOwnPropertySymbols,
  ObjectGetPrototypeOf,
  ObjectKeys,
  ObjectPrototypeHasOwnProperty,
  ObjectPrototypePropertyIsEnumerable,
  ObjectSetPrototypeOf,
  RangeError,
  ReflectOwnKeys,
  RegExpPrototypeExec,
  SafeMap,
  SafeSet,
  String,
  StringPrototypeIndexOf,
  StringPrototypeRepeat,
  StringPrototypeReplaceAll,
  StringPrototypeSlice,
  SymbolFor,
  SymbolPrototypeToString,
  SymbolToStringTag,
} = primordials;
const { ARRAY, ELEMENT, OBJECT, bigintText, columnsOf, escapeText, layOut, numberText, quote, remainingText } =
  use('node/internal/util/text');
const { OPTIONS, attachOptions, coloured, contextFrom } = use('node/internal/util/options');
const { proxyDetails, tagOf } = use('node/internal/util/types');

const CUSTOM = SymbolFor('nodejs.util.inspect.custom');
const LONG_STRING_CHARACTERS = 16; // a longer string may be broken at its line ends
const MAX_OUTPUT_CHARACTERS = 2 ** 27; // of one nesting level; from there on nothing is looked into (Node's limit)
const PROTOTYPES_SHOWN = 3; // with showHidden
const IDENTIFIER = /^[a-zA-Z_][a-zA-Z_0-9]*$/;

const BUILT_IN = new SafeSet();
const globalNames = ObjectGetOwnPropertyNames(globalThis);
for (let index = 0; index < globalNames.length; index++) {
  if (RegExpPrototypeExec(/^[A-Z][a-zA-Z0-9]+$/, globalNames[index]) !== null) BUILT_IN.add(globalNames[index]);
}

exports.isBuiltInName = (name) => BUILT_IN.has(name);

// Platform classes that have no inspect.custom method of their own: class → (value, depth, options) => text or value.
const platformKinds = new SafeMap();
/** Words instances of a platform class. */
exports.addPlatformKind = (Class, describe) => {
  platformKinds.set(Class, describe);
};

/** As `util.inspect(value, options)` or, the old way, `util.inspect(value, showHidden, depth, colors)`. */
function inspect(value, options) {
  const context = contextFrom(typeof options === 'object' ? options : undefined);
  if (arguments.length > 1) {
    if (arguments[2] !== undefined) context.depth = arguments[2];
    if (arguments[3] !== undefined) context.colors = arguments[3];
    if (typeof options === 'boolean') context.showHidden = options;
  }
  if (context.colors) context.stylize = coloured;
  if (context.maxArrayLength === null) context.maxArrayLength = Infinity;
  if (context.maxStringLength === null) context.maxStringLength = Infinity;
  return formatValue(context, value, 0);
}
inspect.custom = CUSTOM;
attachOptions(inspect);

// --- values ---

/** The options as a custom inspect function gets them. */
function userOptions(context, foreign) {
  const options = { stylize: context.stylize };
  for (let index = 0; index < OPTIONS.length; index++) options[OPTIONS[index]] = context[OPTIONS[index]];
  if (context.userOptions !== undefined) {
    const keys = ObjectKeys(context.userOptions);
    for (let index = 0; index < keys.length; index++) options[keys[index]] = context.userOptions[keys[index]];
  }
  const { stylize } = options;
  options.stylize = (value, style) => stylize(`${value}`, style);
  if (foreign) ObjectSetPrototypeOf(options, null);
  return options;
}

/** Text of `value`, which is `level` levels below the root. `typedArray`: as the buffer of one, shown by length only. */
function formatValue(context, value, level, typedArray = false) {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null)
    return formatPrimitive(context.stylize, value, context);
  const original = value;
  let type = tagOf(value);
  const isProxy = type === 'Proxy';
  if (isProxy) {
    const details = proxyDetails(value);
    if (details[0] === null) return context.stylize('<Revoked Proxy>', 'special');
    if (context.showProxy) return formatProxy(context, details, level);
    value = details[0];
    type = tagOf(value);
    while (type === 'Proxy') {
      const inner = proxyDetails(value);
      if (inner[0] === null) return context.stylize('<Revoked Proxy>', 'special');
      value = inner[0];
      type = tagOf(value);
    }
  }
  if (context.customInspect) {
    const custom = value[CUSTOM];
    if (typeof custom === 'function' && custom !== inspect) {
      const descriptor = ObjectGetOwnPropertyDescriptor(value, 'constructor');
      const isPrototype = descriptor !== undefined && descriptor.value?.prototype === value;
      if (!isPrototype) {
        const depth = context.depth === null ? null : context.depth - level;
        const foreign = isProxy || !(original instanceof Object);
        const shown = FunctionPrototypeCall(custom, original, depth, userOptions(context, foreign), inspect);
        if (shown !== original) {
          if (typeof shown !== 'object')
            return StringPrototypeReplaceAll(
              `${shown}`,
              '\n',
              `\n${StringPrototypeRepeat(' ', context.indentationLvl)}`,
            );
          return formatValue(context, shown, level);
        }
      }
    } else if (custom === undefined && platformKinds.size > 0) {
      const shown = formatPlatform(context, value, level);
      if (shown !== undefined) return shown;
    }
  }
  if (ArrayPrototypeIncludes(context.seen, value)) {
    context.circular ??= new SafeMap();
    let index = context.circular.get(value);
    if (index === undefined) {
      index = context.circular.size + 1;
      context.circular.set(value, index);
    }
    return context.stylize(`[Circular *${index}]`, 'special');
  }
  return formatObject(context, value, level, type, typedArray);
}
exports.formatValue = formatValue;

function formatPlatform(context, value, level) {
  for (
    let holder = ObjectGetPrototypeOf(value), steps = 0;
    holder !== null && steps < PROTOTYPES_SHOWN;
    holder = ObjectGetPrototypeOf(holder), steps++
  ) {
    const descriptor = ObjectGetOwnPropertyDescriptor(holder, 'constructor');
    if (typeof descriptor?.value !== 'function') continue;
    const describe = platformKinds.get(descriptor.value);
    if (describe === undefined) continue;
    const depth = context.depth === null ? null : context.depth - level;
    const shown = describe(value, depth, userOptions(context, false), inspect);
    return StringPrototypeReplaceAll(shown, '\n', `\n${StringPrototypeRepeat(' ', context.indentationLvl)}`);
  }
  return undefined;
}

function formatProxy(context, details, level) {
  if (context.depth !== null && level > context.depth) return context.stylize('Proxy [Array]', 'special');
  context.indentationLvl += 2;
  const entries = [formatValue(context, details[0], level + 1), formatValue(context, details[1], level + 1)];
  context.indentationLvl -= 2;
  return layOut(context, entries, '', ['Proxy [', ']'], ARRAY, level + 1);
}

function linesOf(text) {
  const lines = [];
  let start = 0;
  while (start < text.length) {
    const end = StringPrototypeIndexOf(text, '\n', start);
    const next = end === -1 ? text.length : end + 1;
    ArrayPrototypePush(lines, StringPrototypeSlice(text, start, next));
    start = next;
  }
  return lines;
}

function formatPrimitive(stylize, value, context) {
  switch (typeof value) {
    case 'string': {
      let text = value;
      let trailer = '';
      if (text.length > context.maxStringLength) {
        trailer = remainingText(text.length - context.maxStringLength, 'character');
        text = StringPrototypeSlice(text, 0, context.maxStringLength);
      }
      if (
        context.compact !== true &&
        text.length > LONG_STRING_CHARACTERS &&
        text.length > context.breakLength - context.indentationLvl - 4
      ) {
        const lines = linesOf(text);
        for (let index = 0; index < lines.length; index++) lines[index] = stylize(quote(lines[index]), 'string');
        return ArrayPrototypeJoin(lines, ` +\n${StringPrototypeRepeat(' ', context.indentationLvl + 2)}`) + trailer;
      }
      return stylize(quote(text), 'string') + trailer;
    }
    case 'number':
      return stylize(numberText(value, context.numericSeparator), 'number');
    case 'bigint':
      return stylize(bigintText(value, context.numericSeparator), 'bigint');
    case 'boolean':
      return stylize(`${value}`, 'boolean');
    case 'undefined':
      return stylize('undefined', 'undefined');
    case 'symbol':
      return stylize(SymbolPrototypeToString(value), 'symbol');
    default:
      return stylize('null', 'null');
  }
}
exports.formatPrimitive = formatPrimitive;

// --- objects ---

/** What kinds.js fills in: text before the brace, braces, entries that are no properties, keys of properties. */
class Shown {
  base = '';
  braces = ['{', '}'];
  kind = OBJECT;
  entries = undefined;
  keys = undefined;
  hidden = undefined;
  done = undefined;
  constructor(type, typedArray) {
    this.type = type;
    this.typedArray = typedArray;
  }
}

function formatObject(context, value, level, type, typedArray) {
  const shown = new Shown(type, typedArray);
  if (context.showHidden && (context.depth === null || level <= context.depth)) shown.hidden = [];
  const constructor = constructorName(value, context, level, shown.hidden);
  if (shown.hidden?.length === 0) shown.hidden = undefined;
  let tag = value[SymbolToStringTag];
  // As an own property that is shown anyway, the tag would appear twice.
  const owns = context.showHidden ? ObjectPrototypeHasOwnProperty : ObjectPrototypePropertyIsEnumerable;
  if (typeof tag !== 'string' || (tag !== '' && owns(value, SymbolToStringTag))) tag = '';
  use('node/internal/util/kinds').describe(context, value, level, constructor, tag, shown);
  if (shown.done !== undefined) return shown.done;
  if (context.depth !== null && level > context.depth) {
    const name = StringPrototypeSlice(prefixOf(constructor, tag, kindName(value)), 0, -1);
    return context.stylize(constructor === null ? name : `[${name}]`, 'special');
  }
  return formatEntries(context, value, level + 1, shown);
}

function formatEntries(context, value, level, shown) {
  const { braces, kind, keys, hidden } = shown;
  ArrayPrototypePush(context.seen, value);
  context.currentDepth = level;
  let output;
  const { indentationLvl } = context;
  try {
    output = shown.entries === undefined ? [] : shown.entries(context, value, level);
    for (let index = 0; index < keys.length; index++)
      ArrayPrototypePush(output, formatProperty(context, value, level, keys[index], kind));
    if (hidden !== undefined)
      for (let index = 0; index < hidden.length; index++) ArrayPrototypePush(output, hidden[index]);
  } catch (error) {
    if (!isStackOverflow(error)) throw error;
    context.seen = [];
    context.indentationLvl = indentationLvl;
    return context.stylize(
      `[${constructorName(value, context, level - 1)}: Inspection interrupted prematurely. Maximum call stack size exceeded.]`,
      'special',
    );
  }
  let { base } = shown;
  const reference = context.circular?.get(value);
  if (reference !== undefined) {
    const mark = context.stylize(`<ref *${reference}>`, 'special');
    if (context.compact !== true) base = base === '' ? mark : `${mark} ${base}`;
    else braces[0] = `${mark} ${braces[0]}`;
  }
  context.seen.length--;
  if (context.sorted) sortEntries(output, keys.length, kind, context.sorted === true ? undefined : context.sorted);
  const text = layOut(context, output, base, braces, kind, level, value);
  const written = (context.budget[context.indentationLvl] ?? 0) + text.length;
  context.budget[context.indentationLvl] = written;
  if (written > MAX_OUTPUT_CHARACTERS) context.depth = -1;
  return text;
}

function isStackOverflow(error) {
  return error instanceof RangeError && error.message === 'Maximum call stack size exceeded';
}

function sortEntries(output, keyCount, kind, order) {
  if (kind === OBJECT) {
    ArrayPrototypeSort(output, order);
  } else if (keyCount > 1) {
    const tail = ArrayPrototypeSort(ArrayPrototypeSplice(output, output.length - keyCount, keyCount), order);
    for (let index = 0; index < tail.length; index++) ArrayPrototypePush(output, tail[index]);
  }
}

/** `Foo(2) [tag] `, `[Foo: null prototype] `: what stands before the brace. */
function prefixOf(constructor, tag, fallback, size = '') {
  if (constructor === null) {
    const name = `[${fallback}${size}: null prototype] `;
    return tag !== '' && fallback !== tag ? `${name}[${tag}] ` : name;
  }
  return tag !== '' && constructor !== tag ? `${constructor}${size} [${tag}] ` : `${constructor}${size} `;
}
exports.prefixOf = prefixOf;

function isInstance(value, Class) {
  try {
    return value instanceof Class;
  } catch {
    return false;
  }
}

/** What an object without a constructor is called. */
function kindName(value) {
  if (typeof value === 'function') return 'Function';
  if (ArrayIsArray(value)) return 'Array';
  const kind = tagOf(value);
  if (kind === 'NativeError') return 'Error';
  return kind === 'ModuleNamespace' ? 'Module' : kind || 'Object';
}

/** The name of the nearest constructor on the prototype chain, null without any. Collects prototypes' properties in `hidden`. */
function constructorName(value, context, level, hidden) {
  let first;
  for (let holder = value; holder !== null && holder !== undefined;) {
    const descriptor = ObjectGetOwnPropertyDescriptor(holder, 'constructor');
    const Class = descriptor?.value;
    if (typeof Class === 'function' && Class.name !== '' && isInstance(value, Class)) {
      if (hidden !== undefined && (first !== holder || !BUILT_IN.has(Class.name)))
        addPrototypeProperties(context, value, first ?? value, level, hidden);
      return String(Class.name);
    }
    holder = ObjectGetPrototypeOf(holder);
    if (first === undefined) first = holder;
  }
  if (first === null) return null;
  const name = kindName(value);
  if (context.depth !== null && level > context.depth) return `${name} <Complex prototype>`;
  const outer = constructorName(first, context, level + 1, hidden);
  if (outer === null) {
    const options = {
      showHidden: context.showHidden,
      colors: context.colors,
      compact: context.compact,
      breakLength: context.breakLength,
      customInspect: false,
      depth: -1,
    };
    return `${name} <${inspect(first, options)}>`;
  }
  return `${name} <${outer}>`;
}

function addPrototypeProperties(context, value, start, level, output) {
  let holder = start;
  const listed = new SafeSet();
  let keys = [];
  for (let depth = 0; depth < PROTOTYPES_SHOWN; depth++) {
    if (depth !== 0 || value === start) {
      holder = ObjectGetPrototypeOf(holder);
      if (holder === null) return;
      const descriptor = ObjectGetOwnPropertyDescriptor(holder, 'constructor');
      if (typeof descriptor?.value === 'function' && BUILT_IN.has(descriptor.value.name)) return;
    }
    for (let index = 0; index < keys.length; index++) listed.add(keys[index]);
    keys = ReflectOwnKeys(holder);
    ArrayPrototypePush(context.seen, value);
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index];
      if (key === 'constructor' || ObjectPrototypeHasOwnProperty(value, key) || (depth !== 0 && listed.has(key)))
        continue;
      const descriptor = ObjectGetOwnPropertyDescriptor(holder, key);
      if (typeof descriptor.value === 'function') continue;
      const text = formatProperty(context, holder, level, key, OBJECT, descriptor, value);
      ArrayPrototypePush(output, context.colors ? `\u001b[2m${text}\u001b[22m` : text);
    }
    context.seen.length--;
  }
}

/** The keys to show: enumerable ones, or all with showHidden. */
function keysOf(value, showHidden) {
  let keys;
  if (showHidden) {
    keys = ObjectGetOwnPropertyNames(value);
  } else {
    try {
      keys = ObjectKeys(value);
    } catch {
      keys = ObjectGetOwnPropertyNames(value); // a module whose bindings are not initialised yet
    }
  }
  const symbols = ObjectGetOwnPropertySymbols(value);
  for (let index = 0; index < symbols.length; index++) {
    if (showHidden || ObjectPrototypePropertyIsEnumerable(value, symbols[index]))
      ArrayPrototypePush(keys, symbols[index]);
  }
  return keys;
}
exports.keysOf = keysOf;

function isIndex(key) {
  const number = Number(key);
  return number >= 0 && number < 4294967295 && String(number) === key && number % 1 === 0;
}

/** As keysOf, without the indices of an array or typed array. */
exports.nonIndexKeysOf = (value, showHidden) => {
  const names = showHidden ? ObjectGetOwnPropertyNames(value) : ObjectKeys(value);
  // Indices come first and in order (ECMAScript OrdinaryOwnPropertyKeys).
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isIndex(names[middle])) low = middle + 1;
    else high = middle;
  }
  const keys = [];
  for (let index = low; index < names.length; index++) ArrayPrototypePush(keys, names[index]);
  const symbols = ObjectGetOwnPropertySymbols(value);
  for (let index = 0; index < symbols.length; index++) {
    if (showHidden || ObjectPrototypePropertyIsEnumerable(value, symbols[index]))
      ArrayPrototypePush(keys, symbols[index]);
  }
  return keys;
};

// --- properties ---

function formatAccessor(context, descriptor, original, level) {
  const { stylize } = context;
  if (descriptor.get === undefined)
    return stylize(
      descriptor.set === undefined ? 'undefined' : '[Setter]',
      descriptor.set === undefined ? 'undefined' : 'special',
    );
  const label = descriptor.set === undefined ? 'Getter' : 'Getter/Setter';
  const { getters } = context;
  const read =
    getters === true ||
    (getters === 'get' && descriptor.set === undefined) ||
    (getters === 'set' && descriptor.set !== undefined);
  if (!read) return stylize(`[${label}]`, 'special');
  try {
    const value = FunctionPrototypeCall(descriptor.get, original);
    context.indentationLvl += 2;
    let text;
    if (value === null)
      text = `${stylize(`[${label}:`, 'special')} ${stylize('null', 'null')}${stylize(']', 'special')}`;
    else if (typeof value === 'object')
      text = `${stylize(`[${label}]`, 'special')} ${formatValue(context, value, level)}`;
    else
      text = `${stylize(`[${label}:`, 'special')} ${formatPrimitive(stylize, value, context)}${stylize(']', 'special')}`;
    context.indentationLvl -= 2;
    return text;
  } catch (error) {
    return `${stylize(`[${label}:`, 'special')} <Inspection threw (${error.message})>${stylize(']', 'special')}`;
  }
}

function formatKey(context, key, enumerable) {
  if (typeof key === 'symbol') return `[${context.stylize(escapeText(SymbolPrototypeToString(key), ''), 'symbol')}]`;
  if (key === '__proto__') return "['__proto__']";
  if (!enumerable) return `[${escapeText(key, '')}]`;
  if (RegExpPrototypeExec(IDENTIFIER, key) !== null) return context.stylize(key, 'name');
  return context.stylize(quote(key), 'string');
}

/** `key: value`; only the value for an element. `original` is what getters are called on. */
function formatProperty(context, value, level, key, kind, given = undefined, original = value) {
  const descriptor = given ??
    ObjectGetOwnPropertyDescriptor(value, key) ?? { value: value[key], configurable: true, enumerable: true };
  let text;
  let gap = ' ';
  if (descriptor.value !== undefined) {
    const indent = kind !== OBJECT || context.compact !== true ? 2 : 3;
    context.indentationLvl += indent;
    text = formatValue(context, descriptor.value, level);
    if (indent === 3 && context.breakLength < columnsOf(text, context.colors))
      gap = `\n${StringPrototypeRepeat(' ', context.indentationLvl)}`;
    context.indentationLvl -= indent;
  } else {
    text = formatAccessor(context, descriptor, original, level);
  }
  return kind === ELEMENT ? text : `${formatKey(context, key, descriptor.enumerable !== false)}:${gap}${text}`;
}
exports.formatProperty = formatProperty;
exports.inspect = inspect;
