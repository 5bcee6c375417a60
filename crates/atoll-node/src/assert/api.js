// node:assert.
const {
  ArrayPrototypePush,
  Error,
  NumberIsNaN,
  ObjectAssign,
  ObjectIs,
  ObjectKeys,
  ObjectPrototypeIsPrototypeOf,
  ReflectApply,
  RegExpPrototypeExec,
  String,
} = primordials;
const {
  ERR_AMBIGUOUS_ARGUMENT,
  ERR_INVALID_ARG_TYPE,
  ERR_INVALID_ARG_VALUE,
  ERR_INVALID_RETURN_VALUE,
  ERR_MISSING_ARGS,
} = use('node/internal/errors');
const { validateFunction } = use('node/internal/validators');
const { inspect } = use('node/internal/util/inspect');
const { isDeepEqual, isDeepStrictEqual } = use('node/internal/util/comparisons');
const { tagOf } = use('node/internal/util/types');
const { AssertionError } = use('node/internal/assert/error');

const NOTHING_THROWN = { __proto__: null };

function isRegExp(value) {
  return value !== null && typeof value === 'object' && tagOf(value) === 'RegExp';
}
function isError(value) {
  return value !== null && typeof value === 'object' && (tagOf(value) === 'NativeError' || value instanceof Error);
}

function raise(options) {
  if (options.message instanceof Error) throw options.message;
  throw new AssertionError(options);
}

function checkTruth(caller, argumentCount, value, given) {
  if (value) return;
  let message = given;
  let generated = false;
  if (argumentCount === 0) {
    generated = true;
    message = 'No value argument passed to `assert.ok()`';
  } else if (message == null) {
    generated = true;
  } else if (message instanceof Error) {
    throw message;
  }
  const error = new AssertionError({ actual: value, expected: true, message, operator: '==', stackStartFn: caller });
  error.generatedMessage = generated;
  throw error;
}

function ok(...values) {
  checkTruth(ok, values.length, values[0], values[1]);
}
const assert = ok;
assert.ok = ok;
assert.AssertionError = AssertionError;

assert.fail = function fail(actual, expected, message, operator, stackStartFn) {
  const { length } = arguments;
  let words = message;
  let isInternal = false;
  let sign = operator;
  if (actual == null && length <= 1) {
    isInternal = true;
    words = 'Failed';
  } else if (length === 1) {
    words = actual;
    actual = undefined;
  } else if (length === 2) {
    sign = '!=';
  }
  if (words instanceof Error) throw words;
  const options = {
    actual,
    expected,
    operator: sign === undefined ? 'fail' : sign,
    stackStartFn: stackStartFn || assert.fail,
    message: words,
  };
  const error = new AssertionError(options);
  if (isInternal) error.generatedMessage = true;
  throw error;
};

/** A comparison of two values: throws unless `holds(actual, expected)`. */
function comparison(name, operator, holds) {
  const compare = {
    [name](actual, expected, message) {
      if (arguments.length < 2) throw ERR_MISSING_ARGS('actual', 'expected');
      if (!holds(actual, expected)) raise({ actual, expected, message, operator, stackStartFn: compare });
    },
  }[name];
  assert[name] = compare;
}
function looselyEqual(a, b) {
  return a == b || (NumberIsNaN(a) && NumberIsNaN(b));
}
comparison('equal', '==', looselyEqual);
comparison('notEqual', '!=', (a, b) => !looselyEqual(a, b));
comparison('deepEqual', 'deepEqual', isDeepEqual);
comparison('notDeepEqual', 'notDeepEqual', (a, b) => !isDeepEqual(a, b));
comparison('deepStrictEqual', 'deepStrictEqual', isDeepStrictEqual);
comparison('notDeepStrictEqual', 'notDeepStrictEqual', (a, b) => !isDeepStrictEqual(a, b));
comparison('strictEqual', 'strictEqual', ObjectIs);
comparison('notStrictEqual', 'notStrictEqual', (a, b) => !ObjectIs(a, b));

// --- what a function throws ---

/** The keys of an error that are compared, under a name of its own in the difference. */
class Comparison {
  constructor(object, keys, actual) {
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index];
      if (!(key in object)) continue;
      const matches =
        actual !== undefined &&
        typeof actual[key] === 'string' &&
        isRegExp(object[key]) &&
        RegExpPrototypeExec(object[key], actual[key]) !== null;
      this[key] = matches ? actual[key] : object[key];
    }
  }
}

