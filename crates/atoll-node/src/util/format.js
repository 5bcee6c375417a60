// util.format: printf-like, with inspect for what the format does not name.
const {
  JSONStringify,
  Number,
  NumberParseFloat,
  NumberParseInt,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetPrototypeOf,
  ObjectPrototypeHasOwnProperty,
  String,
  StringPrototypeCharCodeAt,
  StringPrototypeIncludes,
  StringPrototypeSlice,
  SymbolToPrimitive,
  TypeError,
} = primordials;
const { inspect, isBuiltInName } = use('node/internal/util/inspect');
const { bigintText, numberText } = use('node/internal/util/text');
const { tagOf } = use('node/internal/util/types');

const PERCENT = 37;

/** Whether `%s` calls the object's own conversion: it has one that is no built-in class's. */
function hasOwnToString(value) {
  if (tagOf(value) === 'Proxy') return false;
  if (typeof value[SymbolToPrimitive] === 'function') return true;
  if (typeof value.toString !== 'function') return false;
  // The class that the method comes from decides.
  let holder = value;
  while (!ObjectPrototypeHasOwnProperty(holder, 'toString')) holder = ObjectGetPrototypeOf(holder);
  if (holder === value) return true;
  const descriptor = ObjectGetOwnPropertyDescriptor(holder, 'constructor');
  return descriptor === undefined || typeof descriptor.value !== 'function' || !isBuiltInName(descriptor.value.name);
}

function asJson(value) {
  try {
    return `${JSONStringify(value)}`;
  } catch (error) {
    if (error instanceof TypeError && StringPrototypeIncludes(`${error.message}`, 'circular structure'))
      return '[Circular]';
    throw error;
  }
}

function asString(value, options) {
  if (typeof value === 'number') return numberText(value, options?.numericSeparator ?? false);
  if (typeof value === 'bigint') return bigintText(value, options?.numericSeparator ?? false);
  if (typeof value !== 'object' || value === null) return String(value);
  if (hasOwnToString(value)) return String(value);
  return inspect(value, { ...options, depth: 0, colors: false, compact: 3 });
}

function asInteger(value, options) {
  if (typeof value === 'bigint') return bigintText(value, options?.numericSeparator ?? false);
  return typeof value === 'symbol' ? 'NaN' : numberText(NumberParseInt(value), options?.numericSeparator ?? false);
}

/** The text for the directive of this letter; undefined if there is no such directive. */
function directive(letter, value, options) {
  switch (letter) {
    case 115: // s
      return asString(value, options);
    case 106: // j
      return asJson(value);
    case 100: // d
      if (typeof value === 'bigint') return bigintText(value, options?.numericSeparator ?? false);
      return typeof value === 'symbol' ? 'NaN' : numberText(Number(value), options?.numericSeparator ?? false);
    case 79: // O
      return inspect(value, options);
    case 111: // o
      return inspect(value, { ...options, showHidden: true, showProxy: true, depth: 4 });
    case 105: // i
      return asInteger(value, options);
    case 102: // f
      return typeof value === 'symbol'
        ? 'NaN'
        : numberText(NumberParseFloat(value), options?.numericSeparator ?? false);
    case 99: // c: CSS, which terminals don't have
      return '';
    default:
      return undefined;
  }
}

exports.formatWith = (options, values) => {
  const { 0: first, length } = values;
  if (length === 1)
    return typeof first === 'string'
      ? first
      : inspect(first, { ...options, compact: 3, colors: options?.colors ?? false, depth: options?.depth ?? 2 });
  let text = '';
  let next = 0;
  let gap = '';
  if (typeof first === 'string') {
    next = 1;
    let copied = 0;
    for (let index = 0; index < first.length - 1; index++) {
      if (StringPrototypeCharCodeAt(first, index) !== PERCENT) continue;
      const letter = StringPrototypeCharCodeAt(first, ++index);
      if (letter === PERCENT) {
        text += StringPrototypeSlice(first, copied, index);
        copied = index + 1;
        continue;
      }
      if (next === length) continue;
      const shown = directive(letter, values[next], options);
      if (shown === undefined) continue;
      text += StringPrototypeSlice(first, copied, index - 1) + shown;
      copied = index + 1;
      next++;
    }
    text += StringPrototypeSlice(first, copied);
    gap = ' ';
  }
  for (; next < length; next++) {
    const value = values[next];
    text += gap;
    text +=
      typeof value === 'string'
        ? value
        : inspect(value, { ...options, compact: 3, colors: options?.colors ?? false, depth: options?.depth ?? 2 });
    gap = ' ';
  }
  return text;
};
