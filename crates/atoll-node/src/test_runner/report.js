// What is told of tests: TAP, version 13, with Node's words.
const {
  ArrayPrototypeJoin, ArrayPrototypeMap, RegExpPrototypeSymbolReplace, StringPrototypeIncludes, StringPrototypeRepeat, StringPrototypeSplit,
} = primordials;
const process = use('node:process').default;

let begun = false;
function line(depth, text) {
  if (!begun) {
    begun = true;
    process.stdout.write('TAP version 13\n');
  }
  process.stdout.write(`${StringPrototypeRepeat('    ', depth)}${text}\n`);
}

/** Text in which TAP sees nothing of its own. */
function escaped(text) {
  return RegExpPrototypeSymbolReplace(/[\\#]/g, RegExpPrototypeSymbolReplace(/[\r\n\t\v\f\b]/g, text, ' '), '\\$&');
}

exports.begin = (test) => line(test.depth, `# Subtest: ${escaped(test.name)}`);
exports.plan = (depth, count) => line(depth, `1..${count}`);
exports.diagnostic = (depth, text) => line(depth, `# ${escaped(`${text}`)}`);

/** One result, the `number`th below its parent. */
exports.result = (test, number) => {
  const { depth, error } = test;
  let directive = '';
  if (test.skipped !== undefined) directive = ` # SKIP${test.skipped === '' ? '' : ` ${escaped(test.skipped)}`}`;
  else if (test.expected !== undefined) directive = ` # TODO${test.expected === '' ? '' : ` ${escaped(test.expected)}`}`;
  line(depth, `${test.passed ? 'ok' : 'not ok'} ${number} - ${escaped(test.name)}${directive}`);
  const detail = (text) => line(depth, `  ${text}`);
  detail('---');
  detail(`duration_ms: ${test.duration}`);
  detail(`type: '${test.isSuite ? 'suite' : 'test'}'`);
  if (!test.passed) {
    detail(`failureType: '${test.failureType}'`);
    detail(`error: ${quoted(messageOf(error), depth)}`);
    detail(`code: 'ERR_TEST_FAILURE'`);
    const stack = textOf(() => error?.stack);
    if (stack !== undefined) detail(`stack: ${block(stack, depth)}`);
  }
  detail('...');
};

function textOf(get) {
  try {
    const value = get();
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined; // a getter of the program's
  }
}

function messageOf(error) {
  return textOf(() => error?.message) ?? use('node:util').default.inspect(error);
}

function quoted(text, depth) {
  if (StringPrototypeIncludes(text, '\n')) return block(text, depth);
  return `'${RegExpPrototypeSymbolReplace(/'/g, text, "\\'")}'`;
}

function block(text, depth) {
  const indent = `${StringPrototypeRepeat('    ', depth)}    `;
  return `|-\n${ArrayPrototypeJoin(ArrayPrototypeMap(StringPrototypeSplit(text, '\n'), (each) => indent + each), '\n')}`;
}

exports.summary = (counts, duration) => {
  for (const name in counts) line(0, `# ${name} ${counts[name]}`);
  line(0, `# duration_ms ${duration}`);
};