function compareKey(actual, expected, key, message, keys, caller) {
  if (key in actual && isDeepStrictEqual(actual[key], expected[key])) return;
  if (message) raise({ actual, expected, message, operator: caller.name, stackStartFn: caller });
  const error = new AssertionError({
    actual: new Comparison(actual, keys),
    expected: new Comparison(expected, keys, actual),
    operator: 'deepStrictEqual',
    stackStartFn: caller,
  });
  error.actual = actual;
  error.expected = expected;
  error.operator = caller.name;
  throw error;
}

function checkAgainstObject(actual, expected, message, caller) {
  if (typeof actual !== 'object' || actual === null) {
    const error = new AssertionError({ actual, expected, message, operator: 'deepStrictEqual', stackStartFn: caller });
    error.operator = caller.name;
    throw error;
  }
  const keys = ObjectKeys(expected);
  if (expected instanceof Error) ArrayPrototypePush(keys, 'name', 'message');
  else if (keys.length === 0) throw ERR_INVALID_ARG_VALUE('error', expected, 'may not be an empty object');
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index];
    if (
      typeof actual[key] === 'string' &&
      isRegExp(expected[key]) &&
      RegExpPrototypeExec(expected[key], actual[key]) !== null
    )
      continue;
    compareKey(actual, expected, key, message, keys, caller);
  }
}

/** Why what was thrown is not what was expected; undefined if it is. */
function complaintOf(actual, expected) {
  if (isRegExp(expected)) {
    const text = String(actual);
    return RegExpPrototypeExec(expected, text) !== null
      ? undefined
      : `The input did not match the regular expression ${inspect(expected)}. Input:\n\n${inspect(text)}\n`;
  }
  if (expected.prototype !== undefined && actual instanceof expected) return undefined;
  if (ObjectPrototypeIsPrototypeOf(Error, expected)) {
    const received = isError(actual)
      ? `"${actual.name}"\n\nError message:\n\n${actual.message}`
      : `"${inspect(actual, { depth: -1 })}"`;
    return `The error is expected to be an instance of "${expected.name}". Received ${received}`;
  }
  const result = ReflectApply(expected, {}, [actual]);
  if (result === true) return undefined;
  const name = expected.name ? `"${expected.name}" ` : '';
  const caught = isError(actual) ? `\n\nCaught error:\n\n${actual}` : '';
  return `The ${name}validation function is expected to return "true". Received ${inspect(result)}${caught}`;
}

function checkThrown(actual, expected, message, caller) {
  if (typeof expected !== 'function' && !isRegExp(expected)) {
    checkAgainstObject(actual, expected, message, caller);
    return;
  }
  const complaint = complaintOf(actual, expected);
  if (complaint === undefined) return;
  if (message instanceof Error) throw message;
  const error = new AssertionError({
    actual,
    expected,
    message: message || complaint,
    operator: caller.name,
    stackStartFn: caller,
  });
  error.generatedMessage = !message;
  throw error;
}

function catchError(body) {
  validateFunction(body, 'fn');
  try {
    body();
  } catch (error) {
    return error;
  }
  return NOTHING_THROWN;
}
function isThenable(value) {
  return (
    value !== null && typeof value === 'object' && typeof value.then === 'function' && typeof value.catch === 'function'
  );
}
async function catchRejection(given) {
  let promise = given;
  if (typeof given === 'function') {
    promise = given();
    if (!isThenable(promise)) throw ERR_INVALID_RETURN_VALUE('instance of Promise', 'promiseFn', promise);
  } else if (!isThenable(given)) {
    throw ERR_INVALID_ARG_TYPE('promiseFn', ['Function', 'Promise'], given);
  }
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return NOTHING_THROWN;
}

const ERROR_TYPES = ['Object', 'Error', 'Function', 'RegExp'];

