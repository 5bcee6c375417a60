// node:util.
const {
  ArrayIsArray,
  ArrayPrototypePush,
  Date,
  DatePrototypeGetDate,
  DatePrototypeGetHours,
  DatePrototypeGetMinutes,
  DatePrototypeGetMonth,
  DatePrototypeGetSeconds,
  Error,
  Map,
  NumberPrototypeToString,
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptors,
  ObjectGetPrototypeOf,
  ObjectKeys,
  ObjectSetPrototypeOf,
  Promise,
  PromisePrototypeThen,
  PromiseResolve,
  ReflectApply,
  ReflectConstruct,
  RegExp,
  RegExpPrototypeExec,
  RegExpPrototypeSymbolReplace,
  SafeSet,
  SafeWeakMap,
  StringPrototypePadStart,
  StringPrototypeSplit,
  StringPrototypeToUpperCase,
  StringPrototypeToWellFormed,
  SymbolFor,
} = primordials;
const { AbortError, ERR_FALSY_VALUE_REJECTION, ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE } = use('node/internal/errors');
const { validateAbortSignal, validateFunction, validateNumber, validateObject, validateOneOf, validateString } =
  use('node/internal/validators');
const { inspect } = use('node/internal/util/inspect');
const { stripControlSequences } = use('node/internal/util/text');
const { formatWith } = use('node/internal/util/format');
const { isDeepStrictEqual } = use('node/internal/util/comparisons');
const { parseArgs } = use('node/internal/util/parse_args');
const { tagOf, types } = use('node/internal/util/types');

use('node/internal/util/platform');
use('node:timers'); // so that promisify finds what it makes of setTimeout

function processOf() {
  return use('node:process').default;
}

// --- callbacks and promises ---

const PROMISIFY = SymbolFor('nodejs.util.promisify.custom');
const ARGUMENT_NAMES = SymbolFor('nodejs.util.promisify.customArgs'); // of callbacks with several values

/** A version of a callback-last function that returns a promise. */
function promisify(original) {
  validateFunction(original, 'original');
  const custom = original[PROMISIFY];
  if (custom) {
    validateFunction(custom, 'util.promisify.custom');
    return ObjectDefineProperty(custom, PROMISIFY, {
      __proto__: null,
      value: custom,
      enumerable: false,
      writable: false,
      configurable: true,
    });
  }
  const names = original[ARGUMENT_NAMES];
  function promisified(...values) {
    return new Promise((resolve, reject) => {
      ArrayPrototypePush(values, (error, ...results) => {
        if (error) {
          reject(error);
        } else if (names !== undefined && results.length > 1) {
          const named = {};
          for (let index = 0; index < names.length; index++) named[names[index]] = results[index];
          resolve(named);
        } else {
          resolve(results[0]);
        }
      });
      ReflectApply(original, this, values);
    });
  }
  ObjectSetPrototypeOf(promisified, ObjectGetPrototypeOf(original));
  ObjectDefineProperty(promisified, PROMISIFY, {
    __proto__: null,
    value: promisified,
    enumerable: false,
    writable: false,
    configurable: true,
  });
  const descriptors = ObjectGetOwnPropertyDescriptors(original);
  const keys = ObjectKeys(descriptors);
  for (let index = 0; index < keys.length; index++) ObjectSetPrototypeOf(descriptors[keys[index]], null);
  return ObjectDefineProperties(promisified, descriptors);
}
promisify.custom = PROMISIFY;

/** A callback-last version of a function that returns a promise. */
function callbackify(original) {
  validateFunction(original, 'original');
  function callbackified(...values) {
    const callback = values.length > 0 ? values[values.length - 1] : undefined;
    validateFunction(callback, 'last argument');
    values.length--;
    const done = (error, result) =>
      processOf().nextTick(() => ReflectApply(callback, this, error === undefined ? [null, result] : [error]));
    PromisePrototypeThen(
      PromiseResolve(ReflectApply(original, this, values)),
      (result) => done(undefined, result),
      (reason) => {
        if (reason) {
          done(reason);
          return;
        }
        const error = ERR_FALSY_VALUE_REJECTION();
        error.reason = reason;
        done(error);
      },
    );
  }
  const descriptors = ObjectGetOwnPropertyDescriptors(original);
  if (typeof descriptors.length.value === 'number') descriptors.length.value++;
  if (typeof descriptors.name.value === 'string') descriptors.name.value += 'Callbackified';
  const keys = ObjectKeys(descriptors);
  for (let index = 0; index < keys.length; index++) ObjectSetPrototypeOf(descriptors[keys[index]], null);
  return ObjectDefineProperties(callbackified, descriptors);
}

