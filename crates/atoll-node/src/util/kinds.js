// util.inspect's wording of each kind of object: what stands before the brace, and the entries that are no properties.
const {
  ArrayIsArray,
  ArrayPrototypePush,
  ArrayPrototypeSort,
  ArrayPrototypeUnshift,
  BigIntPrototypeValueOf,
  BooleanPrototypeValueOf,
  DatePrototypeGetTime,
  DatePrototypeToISOString,
  DatePrototypeToString,
  FunctionPrototypeToString,
  MapIteratorPrototypeNext,
  MapPrototypeEntries,
  MapPrototypeGetSize,
  MathMax,
  MathMin,
  NumberPrototypeToString,
  NumberPrototypeValueOf,
  ObjectGetPrototypeOf,
  ObjectKeys,
  ObjectPrototypeHasOwnProperty,
  ReferenceError,
  RegExp,
  RegExpPrototypeExec,
  RegExpPrototypeSymbolReplace,
  RegExpPrototypeToString,
  SetIteratorPrototypeNext,
  SetPrototypeGetSize,
  SetPrototypeValues,
  StringPrototypeEndsWith,
  StringPrototypeIncludes,
  StringPrototypeIndexOf,
  StringPrototypeLastIndexOf,
  StringPrototypePadStart,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  StringPrototypeValueOf,
  SymbolIterator,
  SymbolPrototypeValueOf,
  TypedArrayPrototypeGetLength,
  TypedArrayPrototypeGetSymbolToStringTag,
  Uint8Array,
} = primordials;
const { ARRAY, ELEMENT, OBJECT, layOut, remainingText } = use('node/internal/util/text');
const { previewEntries, promiseDetails } = use('node/internal/util/types');
const { formatPrimitive, formatProperty, formatValue, keysOf, nonIndexKeysOf, prefixOf } =
  use('node/internal/util/inspect');
const { plain } = use('node/internal/util/options');
const { describeError } = use('node/internal/util/error_text');

const PROMISE_PENDING = 0;
const PROMISE_REJECTED = 2;

/** Fills `shown` for the value, whose kind is `shown.type`; sets `shown.done` where nothing more is to be listed. */
exports.describe = (context, value, level, constructor, tag, shown) => {
  if ((SymbolIterator in value || constructor === null) && describeIterable(context, value, constructor, tag, shown))
    return;
  describeOther(context, value, level, constructor, tag, shown);
};

function limitOf(context, length) {
  return MathMin(MathMax(0, context.maxArrayLength), length);
}

// --- arrays, sets, maps, typed arrays, their iterators ---

function describeIterable(context, value, constructor, tag, shown) {
  if (ArrayIsArray(value)) {
    const prefix =
      constructor !== 'Array' || tag !== '' ? prefixOf(constructor, tag, 'Array', `(${value.length})`) : '';
    shown.keys = nonIndexKeysOf(value, context.showHidden);
    shown.braces = [`${prefix}[`, ']'];
    shown.kind = ARRAY;
    if (value.length === 0 && nothingElse(shown)) shown.done = `${prefix}[]`;
    shown.entries = arrayEntries;
    return true;
  }
  const kind = shown.type;
  if (kind === 'Set' || kind === 'Map') {
    const size = kind === 'Set' ? SetPrototypeGetSize(value) : MapPrototypeGetSize(value);
    const prefix = prefixOf(constructor, tag, kind, `(${size})`);
    shown.keys = keysOf(value, context.showHidden);
    shown.braces[0] = `${prefix}{`;
    if (size === 0 && nothingElse(shown)) shown.done = `${prefix}{}`;
    shown.entries = kind === 'Set' ? setEntries : mapEntries;
    return true;
  }
  const arrayName = TypedArrayPrototypeGetSymbolToStringTag(value);
  if (arrayName !== undefined) {
    const length = TypedArrayPrototypeGetLength(value);
    const prefix = prefixOf(constructor, tag, constructor === null ? arrayName : '', `(${length})`);
    shown.keys = nonIndexKeysOf(value, context.showHidden);
    shown.braces = [`${prefix}[`, ']'];
    shown.kind = ARRAY;
    if (length === 0 && shown.keys.length === 0 && !context.showHidden) shown.done = `${prefix}[]`;
    shown.entries = typedArrayEntries;
    return true;
  }
  if (kind === 'MapIterator' || kind === 'SetIterator') {
    const name = `${kind === 'MapIterator' ? 'Map' : 'Set'} Iterator`;
    let inner = name;
    if (tag !== name && tag !== '') inner = `${tag}] [${name}`;
    shown.keys = keysOf(value, context.showHidden);
    shown.braces[0] = `[${inner}] {`;
    shown.entries = (given, iterator, level) => iteratorEntries(given, iterator, level, shown);
    return true;
  }
  return false;
}