function expectError(caller, actual, rest) {
  let { 0: error, 1: message } = rest;
  if (typeof error === 'string') {
    if (rest.length === 2) throw ERR_INVALID_ARG_TYPE('error', ERROR_TYPES, error);
    if (typeof actual === 'object' && actual !== null) {
      if (actual.message === error)
        throw ERR_AMBIGUOUS_ARGUMENT(
          'error/message',
          `The error message "${actual.message}" is identical to the message.`,
        );
    } else if (actual === error) {
      throw ERR_AMBIGUOUS_ARGUMENT('error/message', `The error "${actual}" is identical to the message.`);
    }
    message = error;
    error = undefined;
  } else if (error != null && typeof error !== 'object' && typeof error !== 'function') {
    throw ERR_INVALID_ARG_TYPE('error', ERROR_TYPES, error);
  }
  if (actual === NOTHING_THROWN) {
    const name = error?.name ? ` (${error.name})` : '';
    const kind = caller === assert.rejects ? 'rejection' : 'exception';
    raise({
      actual: undefined,
      expected: error,
      operator: caller.name,
      message: `Missing expected ${kind}${name}${message ? `: ${message}` : '.'}`,
      stackStartFn: caller,
    });
  }
  if (error) checkThrown(actual, error, message, caller);
}

function matchesError(actual, expected) {
  if (typeof expected !== 'function') {
    if (isRegExp(expected)) return RegExpPrototypeExec(expected, String(actual)) !== null;
    throw ERR_INVALID_ARG_TYPE('expected', ['Function', 'RegExp'], expected);
  }
  if (expected.prototype !== undefined && actual instanceof expected) return true;
  if (ObjectPrototypeIsPrototypeOf(Error, expected)) return false;
  return ReflectApply(expected, {}, [actual]) === true;
}
function expectNoError(caller, actual, given, givenMessage) {
  if (actual === NOTHING_THROWN) return;
  const error = typeof given === 'string' ? undefined : given;
  const message = typeof given === 'string' ? given : givenMessage;
  if (error && !matchesError(actual, error)) throw actual;
  const kind = caller === assert.doesNotReject ? 'rejection' : 'exception';
  raise({
    actual,
    expected: error,
    operator: caller.name,
    message: `Got unwanted ${kind}${message ? `: ${message}` : '.'}\nActual message: "${actual && actual.message}"`,
    stackStartFn: caller,
  });
}

assert.throws = function throws(body, ...rest) {
  expectError(throws, catchError(body), rest);
};
assert.rejects = async function rejects(promise, ...rest) {
  expectError(rejects, await catchRejection(promise), rest);
};
assert.doesNotThrow = function doesNotThrow(body, ...rest) {
  expectNoError(doesNotThrow, catchError(body), rest[0], rest[1]);
};
assert.doesNotReject = async function doesNotReject(promise, ...rest) {
  expectNoError(doesNotReject, await catchRejection(promise), rest[0], rest[1]);
};

assert.ifError = function ifError(error) {
  if (error === null || error === undefined) return;
  let words;
  if (typeof error === 'object' && typeof error.message === 'string') {
    words = error.message.length === 0 && error.constructor ? error.constructor.name : error.message;
  } else {
    words = inspect(error);
  }
  throw new AssertionError({
    actual: error,
    expected: null,
    operator: 'ifError',
    message: `ifError got unwanted exception: ${words}`,
    stackStartFn: ifError,
  });
};

function checkMatch(text, pattern, given, caller, wanted) {
  if (!isRegExp(pattern)) throw ERR_INVALID_ARG_TYPE('regexp', 'RegExp', pattern);
  if (typeof text === 'string' && (RegExpPrototypeExec(pattern, text) !== null) === wanted) return;
  if (given instanceof Error) throw given;
  let message = given;
  if (!message) {
    if (typeof text !== 'string')
      message = `The "string" argument must be of type string. Received type ${typeof text} (${inspect(text)})`;
    else
      message = `${wanted ? 'The input did not match the regular expression' : 'The input was expected to not match the regular expression'} ${inspect(pattern)}. Input:\n\n${inspect(text)}\n`;
  }
  const error = new AssertionError({
    actual: text,
    expected: pattern,
    message,
    operator: caller.name,
    stackStartFn: caller,
  });
  error.generatedMessage = !given;
  throw error;
}
assert.match = function match(string, regexp, message) {
  checkMatch(string, regexp, message, match, true);
};
assert.doesNotMatch = function doesNotMatch(string, regexp, message) {
  checkMatch(string, regexp, message, doesNotMatch, false);
};

function strict(...values) {
  checkTruth(strict, values.length, values[0], values[1]);
}
assert.strict = ObjectAssign(strict, assert, {
  equal: assert.strictEqual,
  notEqual: assert.notStrictEqual,
  deepEqual: assert.deepStrictEqual,
  notDeepEqual: assert.notDeepStrictEqual,
});
assert.strict.strict = assert.strict;
exports.default = assert;
