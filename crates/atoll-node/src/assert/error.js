// AssertionError and the wording of differences: line by line, `+` for what is there, `-` for what was expected.
const {
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  ArrayPrototypeSlice,
  Error,
  ErrorCaptureStackTrace,
  Int32Array,
  ObjectDefineProperty,
  String,
  StringPrototypeEndsWith,
  StringPrototypeRepeat,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeTrimEnd,
  SymbolFor,
} = primordials;
const { inspect } = use('node/internal/util/inspect');
const { validateObject } = use('node/internal/validators');

const SHORT_CHARACTERS = 12; // of both values together: shown as `a !== b`
const LONG_CHARACTERS = 512; // strings longer than that together get no mark under their first difference
const VALUE_CHARACTERS = 512; // of each value in "a == b"
const CONTEXT_LINES = 5; // equal lines shown before others are left out
const MAX_EDITS = 2000; // of the comparison of lines; beyond it all lines are shown as different
const NOT_EQUAL_LINES = 50; // of a value that should have been unequal
const CUSTOM = SymbolFor('nodejs.util.inspect.custom');

const WORDS = {
  __proto__: null,
  deepStrictEqual: 'Expected values to be strictly deep-equal:',
  strictEqual: 'Expected values to be strictly equal:',
  strictEqualObject: 'Expected "actual" to be reference-equal to "expected":',
  deepEqual: 'Expected values to be loosely deep-equal:',
  notDeepStrictEqual: 'Expected "actual" not to be strictly deep-equal to:',
  notStrictEqual: 'Expected "actual" to be strictly unequal to:',
  notStrictEqualObject: 'Expected "actual" not to be reference-equal to "expected":',
  notDeepEqual: 'Expected "actual" not to be loosely deep-equal to:',
  notIdentical: 'Values have same structure but are not reference-equal:',
};

function show(value) {
  return inspect(value, {
    compact: false,
    customInspect: false,
    depth: 1000,
    maxArrayLength: Infinity,
    showHidden: false,
    showProxy: false,
    sorted: true,
    getters: true,
    breakLength: Infinity,
  });
}

function isObjectLike(value) {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function sameLine(a, b, ignoreComma) {
  return a === b || (ignoreComma && (`${a},` === b || `${b},` === a));
}

/** The shortest edit of `expected` into `actual` (Myers 1986), as [mark, line] from the first; undefined if it is too long. */
function diffLines(actual, expected, ignoreComma) {
  const max = actual.length + expected.length;
  const limit = max < MAX_EDITS ? max : MAX_EDITS;
  let furthest = new Int32Array(2 * limit + 3); // x by diagonal x - y, which is at index diagonal + limit + 1
  const middle = limit + 1;
  const history = [];
  for (let edits = 0; edits <= limit; edits++) {
    ArrayPrototypePush(history, { low: edits, reached: copyWindow(furthest, middle, edits) });
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const down =
        diagonal === -edits ||
        (diagonal !== edits && furthest[middle + diagonal - 1] < furthest[middle + diagonal + 1]);
      let x = down ? furthest[middle + diagonal + 1] : furthest[middle + diagonal - 1] + 1;
      let y = x - diagonal;
      while (x < actual.length && y < expected.length && sameLine(actual[x], expected[y], ignoreComma)) {
        x++;
        y++;
      }
      furthest[middle + diagonal] = x;
      if (x >= actual.length && y >= expected.length) return trace(history, actual, expected, ignoreComma);
    }
  }
  furthest = undefined;
  return undefined;
}

/** The part of `furthest` that the step with this number of edits looks at. */
function copyWindow(furthest, middle, edits) {
  const reached = new Int32Array(2 * edits + 3);
  for (let index = 0; index < 2 * edits + 3; index++) reached[index] = furthest[middle - edits - 1 + index] ?? 0;
  return reached;
}

