// util.inspect's wording of errors: the stack with the right class name in front, causes without repeated frames.
const {
  ArrayIsArray,
  ArrayPrototypeIncludes,
  ArrayPrototypeIndexOf,
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  ArrayPrototypeSplice,
  ErrorPrototypeToString,
  RegExpPrototypeExec,
  String,
  StringPrototypeEndsWith,
  StringPrototypeIncludes,
  StringPrototypeIndexOf,
  StringPrototypeRepeat,
  StringPrototypeReplaceAll,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
} = primordials;
const { tagOf } = use('node/internal/util/types');

const MIN_REPEATED_FRAMES = 4; // fewer frames in common with the cause are all shown

/** The stack, or what stands for it where there is none. */
function stackOf(error) {
  return error.stack ? String(error.stack) : ErrorPrototypeToString(error);
}

/** Leaves out keys whose text the stack shows already. */
function dropShownKeys(context, keys, error, stack) {
  if (context.showHidden || keys.length === 0) return;
  const fields = ['name', 'message', 'stack'];
  for (let index = 0; index < fields.length; index++) {
    const at = ArrayPrototypeIndexOf(keys, fields[index]);
    if (at !== -1 && (typeof error[fields[index]] !== 'string' || StringPrototypeIncludes(stack, error[fields[index]])))
      ArrayPrototypeSplice(keys, at, 1);
  }
}

const LEADING_NAME = /^([A-Z][a-z_ A-Z0-9[\]()-]+)(?::|\n\s+at)/;
const ONLY_NAME = /^([a-z_A-Z0-9-]*Error)$/;

/** Puts the class's name where the stack starts with another one. */
function withClassName(stack, constructor, name, tag) {
  let length = name.length;
  const startsWithName =
    StringPrototypeEndsWith(name, 'Error') &&
    StringPrototypeStartsWith(stack, name) &&
    (stack.length === length || stack[length] === ':' || stack[length] === '\n');
  if (constructor !== null && !startsWithName) return stack;
  let fallback = 'Error';
  if (constructor === null) {
    const start = RegExpPrototypeExec(LEADING_NAME, stack) ?? RegExpPrototypeExec(ONLY_NAME, stack);
    fallback = start?.[1] || '';
    length = fallback.length;
    fallback ||= 'Error';
  }
  const { prefixOf } = use('node/internal/util/inspect');
  const prefix = StringPrototypeSlice(prefixOf(constructor, tag, fallback), 0, -1);
  if (name === prefix) return stack;
  if (StringPrototypeIncludes(prefix, name))
    return length === 0 ? `${prefix}: ${stack}` : `${prefix}${StringPrototypeSlice(stack, length)}`;
  return `${prefix} [${name}]${StringPrototypeSlice(stack, length)}`;
}

/** Where the frames that end `frames` stand in `others` too: [start, count]; count 0 if there are not enough. */
function commonFrames(frames, others) {
  for (let start = 0; start < frames.length - MIN_REPEATED_FRAMES + 1; start++) {
    const at = ArrayPrototypeIndexOf(others, frames[start]);
    if (at === -1) continue;
    const rest = others.length - at;
    if (rest < MIN_REPEATED_FRAMES) continue;
    let count = 1;
    const limit = rest < frames.length - start ? rest : frames.length - start;
    while (count < limit && frames[start + count] === others[at + count]) count++;
    if (count >= MIN_REPEATED_FRAMES) return { start, count };
  }
  return { start: 0, count: 0 };
}

function framesOf(context, error, text) {
  const frames = StringPrototypeSplit(text, '\n');
  let cause;
  try {
    ({ cause } = error);
  } catch {
    // A getter of the guest's; the error is shown without regard to it.
  }
  if (cause === null || typeof cause !== 'object' || tagOf(cause) !== 'NativeError') return frames;
  const causeStack = stackOf(cause);
  const start = StringPrototypeIndexOf(causeStack, '\n    at');
  if (start === -1) return frames;
  const common = commonFrames(frames, StringPrototypeSplit(StringPrototypeSlice(causeStack, start + 1), '\n'));
  if (common.count > 3) {
    const skipped = common.count - 2;
    ArrayPrototypeSplice(
      frames,
      common.start + 1,
      skipped,
      context.stylize(`    ... ${skipped} lines matching cause stack trace ...`, 'undefined'),
    );
  }
  return frames;
}

