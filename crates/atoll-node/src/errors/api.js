// Node's coded errors. Every `exports.ERR_…` is a function that builds the error (with or without `new`):
// `throw ERR_OUT_OF_RANGE('offset', '>= 0', offset)`.
const {
  ArrayIsArray,
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  Error,
  ErrorCaptureStackTrace,
  JSONStringify,
  MathAbs,
  NumberIsInteger,
  ObjectDefineProperty,
  ObjectKeys,
  RangeError,
  ReflectApply,
  RegExpPrototypeExec,
  String,
  StringPrototypeEndsWith,
  StringPrototypeIncludes,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  SyntaxError,
  TypeError,
  URIError,
} = primordials;

const RECEIVED_STRING_CHARACTERS = 28; // a longer string in "Received type string (…)" is cut, as Node does
const RECEIVED_VALUE_CHARACTERS = 128; // the same for "Received …" of an invalid value

function inspect(value, options) {
  return use('node/internal/util/inspect').inspect(value, options);
}

/** "a", "a or b", "a, b, or c". */
function listing(words, conjunction = 'or') {
  const { length } = words;
  if (length <= 1) return length === 1 ? `${words[0]}` : '';
  if (length === 2) return `${words[0]} ${conjunction} ${words[1]}`;
  return `${ArrayPrototypeJoin(ArrayPrototypeSlice(words, 0, length - 1), ', ')}, ${conjunction} ${words[length - 1]}`;
}

/** What came in place of the wanted type: "type number (1)", "an instance of Map", "undefined", "function f". */
function describeReceived(value) {
  if (value === null) return 'null';
  switch (typeof value) {
    case 'undefined':
      return 'undefined';
    case 'bigint':
      return `type bigint (${value}n)`;
    case 'number':
      return value === 0 && 1 / value < 0 ? 'type number (-0)' : `type number (${value})`;
    case 'boolean':
      return `type boolean (${value})`;
    case 'symbol':
      return `type symbol (${String(value)})`;
    case 'function':
      return `function ${value.name}`;
    case 'string': {
      const text = value.length > RECEIVED_STRING_CHARACTERS ? `${StringPrototypeSlice(value, 0, 25)}...` : value;
      return StringPrototypeIncludes(text, "'") ? `type string (${JSONStringify(text)})` : `type string ('${text}')`;
    }
    default: {
      const { constructor } = value;
      const named = constructor !== null && (typeof constructor === 'function' || typeof constructor === 'object') && 'name' in constructor;
      return named ? `an instance of ${constructor.name}` : inspect(value, { depth: -1 });
    }
  }
}

const PRIMITIVES = ['string', 'function', 'number', 'object', 'Function', 'Object', 'boolean', 'bigint', 'symbol'];
const CLASS_NAME = /^(?:[A-Z][a-z0-9]*)+$/;

function includes(list, wanted) {
  for (let index = 0; index < list.length; index++) if (list[index] === wanted) return true;
  return false;
}

/** The subject of a message: `The "x" argument`, `The "options.x" property`, `The first argument`. */
function subject(name) {
  if (StringPrototypeEndsWith(name, ' argument')) return `The ${name} `;
  return `The "${name}" ${StringPrototypeIncludes(name, '.') ? 'property' : 'argument'} `;
}