function trace(history, actual, expected, ignoreComma) {
  const reversed = [];
  let x = actual.length;
  let y = expected.length;
  for (let edits = history.length - 1; edits >= 0; edits--) {
    const { reached } = history[edits];
    const at = (diagonal) => reached[diagonal + edits + 1];
    const diagonal = x - y;
    const down = diagonal === -edits || (diagonal !== edits && at(diagonal - 1) < at(diagonal + 1));
    const previousDiagonal = down ? diagonal + 1 : diagonal - 1;
    const previousX = at(previousDiagonal);
    const previousY = previousX - previousDiagonal;
    while (x > previousX && y > previousY) {
      const withComma = !ignoreComma || StringPrototypeEndsWith(actual[x - 1], ',');
      ArrayPrototypePush(reversed, [' ', withComma ? actual[x - 1] : expected[y - 1]]);
      x--;
      y--;
    }
    if (edits > 0) {
      if (x > previousX) ArrayPrototypePush(reversed, ['+', actual[--x]]);
      else ArrayPrototypePush(reversed, ['-', expected[--y]]);
    }
  }
  const steps = [];
  for (let index = reversed.length - 1; index >= 0; index--) ArrayPrototypePush(steps, reversed[index]);
  return steps;
}

/** The steps as text, runs of equal lines shortened. */
function printSteps(steps) {
  let text = '';
  let skipped = false;
  let equal = 0;
  for (let index = 0; index < steps.length; index++) {
    const { 0: mark, 1: line } = steps[index];
    if (mark === ' ') {
      if (equal < CONTEXT_LINES) text += `  ${line}\n`;
      equal++;
      continue;
    }
    if (equal === CONTEXT_LINES + 1) {
      text += `  ${steps[index - 1][1]}\n`;
    } else if (equal === CONTEXT_LINES + 2) {
      text += `  ${steps[index - 2][1]}\n  ${steps[index - 1][1]}\n`;
    } else if (equal > CONTEXT_LINES + 2) {
      text += `...\n  ${steps[index - 1][1]}\n`;
      skipped = true;
    }
    equal = 0;
    text += `${mark} ${line}\n`;
  }
  return { text: `\n${StringPrototypeTrimEnd(text)}`, skipped };
}

function allDifferent(actual, expected) {
  const steps = [];
  for (let index = 0; index < actual.length; index++) ArrayPrototypePush(steps, ['+', actual[index]]);
  for (let index = 0; index < expected.length; index++) ArrayPrototypePush(steps, ['-', expected[index]]);
  return steps;
}

/** Two values of one line each. */
function simpleDiff(actual, actualText, expected, expectedText) {
  let length = actualText.length + expectedText.length;
  length -= typeof actual === 'string' ? 2 : 0;
  length -= typeof expected === 'string' ? 2 : 0;
  if (length <= SHORT_CHARACTERS && (actual !== 0 || expected !== 0))
    return { text: `${actualText} !== ${expectedText}`, header: '' };
  let text = `\n+ ${actualText}\n- ${expectedText}`;
  if (typeof actual === 'string' && typeof expected === 'string' && length < LONG_CHARACTERS) {
    let same = 0;
    while (same < actualText.length && actualText[same] === expectedText[same]) same++;
    text += `\n${StringPrototypeRepeat(' ', same + 2)}^`;
  }
  return { text, header: '+ actual - expected' };
}