function nothingElse(shown) {
  return shown.keys.length === 0 && shown.hidden === undefined;
}

function arrayEntries(context, value, level) {
  const output = [];
  const { length } = value;
  const limit = limitOf(context, length);
  for (let index = 0; index < limit; index++) {
    if (!ObjectPrototypeHasOwnProperty(value, index)) return sparseEntries(context, value, level, limit, output, index);
    ArrayPrototypePush(output, formatProperty(context, value, level, index, ELEMENT));
  }
  if (length > limit) ArrayPrototypePush(output, remainingText(length - limit));
  return output;
}

const INDEX = /^(0|[1-9][0-9]*)$/;
/** Continues an array from its first hole: runs of holes are one entry. */
function sparseEntries(context, value, level, limit, output, firstHole) {
  const keys = ObjectKeys(value);
  let next = firstHole;
  for (let at = firstHole; at < keys.length && output.length < limit; at++) {
    const key = keys[at];
    if (key > 4294967294 || RegExpPrototypeExec(INDEX, key) === null) break;
    if (`${next}` !== key) {
      const holes = key - next;
      ArrayPrototypePush(output, context.stylize(`<${holes} empty item${holes > 1 ? 's' : ''}>`, 'undefined'));
      next = +key;
      if (output.length === limit) break;
    }
    ArrayPrototypePush(output, formatProperty(context, value, level, key, ELEMENT));
    next++;
  }
  const remaining = value.length - next;
  if (output.length !== limit) {
    if (remaining > 0)
      ArrayPrototypePush(output, context.stylize(`<${remaining} empty item${remaining > 1 ? 's' : ''}>`, 'undefined'));
  } else if (remaining > 0) {
    ArrayPrototypePush(output, remainingText(remaining));
  }
  return output;
}

const ARRAY_FIELDS = ['BYTES_PER_ELEMENT', 'length', 'byteLength', 'byteOffset', 'buffer'];
function typedArrayEntries(context, value, level) {
  const length = TypedArrayPrototypeGetLength(value);
  const limit = limitOf(context, length);
  const output = [];
  for (let index = 0; index < limit; index++) {
    const element = value[index];
    ArrayPrototypePush(output, formatPrimitive(context.stylize, element, context));
  }
  if (length > limit) ArrayPrototypePush(output, remainingText(length - limit));
  if (context.showHidden) {
    context.indentationLvl += 2;
    for (let index = 0; index < ARRAY_FIELDS.length; index++) {
      const key = ARRAY_FIELDS[index];
      ArrayPrototypePush(output, `[${key}]: ${formatValue(context, value[key], level, true)}`);
    }
    context.indentationLvl -= 2;
  }
  return output;
}

function setEntries(context, value, level) {
  const size = SetPrototypeGetSize(value);
  const limit = limitOf(context, size);
  const iterator = SetPrototypeValues(value);
  const output = [];
  context.indentationLvl += 2;
  for (let index = 0; index < limit; index++) {
    const step = SetIteratorPrototypeNext(iterator);
    if (step.done) break;
    ArrayPrototypePush(output, formatValue(context, step.value, level));
  }
  if (size > limit) ArrayPrototypePush(output, remainingText(size - limit));
  context.indentationLvl -= 2;
  return output;
}

function mapEntries(context, value, level) {
  const size = MapPrototypeGetSize(value);
  const limit = limitOf(context, size);
  const iterator = MapPrototypeEntries(value);
  const output = [];
  context.indentationLvl += 2;
  for (let index = 0; index < limit; index++) {
    const step = MapIteratorPrototypeNext(iterator);
    if (step.done) break;
    ArrayPrototypePush(
      output,
      `${formatValue(context, step.value[0], level)} => ${formatValue(context, step.value[1], level)}`,
    );
  }
  if (size > limit) ArrayPrototypePush(output, remainingText(size - limit));
  context.indentationLvl -= 2;
  return output;
}

