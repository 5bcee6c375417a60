// util.parseArgs: options and positionals out of an argument list.
const {
  ArrayPrototypeFilter,
  ArrayPrototypeForEach,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  ObjectEntries,
  ObjectKeys,
  ObjectPrototypeHasOwnProperty,
  StringPrototypeCharAt,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
} = primordials;
const {
  ERR_INVALID_ARG_VALUE,
  ERR_PARSE_ARGS_INVALID_OPTION_VALUE,
  ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL,
  ERR_PARSE_ARGS_UNKNOWN_OPTION,
} = use('node/internal/errors');
const {
  validateArray,
  validateBoolean,
  validateBooleanArray,
  validateObject,
  validateString,
  validateStringArray,
  validateUnion,
} = use('node/internal/validators');

function own(object, key) {
  return ObjectPrototypeHasOwnProperty(object, key) ? object[key] : undefined;
}
function settingOf(options, name, field) {
  return ObjectPrototypeHasOwnProperty(options, name) ? own(options[name], field) : undefined;
}

function longNameOf(options, short) {
  const names = ObjectKeys(options);
  for (let index = 0; index < names.length; index++)
    if (own(options[names[index]], 'short') === short) return names[index];
  return short;
}

function isOptionLike(value) {
  return value.length > 1 && StringPrototypeCharAt(value, 0) === '-';
}

/** Which parts the arguments are: options, positionals, the `--` that ends options. Nothing is judged yet. */
function tokenize(args, options) {
  const tokens = [];
  let groupCount = 0;
  const rest = ArrayPrototypeSlice(args);
  let index = -1;
  while (rest.length > 0) {
    const arg = rest[0];
    for (let at = 0; at < rest.length - 1; at++) rest[at] = rest[at + 1];
    rest.length--;
    if (groupCount > 0) groupCount--;
    else index++;
    if (arg === '--') {
      ArrayPrototypePush(tokens, { kind: 'option-terminator', index });
      for (let at = 0; at < rest.length; at++)
        ArrayPrototypePush(tokens, { kind: 'positional', index: ++index, value: rest[at] });
      break;
    }
    const isShort = arg.length > 1 && StringPrototypeCharAt(arg, 0) === '-' && StringPrototypeCharAt(arg, 1) !== '-';
    if (isShort && arg.length === 2) {
      const name = longNameOf(options, StringPrototypeCharAt(arg, 1));
      let value;
      let inlineValue;
      if (settingOf(options, name, 'type') === 'string' && rest.length > 0) {
        value = rest[0];
        for (let at = 0; at < rest.length - 1; at++) rest[at] = rest[at + 1];
        rest.length--;
        inlineValue = false;
      }
      ArrayPrototypePush(tokens, { kind: 'option', name, rawName: arg, index, value, inlineValue });
      if (value !== undefined) index++;
      continue;
    }
    if (isShort) {
      const first = longNameOf(options, StringPrototypeCharAt(arg, 1));
      if (settingOf(options, first, 'type') === 'string') {
        ArrayPrototypePush(tokens, {
          kind: 'option',
          name: first,
          rawName: StringPrototypeSlice(arg, 0, 2),
          index,
          value: StringPrototypeSlice(arg, 2),
          inlineValue: true,
        });
        continue;
      }
      // -abc is -a -b -c; the last of them that takes a value takes what follows it.
      const expanded = [];
      for (let at = 1; at < arg.length; at++) {
        const short = StringPrototypeCharAt(arg, at);
        if (settingOf(options, longNameOf(options, short), 'type') !== 'string' || at === arg.length - 1) {
          ArrayPrototypePush(expanded, `-${short}`);
        } else {
          ArrayPrototypePush(expanded, `-${StringPrototypeSlice(arg, at)}`);
          break;
        }
      }
      for (let at = rest.length - 1; at >= 0; at--) rest[at + expanded.length] = rest[at];
      for (let at = 0; at < expanded.length; at++) rest[at] = expanded[at];
      groupCount = expanded.length;
      continue;
    }
    if (StringPrototypeStartsWith(arg, '--')) {
      const equals = StringPrototypeIndexOf(arg, '=', 3);
      if (equals === -1) {
        const name = StringPrototypeSlice(arg, 2);
        let value;
        let inlineValue;
        if (settingOf(options, name, 'type') === 'string' && rest.length > 0) {
          value = rest[0];
          for (let at = 0; at < rest.length - 1; at++) rest[at] = rest[at + 1];
          rest.length--;
          inlineValue = false;
        }
        ArrayPrototypePush(tokens, { kind: 'option', name, rawName: arg, index, value, inlineValue });
        if (value !== undefined) index++;
      } else {
        const name = StringPrototypeSlice(arg, 2, equals);
        ArrayPrototypePush(tokens, {
          kind: 'option',
          name,
          rawName: `--${name}`,
          index,
          value: StringPrototypeSlice(arg, equals + 1),
          inlineValue: true,
        });
      }
      continue;
    }
    ArrayPrototypePush(tokens, { kind: 'positional', index, value: arg });
  }
  return tokens;
}