/** Resolves when `signal` aborts, unless `resource` is collected first. */
async function aborted(signal, resource) {
  if (signal === undefined) throw ERR_INVALID_ARG_TYPE('signal', 'AbortSignal', signal);
  validateAbortSignal(signal, 'signal');
  if (resource === null || (typeof resource !== 'object' && typeof resource !== 'function'))
    throw ERR_INVALID_ARG_TYPE('resource', 'Object', resource);
  if (signal.aborted) return undefined;
  return new Promise((resolve) => {
    keptAlive.set(resource, resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
const keptAlive = new SafeWeakMap();

// --- classes and deprecation ---

function inherits(constructor, superConstructor) {
  if (constructor === undefined || constructor === null) throw ERR_INVALID_ARG_TYPE('ctor', 'Function', constructor);
  if (superConstructor === undefined || superConstructor === null)
    throw ERR_INVALID_ARG_TYPE('superCtor', 'Function', superConstructor);
  if (superConstructor.prototype === undefined)
    throw ERR_INVALID_ARG_TYPE('superCtor.prototype', 'Object', superConstructor.prototype);
  ObjectDefineProperty(constructor, 'super_', {
    __proto__: null,
    value: superConstructor,
    writable: true,
    configurable: true,
  });
  ObjectSetPrototypeOf(constructor.prototype, superConstructor.prototype);
}

const warnedCodes = new SafeSet();
/** Calls of the returned function warn once, once per code if there is one. */
function deprecate(original, message, code) {
  if (processOf().noDeprecation === true) return original;
  if (code !== undefined) validateString(code, 'code');
  let warned = false;
  function deprecated(...values) {
    if (!warned) {
      warned = true;
      if (code === undefined) {
        processOf().emitWarning(message, 'DeprecationWarning', deprecated);
      } else if (!warnedCodes.has(code)) {
        warnedCodes.add(code);
        processOf().emitWarning(message, 'DeprecationWarning', code, deprecated);
      }
    }
    return new.target ? ReflectConstruct(original, values, new.target) : ReflectApply(original, this, values);
  }
  ObjectSetPrototypeOf(deprecated, original);
  if (original.prototype) deprecated.prototype = original.prototype;
  ObjectDefineProperty(deprecated, 'length', { __proto__: null, value: original.length, configurable: true });
  return deprecated;
}

/** Object.assign of one object that may be no object. */
function _extend(target, source) {
  if (source === null || typeof source !== 'object') return target;
  const keys = ObjectKeys(source);
  for (let index = 0; index < keys.length; index++) target[keys[index]] = source[keys[index]];
  return target;
}

// --- logging ---

function format(...values) {
  return formatWith(undefined, values);
}
function formatWithOptions(inspectOptions, ...values) {
  validateObject(inspectOptions, 'inspectOptions', 4);
  return formatWith(inspectOptions, values);
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
function two(number) {
  return StringPrototypePadStart(NumberPrototypeToString(number), 2, '0');
}
function log(...values) {
  const now = new Date();
  const time = `${two(DatePrototypeGetHours(now))}:${two(DatePrototypeGetMinutes(now))}:${two(DatePrototypeGetSeconds(now))}`;
  use('web/console').console.log(
    '%s - %s',
    `${DatePrototypeGetDate(now)} ${MONTHS[DatePrototypeGetMonth(now)]} ${time}`,
    format(...values),
  );
}

/** Which sections the environment variable NODE_DEBUG names; `*` in it stands for anything. */
function isDebugged(section) {
  const { NODE_DEBUG } = processOf().env;
  if (!NODE_DEBUG) return false;
  const patterns = StringPrototypeSplit(NODE_DEBUG, ',');
  for (let index = 0; index < patterns.length; index++) {
    const escaped = RegExpPrototypeSymbolReplace(/[|\\{}()[\]^$+?.]/g, patterns[index], '\\$&');
    const pattern = new RegExp(`^${RegExpPrototypeSymbolReplace(/\*/g, escaped, '.*')}$`, 'i');
    if (RegExpPrototypeExec(pattern, section) !== null) return true;
  }
  return false;
}
function debuglog(name, whenKnown) {
  const section = StringPrototypeToUpperCase(name);
  let enabled;
  const check = () => (enabled ??= isDebugged(section));
  function logger(...values) {
    if (!check()) return;
    const colors = false;
    processOf().stderr.write(`${section} ${processOf().pid}: ${formatWith({ colors }, values)}\n`);
  }
  if (typeof whenKnown === 'function') {
    const first = (...values) => {
      whenKnown(check() ? logger : () => {});
      logger(...values);
    };
    ObjectDefineProperty(first, 'enabled', { __proto__: null, get: check, configurable: true, enumerable: true });
    return first;
  }
  return ObjectDefineProperty(logger, 'enabled', { __proto__: null, get: check, configurable: true, enumerable: true });
}

// --- text ---

function stripVTControlCharacters(text) {
  validateString(text, 'str');
  return stripControlSequences(text);
}
function toUSVString(input) {
  return StringPrototypeToWellFormed(`${input}`);
}
function styleText(style, text, options = {}) {
  validateString(text, 'text');
  validateObject(options, 'options');
  const names = ArrayIsArray(style) ? style : [style];
  let result = text;
  let before = '';
  let after = '';
  for (let index = 0; index < names.length; index++) {
    const pair = inspect.colors[names[index]];
    if (pair === undefined) validateOneOf(names[index], 'format', ObjectKeys(inspect.colors));
    before += `\u001b[${pair[0]}m`;
    after = `\u001b[${pair[1]}m${after}`;
  }
  result = `${before}${text}${after}`;
  return result;
}

/** The lines `NAME=value` of a .env file. */
function parseEnv(content) {
  validateString(content, 'content');
  const values = {};
  const line =
    /^[ \t]*(?:export[ \t]+)?([^\s=#]+)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|`([^`]*)`|([^#\r\n]*))?[^\r\n]*$/gm;
  for (let match = RegExpPrototypeExec(line, content); match !== null; match = RegExpPrototypeExec(line, content)) {
    const { 1: name, 2: double, 3: single, 4: backtick, 5: bare } = match;
    if (double !== undefined) values[name] = RegExpPrototypeSymbolReplace(/\\n/g, double, '\n');
    else values[name] = single ?? backtick ?? RegExpPrototypeSymbolReplace(/[ \t]+$/, bare ?? '', '');
  }
  return values;
}

// --- system errors ---

const { ERRNO } = use('node/internal/errno');
function checkErrno(error) {
  validateNumber(error, 'err');
  if (error >= 0 || error < -0x7fffffff || error % 1 !== 0) throw ERR_OUT_OF_RANGE('err', 'a negative integer', error);
}
function getSystemErrorName(error) {
  checkErrno(error);
  return ERRNO[-error]?.[0] ?? `Unknown system error ${error}`;
}
function getSystemErrorMessage(error) {
  checkErrno(error);
  return ERRNO[-error]?.[1] ?? `Unknown system error ${error}`;
}
function getSystemErrorMap() {
  const map = new Map();
  const numbers = ObjectKeys(ERRNO);
  for (let index = 0; index < numbers.length; index++) map.set(-numbers[index], ERRNO[numbers[index]]);
  return map;
}

// --- type checks of old ---

function isObject(value) {
  return value !== null && typeof value === 'object';
}
const module = {
  _extend,
  aborted,
  callbackify,
  debug: debuglog,
  debuglog,
  deprecate,
  format,
  formatWithOptions,
  getSystemErrorMap,
  getSystemErrorMessage,
  getSystemErrorName,
  inherits,
  inspect,
  isArray: ArrayIsArray,
  isBoolean: (value) => typeof value === 'boolean',
  isBuffer: (value) => use('node:buffer').default.Buffer.isBuffer(value),
  isDate: types.isDate,
  isDeepStrictEqual(a, b) {
    return isDeepStrictEqual(a, b);
  },
  isError: (value) => tagOf(value) === 'NativeError' || value instanceof Error,
  isFunction: (value) => typeof value === 'function',
  isNull: (value) => value === null,
  isNullOrUndefined: (value) => value === null || value === undefined,
  isNumber: (value) => typeof value === 'number',
  isObject,
  isPrimitive: (value) => value === null || (typeof value !== 'object' && typeof value !== 'function'),
  isRegExp: types.isRegExp,
  isString: (value) => typeof value === 'string',
  isSymbol: (value) => typeof value === 'symbol',
  isUndefined: (value) => value === undefined,
  log,
  parseArgs,
  parseEnv,
  promisify,
  stripVTControlCharacters,
  styleText,
  TextDecoder: use('web/encoding').TextDecoder,
  TextEncoder: use('web/encoding').TextEncoder,
  toUSVString,
  types,
};
exports.default = module;