/** Values that stand alone; `unordered` ones are sorted by their text. */
function looseEntries(context, level, values, unordered) {
  const limit = limitOf(context, values.length);
  const output = [];
  context.indentationLvl += 2;
  for (let index = 0; index < limit; index++) ArrayPrototypePush(output, formatValue(context, values[index], level));
  context.indentationLvl -= 2;
  if (unordered && !context.sorted) ArrayPrototypeSort(output);
  if (values.length > limit) ArrayPrototypePush(output, remainingText(values.length - limit));
  return output;
}

/** Keys and values that alternate in `values`, as `[ key, value ]` or `key => value`. */
function pairedEntries(context, level, values, unordered) {
  const count = values.length / 2;
  const limit = limitOf(context, count);
  const output = [];
  context.indentationLvl += 2;
  for (let index = 0; index < limit; index++) {
    const key = formatValue(context, values[index * 2], level);
    const value = formatValue(context, values[index * 2 + 1], level);
    ArrayPrototypePush(
      output,
      unordered ? `${key} => ${value}` : layOut(context, [key, value], '', ['[', ']'], ARRAY, level),
    );
  }
  context.indentationLvl -= 2;
  if (unordered && !context.sorted) ArrayPrototypeSort(output);
  if (count > limit) ArrayPrototypePush(output, remainingText(count - limit));
  return output;
}

function iteratorEntries(context, iterator, level, shown) {
  const { 0: values, 1: keyed } = previewEntries(iterator);
  if (!keyed) return looseEntries(context, level, values, false);
  const { braces } = shown;
  if (StringPrototypeEndsWith(braces[0], ' Iterator] {'))
    braces[0] = `${StringPrototypeSlice(braces[0], 0, -12)} Entries] {`;
  return pairedEntries(context, level, values, false);
}

// --- all others ---

function describeOther(context, value, level, constructor, tag, shown) {
  const kind = shown.type;
  if (kind !== 'ModuleNamespace') shown.keys = keysOf(value, context.showHidden);
  const { keys } = shown;
  if (constructor === 'Object' && kind === 'Arguments') {
    shown.braces[0] = `${tag !== '' && tag !== 'Object' ? prefixOf(constructor, tag, 'Object') : '[Arguments] '}{`;
    if (nothingElse(shown)) shown.done = `${shown.braces[0]}}`;
    return;
  }
  if (constructor === 'Object' && kind === '') {
    if (typeof value !== 'function') {
      if (tag !== '') shown.braces[0] = `${prefixOf(constructor, tag, 'Object')}{`;
      if (nothingElse(shown)) shown.done = `${shown.braces[0]}}`;
      return;
    }
  }
  if (typeof value === 'function') {
    shown.base = functionText(context, value, constructor, tag, kind);
    if (nothingElse(shown)) shown.done = context.stylize(shown.base, 'special');
    return;
  }
  const describe = KINDS[kind];
  if (describe !== undefined) {
    describe(context, value, level, constructor, tag, shown);
    return;
  }
  if (nothingElse(shown)) {
    shown.done =
      kind === 'External' ? context.stylize('[External]', 'special') : `${prefixOf(constructor, tag, 'Object')}{}`;
    return;
  }
  shown.keys = keys;
  shown.braces[0] = `${prefixOf(constructor, tag, 'Object')}{`;
}