function checkUsage(options, token, allowPositionals, allowNegative) {
  let name = token.name;
  const positive = StringPrototypeSlice(name, 3);
  const isNegative =
    allowNegative && StringPrototypeStartsWith(name, 'no-') && !ObjectPrototypeHasOwnProperty(options, name);
  if (isNegative && settingOf(options, positive, 'type') === 'boolean') name = positive;
  if (!ObjectPrototypeHasOwnProperty(options, name))
    throw ERR_PARSE_ARGS_UNKNOWN_OPTION(token.rawName, allowPositionals);
  const short = own(options[name], 'short');
  const shown = `${short ? `-${short}, ` : ''}--${name}`;
  const type = own(options[name], 'type');
  if (type === 'string' && typeof token.value !== 'string')
    throw ERR_PARSE_ARGS_INVALID_OPTION_VALUE(`Option '${shown} <value>' argument missing`);
  if (type === 'boolean' && token.value != null)
    throw ERR_PARSE_ARGS_INVALID_OPTION_VALUE(`Option '${shown}' does not take an argument`);
}

function checkAmbiguity(token) {
  if (token.inlineValue !== false || !isOptionLike(token.value)) return;
  const example = StringPrototypeStartsWith(token.rawName, '--')
    ? `'${token.rawName}=-XYZ'`
    : `'--${token.name}=-XYZ' or '${token.rawName}-XYZ'`;
  throw ERR_PARSE_ARGS_INVALID_OPTION_VALUE(
    `Option '${token.rawName}' argument is ambiguous.\nDid you forget to specify the option argument for '${token.rawName}'?\nTo specify an option argument starting with a dash use ${example}.`,
  );
}

function store(token, options, values, allowNegative) {
  let { name, value } = token;
  if (name === '__proto__') return;
  if (
    allowNegative &&
    value === undefined &&
    StringPrototypeStartsWith(name, 'no-') &&
    !ObjectPrototypeHasOwnProperty(options, name)
  ) {
    // --no-x is x: false
    name = StringPrototypeSlice(name, 3);
    token.name = name;
    value = false;
  }
  const stored = value ?? true;
  if (settingOf(options, name, 'multiple')) {
    if (values[name]) ArrayPrototypePush(values[name], stored);
    else values[name] = [stored];
  } else {
    values[name] = stored;
  }
}

function checkConfig(options) {
  validateObject(options, 'options');
  ArrayPrototypeForEach(ObjectEntries(options), ({ 0: name, 1: setting }) => {
    validateObject(setting, `options.${name}`);
    const type = own(setting, 'type');
    validateUnion(type, `options.${name}.type`, ['string', 'boolean']);
    if (ObjectPrototypeHasOwnProperty(setting, 'short')) {
      validateString(setting.short, `options.${name}.short`);
      if (setting.short.length !== 1)
        throw ERR_INVALID_ARG_VALUE(`options.${name}.short`, setting.short, 'must be a single character');
    }
    const multiple = own(setting, 'multiple');
    if (ObjectPrototypeHasOwnProperty(setting, 'multiple')) validateBoolean(multiple, `options.${name}.multiple`);
    const value = own(setting, 'default');
    if (value === undefined) return;
    const path = `options.${name}.default`;
    if (type === 'string') (multiple ? validateStringArray : validateString)(value, path);
    else (multiple ? validateBooleanArray : validateBoolean)(value, path);
  });
}

exports.parseArgs = function parseArgs(config = {}) {
  validateObject(config, 'config');
  const args = own(config, 'args') ?? ArrayPrototypeSlice(use('node:process').default.argv, 2);
  const strict = own(config, 'strict') ?? true;
  const allowPositionals = own(config, 'allowPositionals') ?? !strict;
  const returnTokens = own(config, 'tokens') ?? false;
  const allowNegative = own(config, 'allowNegative') ?? false;
  const options = own(config, 'options') ?? { __proto__: null };
  validateArray(args, 'args');
  validateBoolean(strict, 'strict');
  validateBoolean(allowPositionals, 'allowPositionals');
  validateBoolean(returnTokens, 'tokens');
  validateBoolean(allowNegative, 'allowNegative');
  checkConfig(options);

  const tokens = tokenize(args, options);
  const result = { values: { __proto__: null }, positionals: [] };
  if (returnTokens) result.tokens = tokens;
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index];
    if (token.kind === 'option') {
      if (strict) {
        checkUsage(options, token, allowPositionals, allowNegative);
        checkAmbiguity(token);
      }
      store(token, options, result.values, allowNegative);
    } else if (token.kind === 'positional') {
      if (!allowPositionals) throw ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL(token.value);
      ArrayPrototypePush(result.positionals, token.value);
    }
  }
  const defaults = ArrayPrototypeFilter(ObjectKeys(options), (name) => own(options[name], 'default') !== undefined);
  for (let index = 0; index < defaults.length; index++) {
    const name = defaults[index];
    if (!ObjectPrototypeHasOwnProperty(result.values, name)) result.values[name] = options[name].default;
  }
  return result;
};