const PLATFORM_FRAME = /^ {4}at (?:[^/\\(]+ \(|)node:(.+):\d+:\d+(?:\)|$)/;

/** The names of packages underlined: `…/node_modules/name/…`. */
function withPackages(context, line) {
  let text = '';
  let copied = 0;
  const pattern = /[/\\]node_modules[/\\](.+?)(?=[/\\])/g;
  for (let match = RegExpPrototypeExec(pattern, line); match !== null; match = RegExpPrototypeExec(pattern, line)) {
    text += StringPrototypeSlice(line, copied, match.index + 14) + context.stylize(match[1], 'module');
    copied = match.index + match[0].length;
  }
  return copied === 0 ? line : text + StringPrototypeSlice(line, copied);
}

/** The working directory, which says nothing new, in a weak colour. */
function withDirectory(context, line, directory) {
  let at = StringPrototypeIndexOf(line, directory);
  if (at === -1) return line;
  let { length } = directory;
  if (StringPrototypeSlice(line, at - 7, at) === 'file://') {
    at -= 7;
    length += 7;
  }
  const inBrackets = line[at - 1] === '(';
  const start = inBrackets ? at - 1 : at;
  const closes = inBrackets && StringPrototypeEndsWith(line, ')');
  const end = at + length + 1;
  const text = `${StringPrototypeSlice(line, 0, start)}${context.stylize(StringPrototypeSlice(line, start, end), 'undefined')}`;
  return `${text}${StringPrototypeSlice(line, end, closes ? -1 : undefined)}${closes ? context.stylize(')', 'undefined') : ''}`;
}

function colourFrames(context, frames) {
  const directory = use('node:process').default.cwd();
  for (let index = 0; index < frames.length; index++) {
    const frame = frames[index];
    if (RegExpPrototypeExec(PLATFORM_FRAME, frame) !== null) frames[index] = context.stylize(frame, 'undefined');
    else frames[index] = withDirectory(context, withPackages(context, frame), directory);
  }
}

/** Text of an error; takes keys away that it shows, adds those (`cause`, `errors`) that are worth showing though not enumerable. */
exports.describeError = (context, error, constructor, tag, keys) => {
  const name = error.name == null ? 'Error' : String(error.name);
  let stack = stackOf(error);
  dropShownKeys(context, keys, error, stack);
  if ('cause' in error && (keys.length === 0 || !ArrayPrototypeIncludes(keys, 'cause')))
    ArrayPrototypePush(keys, 'cause');
  if (ArrayIsArray(error.errors) && (keys.length === 0 || !ArrayPrototypeIncludes(keys, 'errors')))
    ArrayPrototypePush(keys, 'errors');
  stack = withClassName(stack, constructor, name, tag);
  let from = (error.message && StringPrototypeIndexOf(stack, error.message)) || -1;
  if (from !== -1) from += error.message.length;
  const start = StringPrototypeIndexOf(stack, '\n    at', from);
  if (start === -1) {
    stack = `[${stack}]`;
  } else {
    const frames = framesOf(context, error, StringPrototypeSlice(stack, start + 1));
    if (context.colors) colourFrames(context, frames);
    stack = `${StringPrototypeSlice(stack, 0, start)}\n${ArrayPrototypeJoin(frames, '\n')}`;
  }
  if (context.indentationLvl !== 0)
    stack = StringPrototypeReplaceAll(stack, '\n', `\n${StringPrototypeRepeat(' ', context.indentationLvl)}`);
  return stack;
};