const KINDS = {
  __proto__: null,

  RegExp(context, value, level, constructor, tag, shown) {
    const prefix = prefixOf(constructor, tag, 'RegExp');
    shown.base = `${prefix !== 'RegExp ' ? prefix : ''}${RegExpPrototypeToString(constructor !== null ? value : new RegExp(value))}`;
    if (nothingElse(shown) || (context.depth !== null && level > context.depth))
      shown.done = context.stylize(shown.base, 'regexp');
  },

  Date(context, value, level, constructor, tag, shown) {
    const time = DatePrototypeGetTime(value);
    const prefix = prefixOf(constructor, tag, 'Date');
    shown.base = `${prefix !== 'Date ' ? prefix : ''}${time !== time ? DatePrototypeToString(value) : DatePrototypeToISOString(value)}`;
    if (nothingElse(shown)) shown.done = context.stylize(shown.base, 'date');
  },

  NativeError(context, value, level, constructor, tag, shown) {
    shown.base = describeError(context, value, constructor, tag, shown.keys);
    if (nothingElse(shown)) shown.done = shown.base;
  },

  ArrayBuffer: arrayBuffer,
  SharedArrayBuffer: arrayBuffer,

  DataView(context, value, level, constructor, tag, shown) {
    shown.braces[0] = `${prefixOf(constructor, tag, 'DataView')}{`;
    ArrayPrototypeUnshift(shown.keys, 'byteLength', 'byteOffset', 'buffer');
  },

  Promise(context, value, level, constructor, tag, shown) {
    shown.braces[0] = `${prefixOf(constructor, tag, 'Promise')}{`;
    shown.entries = promiseEntries;
  },

  WeakSet(context, value, level, constructor, tag, shown) {
    shown.braces[0] = `${prefixOf(constructor, tag, 'WeakSet')}{`;
    shown.entries = context.showHidden
      ? (given, set, depth) => looseEntries(given, depth, previewEntries(set)[0], true)
      : unknownEntries;
  },

  WeakMap(context, value, level, constructor, tag, shown) {
    shown.braces[0] = `${prefixOf(constructor, tag, 'WeakMap')}{`;
    shown.entries = context.showHidden
      ? (given, map, depth) => pairedEntries(given, depth, previewEntries(map)[0], true)
      : unknownEntries;
  },

  ModuleNamespace(context, value, level, constructor, tag, shown) {
    shown.keys = keysOf(value, context.showHidden);
    shown.braces[0] = `${prefixOf(constructor, tag, 'Module')}{`;
    const { keys } = shown;
    shown.entries = (given, namespace, depth) => namespaceEntries(given, namespace, depth, keys);
  },

  BoxedNumber(context, value, level, constructor, tag, shown) {
    boxed(NumberPrototypeValueOf, 'Number', context, value, constructor, tag, shown);
  },
  BoxedBoolean(context, value, level, constructor, tag, shown) {
    boxed(BooleanPrototypeValueOf, 'Boolean', context, value, constructor, tag, shown);
  },
  BoxedBigInt(context, value, level, constructor, tag, shown) {
    boxed(BigIntPrototypeValueOf, 'BigInt', context, value, constructor, tag, shown);
  },
  BoxedSymbol(context, value, level, constructor, tag, shown) {
    boxed(SymbolPrototypeValueOf, 'Symbol', context, value, constructor, tag, shown);
  },
  BoxedString(context, value, level, constructor, tag, shown) {
    shown.keys = nonIndexKeysOf(value, context.showHidden);
    boxed(StringPrototypeValueOf, 'String', context, value, constructor, tag, shown);
  },
};

function boxed(unwrap, type, context, value, constructor, tag, shown) {
  let base = `[${type}`;
  if (type !== constructor) base += constructor === null ? ' (null prototype)' : ` (${constructor})`;
  base += `: ${formatPrimitive(plain, unwrap(value), context)}]`;
  if (tag !== '' && tag !== constructor) base += ` [${tag}]`;
  if (shown.keys.length === 0 && context.stylize !== plain)
    base = context.stylize(base, StringPrototypeToLowerCase(type));
  shown.base = base;
  if (nothingElse(shown)) shown.done = base;
}

function arrayBuffer(context, value, level, constructor, tag, shown) {
  const prefix = prefixOf(constructor, tag, shown.type);
  if (!shown.typedArray) {
    shown.entries = arrayBufferEntries;
  } else if (nothingElse(shown)) {
    shown.done = `${prefix}{ byteLength: ${formatPrimitive(context.stylize, value.byteLength, { __proto__: context, numericSeparator: false })} }`;
    return;
  }
  shown.braces[0] = `${prefix}{`;
  ArrayPrototypeUnshift(shown.keys, 'byteLength');
}