function invalidArgumentType(name, expected, actual) {
  const wanted = ArrayIsArray(expected) ? expected : [expected];
  const types = [];
  const classes = [];
  const others = [];
  let object = false;
  for (let index = 0; index < wanted.length; index++) {
    const word = wanted[index];
    if (includes(PRIMITIVES, word)) {
      const lower = StringPrototypeToLowerCase(word);
      if (lower === 'object') object = true;
      ArrayPrototypePush(types, lower);
    } else if (RegExpPrototypeExec(CLASS_NAME, word) !== null) {
      ArrayPrototypePush(classes, word);
    } else {
      ArrayPrototypePush(others, word);
    }
  }
  // "object" reads as a class beside other classes.
  if (object && classes.length > 0) {
    ArrayPrototypePush(classes, 'Object');
    for (let index = types.length - 1; index >= 0; index--) {
      if (types[index] !== 'object') continue;
      for (let next = index; next < types.length - 1; next++) types[next] = types[next + 1];
      types.length--;
    }
  }
  let message = `${subject(name)}must be `;
  if (types.length > 0) {
    message += `${types.length > 1 ? 'one of type' : 'of type'} ${listing(types)}`;
    if (classes.length > 0 || others.length > 0) message += ' or ';
  }
  if (classes.length > 0) {
    message += `an instance of ${listing(classes)}`;
    if (others.length > 0) message += ' or ';
  }
  if (others.length > 1) message += `one of ${listing(others)}`;
  else if (others.length === 1)
    message += `${StringPrototypeToLowerCase(others[0]) !== others[0] ? 'an ' : ''}${others[0]}`;
  return `${message}. Received ${describeReceived(actual)}`;
}

/** 12_345_678: groups of three digits from the right. */
function grouped(digits) {
  let rest = digits;
  let tail = '';
  const first = StringPrototypeStartsWith(rest, '-') ? 1 : 0;
  while (rest.length >= first + 4) {
    tail = `_${StringPrototypeSlice(rest, -3)}${tail}`;
    rest = StringPrototypeSlice(rest, 0, -3);
  }
  return rest + tail;
}

function outOfRange(name, range, received, replaceDefault = false) {
  let shown;
  if (NumberIsInteger(received) && MathAbs(received) > 2 ** 32) {
    shown = grouped(String(received));
  } else if (typeof received === 'bigint') {
    shown = received > 2n ** 32n || received < -(2n ** 32n) ? grouped(String(received)) : String(received);
    shown += 'n';
  } else {
    shown = inspect(received);
  }
  const message = replaceDefault ? name : `The value of "${name}" is out of range.`;
  return `${message} It must be ${range}. Received ${shown}`;
}

function invalidArgumentValue(name, value, reason = 'is invalid') {
  let shown = inspect(value);
  if (shown.length > RECEIVED_VALUE_CHARACTERS)
    shown = `${StringPrototypeSlice(shown, 0, RECEIVED_VALUE_CHARACTERS)}...`;
  const kind = StringPrototypeIncludes(name, '.') ? 'property' : 'argument';
  return `The ${kind} '${name}' ${reason}. Received ${shown}`;
}

function missingArguments(...names) {
  const quoted = [];
  for (let index = 0; index < names.length; index++) {
    const name = names[index];
    if (!ArrayIsArray(name)) {
      ArrayPrototypePush(quoted, `"${name}"`);
      continue;
    }
    let alternatives = '';
    for (let at = 0; at < name.length; at++) alternatives += `${at > 0 ? ' or ' : ''}"${name[at]}"`;
    ArrayPrototypePush(quoted, alternatives);
  }
  return `The ${listing(quoted, 'and')} argument${quoted.length > 1 ? 's' : ''} must be specified`;
}

function invalidReturnValue(expected, name, value) {
  return `Expected ${expected} to be returned from the "${name}" function but got ${describeReceived(value)}.`;
}