function describeDifference(actual, expected, givenOperator, message) {
  let operator = givenOperator;
  if (operator === 'strictEqual' && isObjectLike(actual) && isObjectLike(expected) && typeof actual === typeof expected)
    operator = 'strictEqualObject';
  const actualText = show(actual);
  const expectedText = show(expected);
  const actualLines = StringPrototypeSplit(actualText, '\n');
  const expectedLines = StringPrototypeSplit(expectedText, '\n');
  const bothObjects =
    typeof actual === 'object' && actual !== null && typeof expected === 'object' && expected !== null;
  let header = '+ actual - expected';
  let text;
  let skipped = false;
  if (actualLines.length === 1 && expectedLines.length === 1 && actualLines[0] !== expectedLines[0] && !bothObjects) {
    ({ text, header } = simpleDiff(actual, actualText, expected, expectedText));
  } else if (
    actualText === expectedText &&
    (isObjectLike(actual) || actualLines.length > 1) &&
    typeof actual === 'object'
  ) {
    operator = 'notIdentical';
    skipped = actualLines.length > NOT_EQUAL_LINES;
    text = skipped
      ? `${ArrayPrototypeJoin(ArrayPrototypeSlice(actualLines, 0, NOT_EQUAL_LINES), '\n')}\n...}`
      : actualText;
    header = '';
  } else {
    const ignoreComma = actual !== null && typeof actual === 'object';
    const steps = actualText === expectedText ? undefined : diffLines(actualLines, expectedLines, ignoreComma);
    ({ text, skipped } = printSteps(steps ?? allDifferent(actualLines, expectedLines)));
  }
  return `${message ?? WORDS[operator]}\n${header}${skipped ? '\n... Skipped lines' : ''}\n${text}\n`;
}

function describeUnwanted(actual, operator) {
  const lines = StringPrototypeSplit(show(actual), '\n');
  const words = WORDS[operator === 'notStrictEqual' && isObjectLike(actual) ? 'notStrictEqualObject' : operator];
  if (lines.length > NOT_EQUAL_LINES) {
    lines[NOT_EQUAL_LINES - 4] = '...';
    lines.length = NOT_EQUAL_LINES - 3;
  }
  if (lines.length === 1) return `${words}${lines[0].length > 5 ? '\n\n' : ' '}${lines[0]}`;
  return `${words}\n\n${ArrayPrototypeJoin(lines, '\n')}\n`;
}

function cut(text, limit = VALUE_CHARACTERS) {
  return text.length > limit ? `${StringPrototypeSlice(text, 0, limit - 3)}...` : text;
}
function describeOperator(actual, expected, operator) {
  const first = show(actual);
  const second = show(expected);
  if (operator === 'notDeepEqual' && first === second) return cut(`${WORDS.notDeepEqual}\n\n${first}`, 1024);
  if (operator === 'deepEqual')
    return `${WORDS.deepEqual}\n\n${cut(first)}\n\nshould loosely deep-equal\n\n${cut(second)}`;
  if (operator === 'notDeepEqual')
    return `${WORDS.notDeepEqual}\n\n${cut(first)}\n\nshould not loosely deep-equal\n\n${cut(second)}`;
  return `${cut(first)} ${operator} ${cut(second)}`;
}

function wordingOf({ message, operator, actual, expected }) {
  if (message != null) {
    return operator === 'deepStrictEqual' || operator === 'strictEqual'
      ? describeDifference(actual, expected, operator, String(message))
      : String(message);
  }
  if (operator === 'deepStrictEqual' || operator === 'strictEqual')
    return describeDifference(actual, expected, operator, undefined);
  if (operator === 'notDeepStrictEqual' || operator === 'notStrictEqual') return describeUnwanted(actual, operator);
  return describeOperator(actual, expected, operator);
}

class AssertionError extends Error {
  constructor(options) {
    validateObject(options, 'options');
    const { message, operator, stackStartFn, stackStartFunction, actual, expected } = options;
    super(wordingOf(options));
    this.generatedMessage = !message;
    ObjectDefineProperty(this, 'name', {
      __proto__: null,
      value: 'AssertionError [ERR_ASSERTION]',
      enumerable: false,
      writable: true,
      configurable: true,
    });
    this.code = 'ERR_ASSERTION';
    this.actual = actual;
    this.expected = expected;
    this.operator = operator;
    ErrorCaptureStackTrace(this, stackStartFn || stackStartFunction);
    void this.stack; // V8 words its first line when it is first read
    this.name = 'AssertionError';
  }

  toString() {
    return `${this.name} [${this.code}]: ${this.message}`;
  }

  [CUSTOM](depth, options) {
    // The values are in the message; as properties, one level is enough.
    return inspect(this, { ...options, customInspect: false, depth: 0 });
  }
}
exports.AssertionError = AssertionError;