function arrayBufferEntries(context, value) {
  let bytes;
  try {
    bytes = new Uint8Array(value);
  } catch {
    return [context.stylize('(detached)', 'special')];
  }
  const length = TypedArrayPrototypeGetLength(bytes);
  const limit = limitOf(context, length);
  let text = '';
  for (let index = 0; index < limit; index++)
    text += `${index > 0 ? ' ' : ''}${StringPrototypePadStart(NumberPrototypeToString(bytes[index], 16), 2, '0')}`;
  const remaining = length - limit;
  if (remaining > 0) text += ` ... ${remaining} more byte${remaining > 1 ? 's' : ''}`;
  return [`${context.stylize('[Uint8Contents]', 'special')}: <${text}>`];
}

function promiseEntries(context, value, level) {
  const { 0: state, 1: result } = promiseDetails(value);
  if (state === PROMISE_PENDING) return [context.stylize('<pending>', 'special')];
  context.indentationLvl += 2;
  const text = formatValue(context, result, level);
  context.indentationLvl -= 2;
  return [state === PROMISE_REJECTED ? `${context.stylize('<rejected>', 'special')} ${text}` : text];
}

function unknownEntries(context) {
  return [context.stylize('<items unknown>', 'special')];
}

/** The exports of a module; those not initialised yet can't be read. */
function namespaceEntries(context, value, level, keys) {
  const output = [];
  for (let index = 0; index < keys.length; index++) {
    try {
      ArrayPrototypePush(output, formatProperty(context, value, level, keys[index], OBJECT));
    } catch (error) {
      if (!(error instanceof ReferenceError)) throw error;
      const blank = formatProperty(context, { [keys[index]]: '' }, level, keys[index], OBJECT);
      const end = StringPrototypeLastIndexOf(blank, ' ');
      ArrayPrototypePush(
        output,
        `${StringPrototypeSlice(blank, 0, end + 1)}${context.stylize('<uninitialized>', 'special')}`,
      );
    }
  }
  keys.length = 0; // they are listed
  return output;
}

// --- functions ---

const CLASS_HEAD = /^(\s+[^(]*?)\s*$/;
const COMMENTS = /(\/\/.*?\n)|(\/\*(.|\n)*?\*\/)/g;

/** Whether the source is that of a class: a method may also be called `class`. */
function isClassSource(source) {
  if (!StringPrototypeStartsWith(source, 'class') || !StringPrototypeEndsWith(source, '}')) return false;
  const rest = StringPrototypeSlice(source, 5, -1);
  const brace = StringPrototypeIndexOf(rest, '{');
  if (brace === -1) return false;
  const head = StringPrototypeSlice(rest, 0, brace);
  return (
    !StringPrototypeIncludes(head, '(') ||
    RegExpPrototypeExec(CLASS_HEAD, RegExpPrototypeSymbolReplace(COMMENTS, head, '')) !== null
  );
}

function functionText(context, value, constructor, tag, kind) {
  if (isClassSource(FunctionPrototypeToString(value))) return classText(value, constructor, tag);
  let type = 'Function';
  if (kind === 'GeneratorFunction' || kind === 'AsyncGeneratorFunction') type = `Generator${type}`;
  if (kind === 'AsyncFunction' || kind === 'AsyncGeneratorFunction') type = `Async${type}`;
  let text = `[${type}`;
  if (constructor === null) text += ' (null prototype)';
  const { name } = value;
  if (name === '') text += ' (anonymous)';
  else text += `: ${typeof name === 'string' ? name : formatValue(context, name, 0)}`;
  text += ']';
  if (constructor !== type && constructor !== null) text += ` ${constructor}`;
  if (tag !== '' && constructor !== tag) text += ` [${tag}]`;
  return text;
}

function classText(value, constructor, tag) {
  const name = ObjectPrototypeHasOwnProperty(value, 'name') && value.name ? value.name : '(anonymous)';
  let text = `class ${name}`;
  if (constructor !== 'Function' && constructor !== null) text += ` [${constructor}]`;
  if (tag !== '' && constructor !== tag) text += ` [${tag}]`;
  if (constructor === null) {
    text += ' extends null';
  } else {
    const parent = ObjectGetPrototypeOf(value).name;
    if (parent) text += ` extends ${parent}`;
  }
  return `[${text}]`;
}
