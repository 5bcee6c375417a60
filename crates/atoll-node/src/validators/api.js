// Checks of arguments, with Node's error for each.
const {
  ArrayBufferIsView,
  ArrayIsArray,
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  NumberIsFinite,
  NumberIsInteger,
  NumberMAX_SAFE_INTEGER,
  NumberMIN_SAFE_INTEGER,
  NumberParseInt,
  RangeError,
  RegExpPrototypeExec,
  String,
  StringPrototypeTrim,
} = primordials;
const { ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE } = use('node/internal/errors');

const INT32_MIN = -2147483648;
const INT32_MAX = 2147483647;
const UINT32_MAX = 4294967295;

function ofType(type) {
  return (value, name) => {
    if (typeof value !== type) throw ERR_INVALID_ARG_TYPE(name, type, value);
  };
}
exports.validateString = ofType('string');
exports.validateBoolean = ofType('boolean');
exports.validateSymbol = ofType('symbol');
exports.validateUndefined = ofType('undefined');
exports.validateFunction = (value, name) => {
  if (typeof value !== 'function') throw ERR_INVALID_ARG_TYPE(name, 'Function', value);
};

exports.validateNumber = (value, name, min = undefined, max = undefined) => {
  if (typeof value !== 'number') throw ERR_INVALID_ARG_TYPE(name, 'number', value);
  const unordered = (min !== undefined || max !== undefined) && value !== value;
  if ((min !== undefined && value < min) || (max !== undefined && value > max) || unordered) {
    const low = min === undefined ? '' : `>= ${min}`;
    const high = max === undefined ? '' : `<= ${max}`;
    throw ERR_OUT_OF_RANGE(name, `${low}${low && high && ' && '}${high}`, value);
  }
};

function integer(value, name, min, max) {
  if (typeof value !== 'number') throw ERR_INVALID_ARG_TYPE(name, 'number', value);
  if (!NumberIsInteger(value)) throw ERR_OUT_OF_RANGE(name, 'an integer', value);
  if (value < min || value > max) throw ERR_OUT_OF_RANGE(name, `>= ${min} && <= ${max}`, value);
}
exports.validateInteger = (value, name, min = NumberMIN_SAFE_INTEGER, max = NumberMAX_SAFE_INTEGER) =>
  integer(value, name, min, max);
exports.validateInt32 = (value, name, min = INT32_MIN, max = INT32_MAX) => integer(value, name, min, max);
exports.validateUint32 = (value, name, positive = false) => integer(value, name, positive ? 1 : 0, UINT32_MAX);

exports.kValidateObjectNone = 0;
exports.kValidateObjectAllowNullable = 1;
exports.kValidateObjectAllowArray = 2;
exports.kValidateObjectAllowFunction = 4;
/** `flags` is a sum of the `kValidateObject…` above. */
exports.validateObject = (value, name, flags = 0) => {
  if (value === null) {
    if ((flags & 1) === 0) throw ERR_INVALID_ARG_TYPE(name, 'Object', value);
    return;
  }
  if (ArrayIsArray(value) && (flags & 2) === 0) throw ERR_INVALID_ARG_TYPE(name, 'Object', value);
  if (typeof value !== 'object' && ((flags & 4) === 0 || typeof value !== 'function'))
    throw ERR_INVALID_ARG_TYPE(name, 'Object', value);
};

exports.validateArray = (value, name, minLength = 0) => {
  if (!ArrayIsArray(value)) throw ERR_INVALID_ARG_TYPE(name, 'Array', value);
  if (value.length < minLength) throw ERR_INVALID_ARG_VALUE(name, value, `must be longer than ${minLength}`);
};
exports.validateStringArray = (value, name) => {
  exports.validateArray(value, name);
  for (let index = 0; index < value.length; index++) exports.validateString(value[index], `${name}[${index}]`);
};
exports.validateBooleanArray = (value, name) => {
  exports.validateArray(value, name);
  for (let index = 0; index < value.length; index++) exports.validateBoolean(value[index], `${name}[${index}]`);
};

exports.validateOneOf = (value, name, allowed) => {
  if (ArrayPrototypeIncludes(allowed, value)) return;
  const shown = ArrayPrototypeJoin(
    ArrayPrototypeMap(allowed, (each) => (typeof each === 'string' ? `'${each}'` : String(each))),
    ', ',
  );
  throw ERR_INVALID_ARG_VALUE(name, value, `must be one of: ${shown}`);
};
exports.validateUnion = (value, name, union) => {
  if (!ArrayPrototypeIncludes(union, value))
    throw ERR_INVALID_ARG_TYPE(name, `('${ArrayPrototypeJoin(union, '|')}')`, value);
};

exports.validateAbortSignal = (signal, name) => {
  if (signal !== undefined && (signal === null || typeof signal !== 'object' || !('aborted' in signal))) {
    throw ERR_INVALID_ARG_TYPE(name, 'AbortSignal', signal);
  }
};

exports.validateBuffer = (value, name = 'buffer') => {
  if (!ArrayBufferIsView(value)) throw ERR_INVALID_ARG_TYPE(name, ['Buffer', 'TypedArray', 'DataView'], value);
};

exports.validatePort = (port, name = 'Port', allowZero = true) => {
  const text = typeof port === 'string' ? StringPrototypeTrim(port) : port;
  const valid =
    (typeof port === 'number' || (typeof port === 'string' && text.length > 0)) &&
    +port === +port >>> 0 &&
    port <= 0xffff;
  if (!valid || (+port === 0 && !allowZero)) {
    const range = allowZero ? '>= 0 and < 65536' : '> 0 and < 65536';
    throw use('node/internal/errors').codedError(
      RangeError,
      'ERR_SOCKET_BAD_PORT',
      `${name} should be ${range}. Received ${use('node/internal/errors').describeReceived(port)}.`,
    );
  }
  return port | 0;
};

const OCTAL = /^[0-7]+$/;
/** A file mode as number: octal digits of a string, else an unsigned 32-bit integer. */
exports.parseFileMode = (value, name, byDefault = undefined) => {
  let mode = value ?? byDefault;
  if (typeof mode === 'string') {
    if (RegExpPrototypeExec(OCTAL, mode) === null)
      throw ERR_INVALID_ARG_VALUE(name, mode, 'must be a 32-bit unsigned integer or an octal string');
    mode = NumberParseInt(mode, 8);
  }
  integer(mode, name, 0, UINT32_MAX);
  return mode;
};

exports.validateFiniteNumber = (value, name) => {
  if (value === undefined) return false;
  if (NumberIsFinite(value)) return true;
  if (value !== value) return false;
  exports.validateNumber(value, name);
  throw ERR_OUT_OF_RANGE(name, 'a finite number', value);
};