// code → the class of the error, and its message or the function that words it.
const TABLE = {
  __proto__: null,
  ERR_AMBIGUOUS_ARGUMENT: [TypeError, (name, reason) => `The "${name}" argument is ambiguous. ${reason}`],
  ERR_ARG_NOT_ITERABLE: [TypeError, (name) => `${name} must be iterable`],
  ERR_BUFFER_OUT_OF_BOUNDS: [
    RangeError,
    (name) => (name ? `"${name}" is outside of buffer bounds` : 'Attempt to access memory outside buffer bounds'),
  ],
  ERR_BUFFER_TOO_LARGE: [RangeError, (max) => `Cannot create a Buffer larger than ${max} bytes`],
  ERR_CONSTRUCT_CALL_REQUIRED: [TypeError, (name) => `Class constructor ${name} cannot be invoked without \`new\``],
  ERR_DIR_CLOSED: [Error, 'Directory handle was closed'],
  ERR_DIR_CONCURRENT_OPERATION: [
    Error,
    'Cannot do synchronous work on directory handle with concurrent asynchronous operations',
  ],
  ERR_ENCODING_INVALID_ENCODED_DATA: [
    TypeError,
    (encoding) => `The encoded data was not valid for encoding ${encoding}`,
  ],
  ERR_ENCODING_NOT_SUPPORTED: [RangeError, (encoding) => `The "${encoding}" encoding is not supported`],
  ERR_EVENT_RECURSION: [Error, (name) => `The event "${name}" is already being dispatched`],
  ERR_FALSY_VALUE_REJECTION: [Error, 'Promise was rejected with falsy value'],
  ERR_FEATURE_UNAVAILABLE_ON_PLATFORM: [
    TypeError,
    (name) => `The feature ${name} is unavailable on the current platform, which is being used to run Atoll`,
  ],
  ERR_FS_CP_DIR_TO_NON_DIR: [Error, 'Cannot overwrite non-directory with directory'],
  ERR_FS_CP_EINVAL: [Error, 'Invalid src or dest'],
  ERR_FS_CP_NON_DIR_TO_DIR: [Error, 'Cannot overwrite directory with non-directory'],
  ERR_FS_EISDIR: [Error, (path) => `Path is a directory: ${path}`],
  ERR_FS_FILE_TOO_LARGE: [RangeError, (size) => `File size (${size}) is greater than 2 GiB`],
  ERR_FS_INVALID_SYMLINK_TYPE: [
    Error,
    (type) => `Symlink type must be one of "dir", "file", or "junction". Received "${type}"`,
  ],
  ERR_ILLEGAL_CONSTRUCTOR: [TypeError, 'Illegal constructor'],
  ERR_INCOMPATIBLE_OPTION_PAIR: [
    TypeError,
    (one, other) => `Option "${one}" cannot be used in combination with option "${other}"`,
  ],
  ERR_INTERNAL_ASSERTION: [Error, (message) => message],
  ERR_INVALID_ADDRESS_FAMILY: [RangeError, (type, host, port) => `Invalid address family: ${type} ${host}:${port}`],
  ERR_INVALID_ARG_TYPE: [TypeError, invalidArgumentType],
  ERR_INVALID_ARG_VALUE: [TypeError, invalidArgumentValue],
  ERR_INVALID_BUFFER_SIZE: [RangeError, (bits) => `Buffer size must be a multiple of ${bits}`],
  ERR_INVALID_CHAR: [
    TypeError,
    (name, field) => `Invalid character in ${name}${field === undefined ? '' : ` ["${field}"]`}`,
  ],
  ERR_INVALID_CURSOR_POS: [TypeError, 'Cannot set cursor row without setting its column'],
  ERR_INVALID_FILE_URL_HOST: [TypeError, (platform) => `File URL host must be "localhost" or empty on ${platform}`],
  ERR_INVALID_FILE_URL_PATH: [TypeError, (reason) => `File URL path ${reason}`],
  ERR_INVALID_HANDLE_TYPE: [TypeError, 'This handle type cannot be sent'],
  ERR_INVALID_IP_ADDRESS: [TypeError, (address) => `Invalid IP address: ${address}`],
  ERR_INVALID_MIME_SYNTAX: [
    TypeError,
    (production, text, at) =>
      `The MIME syntax for a ${production} in ${JSONStringify(text)} is invalid${at === -1 ? '' : ` at ${at}`}`,
  ],
  ERR_INVALID_MODULE: [TypeError, (name) => `Invalid module "${name}"`],
  ERR_INVALID_OBJECT_DEFINE_PROPERTY: [TypeError, (reason) => reason],
  ERR_INVALID_OPT_VALUE_ENCODING: [TypeError, (encoding) => `The value "${encoding}" is invalid for option "encoding"`],
  ERR_INVALID_RETURN_PROPERTY: [
    TypeError,
    (input, name, property, value) =>
      `Expected a valid ${input} to be returned for the "${property}" from the "${name}" function but got ${value}.`,
  ],
  ERR_INVALID_RETURN_PROPERTY_VALUE: [
    TypeError,
    (input, name, property, value) =>
      `Expected ${input} to be returned for the "${property}" from the "${name}" function but got ${value?.constructor?.name ? `instance of ${value.constructor.name}` : `type ${typeof value}`}.`,
  ],
  ERR_INVALID_RETURN_VALUE: [TypeError, invalidReturnValue],
  ERR_INVALID_STATE: [Error, (state) => `Invalid state: ${state}`],
  ERR_INVALID_THIS: [TypeError, (type) => `Value of "this" must be of type ${type}`],
  ERR_INVALID_TUPLE: [TypeError, (name, value) => `${name} must be an iterable ${value} tuple`],
  ERR_INVALID_URI: [URIError, 'URI malformed'],
  ERR_INVALID_URL: [TypeError, 'Invalid URL'],
  ERR_INVALID_URL_SCHEME: [
    TypeError,
    (expected) =>
      `The URL must be ${ArrayIsArray(expected) ? `one of scheme ${listing(expected)}` : `of scheme ${expected}`}`,
  ],
  ERR_METHOD_NOT_IMPLEMENTED: [Error, (method) => `The ${method} method is not implemented`],
  ERR_MISSING_ARGS: [TypeError, missingArguments],
  ERR_MISSING_OPTION: [TypeError, (option) => `${option} is required`],
  ERR_MULTIPLE_CALLBACK: [Error, 'Callback called multiple times'],
  ERR_NO_ICU: [TypeError, (feature) => `${feature} is not supported without ICU`],
  ERR_OPERATION_FAILED: [Error, (reason) => `Operation failed: ${reason}`],
  ERR_OUT_OF_RANGE: [RangeError, outOfRange],
  ERR_PARSE_ARGS_INVALID_OPTION_VALUE: [TypeError, (message) => message],
  ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL: [
    TypeError,
    (value) => `Unexpected argument '${value}'. This command does not take positional arguments`,
  ],
  ERR_PARSE_ARGS_UNKNOWN_OPTION: [
    TypeError,
    (option, positionals) =>
      `Unknown option '${option}'${positionals ? `. To specify a positional argument starting with a '-', place it at the end of the command after '--', as in '-- ${JSONStringify(option)}` : ''}`,
  ],
  ERR_SCRIPT_EXECUTION_INTERRUPTED: [Error, 'Script execution was interrupted by `SIGINT`'],
  ERR_STREAM_ALREADY_FINISHED: [Error, (method) => `Cannot call ${method} after a stream was finished`],
  ERR_STREAM_CANNOT_PIPE: [Error, 'Cannot pipe, not readable'],
  ERR_STREAM_DESTROYED: [Error, (method) => `Cannot call ${method} after a stream was destroyed`],
  ERR_STREAM_NULL_VALUES: [TypeError, 'May not write null values to stream'],
  ERR_STREAM_PREMATURE_CLOSE: [Error, 'Premature close'],
  ERR_STREAM_PUSH_AFTER_EOF: [Error, 'stream.push() after EOF'],
  ERR_STREAM_UNSHIFT_AFTER_END_EVENT: [Error, 'stream.unshift() after end event'],
  ERR_STREAM_WRITE_AFTER_END: [Error, 'write after end'],
  ERR_STRING_TOO_LONG: [Error, (limit) => `Cannot create a string longer than 0x${limit.toString(16)} characters`],
  ERR_UNAVAILABLE_DURING_EXIT: [Error, 'Cannot call function in process exit handler'],
  ERR_UNCAUGHT_EXCEPTION_CAPTURE_ALREADY_SET: [
    Error,
    '`process.setupUncaughtExceptionCapture()` was called while a capture callback was already active',
  ],
  ERR_UNESCAPED_CHARACTERS: [TypeError, (name) => `${name} contains unescaped characters`],
  ERR_UNHANDLED_ERROR: [Error, (value) => (value === undefined ? 'Unhandled error.' : `Unhandled error. (${value})`)],
  ERR_UNKNOWN_BUILTIN_MODULE: [Error, (name) => `No such built-in module: ${name}`],
  ERR_UNKNOWN_ENCODING: [TypeError, (encoding) => `Unknown encoding: ${encoding}`],
  ERR_UNKNOWN_FILE_EXTENSION: [TypeError, (extension, path) => `Unknown file extension "${extension}" for ${path}`],
  ERR_UNKNOWN_SIGNAL: [TypeError, (signal) => `Unknown signal: ${signal}`],
  ERR_USE_AFTER_CLOSE: [Error, (name) => `${name} was closed`],
};

/**
 * An error of class `Base` that carries `code`. Its stack starts with `Name [CODE]: message` while `name` stays the
 * class's; frames from `hidden` upwards are left out.
 */
function codedError(Base, code, message, hidden = codedError) {
  const error = new Base(message);
  ObjectDefineProperty(error, 'name', {
    __proto__: null,
    value: `${Base.name} [${code}]`,
    configurable: true,
    enumerable: false,
    writable: true,
  });
  ErrorCaptureStackTrace(error, hidden);
  void error.stack; // V8 words the first line when the stack is first read
  delete error.name;
  ObjectDefineProperty(error, 'toString', {
    __proto__: null,
    value() {
      return `${this.name} [${code}]: ${this.message}`;
    },
    configurable: true,
    enumerable: false,
    writable: true,
  });
  error.code = code;
  return error;
}
exports.codedError = codedError;

function define(code) {
  const { 0: Base, 1: words } = TABLE[code];
  exports[code] = function NodeError(...values) {
    const message = typeof words === 'string' ? words : ReflectApply(words, undefined, values);
    return codedError(Base, code, message, NodeError);
  };
}
const codes = ObjectKeys(TABLE);
for (let index = 0; index < codes.length; index++) define(codes[index]);

// The same code under another class, where Node does so.
exports.ERR_INVALID_ARG_VALUE.RangeError = function NodeError(...values) {
  return codedError(
    RangeError,
    'ERR_INVALID_ARG_VALUE',
    ReflectApply(invalidArgumentValue, undefined, values),
    NodeError,
  );
};
/** What a program may not do at all; `permission` and `resource` as Node's permission model names them. */
exports.ERR_ACCESS_DENIED = function NodeError(why, permission, resource) {
  const message = `Access to this API has been restricted. ${why}`;
  const error = codedError(Error, 'ERR_ACCESS_DENIED', message, NodeError);
  error.permission = permission;
  error.resource = resource;
  return error;
};
exports.ERR_INVALID_STATE.TypeError = function NodeError(state) {
  return codedError(TypeError, 'ERR_INVALID_STATE', `Invalid state: ${state}`, NodeError);
};
exports.ERR_INVALID_MODULE.SyntaxError = function NodeError(name) {
  return codedError(SyntaxError, 'ERR_INVALID_MODULE', `Invalid module "${name}"`, NodeError);
};

/** What an aborted operation rejects with; `options.cause` is the signal's reason. */
class AbortError extends Error {
  constructor(message = 'The operation was aborted', options = undefined) {
    if (options !== undefined && typeof options !== 'object')
      throw exports.ERR_INVALID_ARG_TYPE('options', 'Object', options);
    super(message, options);
    this.code = 'ABORT_ERR';
    this.name = 'AbortError';
  }
}
exports.AbortError = AbortError;
exports.describeReceived = describeReceived;
exports.listing = listing;
