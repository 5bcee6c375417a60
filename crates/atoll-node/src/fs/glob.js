// fs.glob: patterns as in Node 22 (minimatch's language: `*`, `?`, `[…]`, `{a,b}`, `**`, `@(a|b)` and its kin). A name that
// begins with a dot is only matched by a pattern that does. `**` does not enter symbolic links.
const {
  ArrayIsArray, ArrayPrototypeJoin, ArrayPrototypePop, ArrayPrototypePush, ArrayPrototypeSlice, FunctionPrototypeCall, RegExp,
  RegExpPrototypeExec, SafeMap, StringFromCharCode, StringPrototypeCharCodeAt, StringPrototypeIndexOf, StringPrototypeSlice,
  StringPrototypeSplit, StringPrototypeStartsWith,
} = primordials;
const { ERR_INVALID_ARG_TYPE } = use('node/internal/errors');
const { validateBoolean, validateString } = use('node/internal/validators');
const core = use('node/internal/fs/core');
const { toPath } = use('node/internal/fs/arguments');
const { takeLater, takeNow } = use('node/internal/fs/steps');
const { Dirent, constants } = use('node/internal/fs/types');
const { basename, dirname, isAbsolute, join, resolve } = use('node:path').default;

const MAX_ALTERNATIVES = 1024; // patterns that braces expand to: nested ones double with each pair
const GLOBSTAR = '**';
const BACKSLASH = 92;

// --- patterns --------------------------------------------------------------------------------------------------------

/** Where the bracket that opens at `start` closes; -1 when it does not. */
function closing(text, start, open, close) {
  let depth = 0;
  for (let index = start; index < text.length; index++) {
    if (text[index] === '\\') index++;
    else if (text[index] === open) depth++;
    else if (text[index] === close && --depth === 0) return index;
  }
  return -1;
}

/** Splits at `separator` outside of braces and parentheses. */
function alternatives(text, separator) {
  const parts = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '\\') index++;
    else if (character === '{' || character === '(') depth++;
    else if (character === '}' || character === ')') depth--;
    else if (character === separator && depth === 0) {
      ArrayPrototypePush(parts, StringPrototypeSlice(text, start, index));
      start = index + 1;
    }
  }
  ArrayPrototypePush(parts, StringPrototypeSlice(text, start));
  return parts;
}

/** `1..3`, `a..e`, `1..9..2` as a list; undefined for other texts. */
function sequence(text) {
  const match = RegExpPrototypeExec(/^(?:(-?\d+)\.\.(-?\d+)|([A-Za-z])\.\.([A-Za-z]))(?:\.\.(-?\d+))?$/, text);
  if (match === null) return undefined;
  const numeric = match[1] !== undefined;
  const from = numeric ? +match[1] : StringPrototypeCharCodeAt(match[3], 0);
  const to = numeric ? +match[2] : StringPrototypeCharCodeAt(match[4], 0);
  const step = +(match[5] ?? 1) || 1;
  const by = (step < 0 ? -step : step) * (from <= to ? 1 : -1);
  const list = [];
  for (let value = from; by > 0 ? value <= to : value >= to; value += by) {
    if (list.length === MAX_ALTERNATIVES) break;
    ArrayPrototypePush(list, numeric ? `${value}` : StringFromCharCode(value));
  }
  return list;
}

/** The patterns that one with braces stands for. */
function expand(pattern, into) {
  let start = -1;
  let end = -1;
  for (let index = 0; index < pattern.length; index++) {
    if (pattern[index] === '\\') index++;
    else if (pattern[index] === '{' && pattern[index - 1] !== '$') {
      end = closing(pattern, index, '{', '}');
      if (end === -1) continue;
      start = index;
      break;
    }
  }
  if (start === -1) {
    if (into.length < MAX_ALTERNATIVES) ArrayPrototypePush(into, pattern);
    return into;
  }
  const before = StringPrototypeSlice(pattern, 0, start);
  const inner = StringPrototypeSlice(pattern, start + 1, end);
  const after = StringPrototypeSlice(pattern, end + 1);
  let parts = alternatives(inner, ',');
  if (parts.length === 1) {
    parts = sequence(inner);
    if (parts === undefined) {
      const rest = expand(after, []);
      for (let index = 0; index < rest.length; index++) ArrayPrototypePush(into, `${before}{${inner}}${rest[index]}`);
      return into;
    }
  }
  for (let index = 0; index < parts.length && into.length < MAX_ALTERNATIVES; index++) expand(before + parts[index] + after, into);
  return into;
}

const POSIX_CLASSES = {
  __proto__: null,
  alnum: 'a-zA-Z0-9', alpha: 'a-zA-Z', ascii: '\\x00-\\x7f', blank: ' \\t', cntrl: '\\x00-\\x1f\\x7f', digit: '0-9',
  graph: '\\x21-\\x7e', lower: 'a-z', print: '\\x20-\\x7e', punct: '!-\\/:-@\\[-`{-~', space: '\\s', upper: 'A-Z',
  word: 'a-zA-Z0-9_', xdigit: 'a-fA-F0-9',
};

function escaped(character) {
  return RegExpPrototypeExec(/[\\^$.*+?()[\]{}|/]/, character) === null ? character : `\\${character}`;
}

/** `[…]` that begins at `start`, as a class of a regular expression, and where it ends; undefined when it is none. */
function characterClass(text, start) {
  let index = start + 1;
  let source = '[';
  if (text[index] === '!' || text[index] === '^') {
    source += '^';
    index++;
  }
  const first = index;
  for (; index < text.length; index++) {
    const character = text[index];
    if (character === ']' && index > first) return { source: `${source}]`, end: index };
    if (character === '[' && text[index + 1] === ':') {
      const end = StringPrototypeIndexOf(text, ':]', index);
      const name = end === -1 ? '' : StringPrototypeSlice(text, index + 2, end);
      if (POSIX_CLASSES[name] !== undefined) {
        source += POSIX_CLASSES[name];
        index = end + 1;
        continue;
      }
    }
    if (character === '\\' && index + 1 < text.length) source += escaped(text[++index]);
    else source += character === '-' ? '-' : escaped(character);
  }
  return undefined;
}

/** The source of a regular expression for a part of a name, and whether it is more than the text itself. */
function translate(text) {
  let source = '';
  let magic = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (text[index + 1] === '(' && StringPrototypeIndexOf('?*+@!', character) !== -1) {
      const end = closing(text, index + 1, '(', ')');
      if (end !== -1) {
        const parts = alternatives(StringPrototypeSlice(text, index + 2, end), '|');
        for (let part = 0; part < parts.length; part++) parts[part] = translate(parts[part]).source;
        const group = ArrayPrototypeJoin(parts, '|');
        if (character === '!') source += `(?:(?!(?:${group})${translate(StringPrototypeSlice(text, end + 1)).source}$)[^/]*?)`;
        else source += `(?:${group})${character === '@' ? '' : character}`;
        magic = true;
        index = end;
        continue;
      }
    }
    if (character === '*') {
      while (text[index + 1] === '*') index++;
      source += '[^/]*?';
      magic = true;
    } else if (character === '?') {
      source += '[^/]';
      magic = true;
    } else if (character === '[') {
      const found = characterClass(text, index);
      source += found === undefined ? '\\[' : found.source;
      if (found !== undefined) {
        magic = true;
        index = found.end;
      }
    } else if (character === '\\' && index + 1 < text.length) {
      source += escaped(text[++index]);
    } else {
      source += escaped(character);
    }
  }
  return { source, magic };
}

function unescaped(text) {
  let plain = '';
  for (let index = 0; index < text.length; index++) {
    if (StringPrototypeCharCodeAt(text, index) === BACKSLASH && index + 1 < text.length) index++;
    plain += text[index];
  }
  return plain;
}

/** A pattern's parts: `**`, a text to be found as it is, or a regular expression. */
function compile(pattern) {
  const texts = StringPrototypeSplit(pattern, '/');
  const parts = [];
  for (let index = 0; index < texts.length; index++) {
    const text = texts[index];
    if (text === '' && index > 0 && index < texts.length - 1) continue;
    if (text === GLOBSTAR) {
      if (parts[parts.length - 1] !== GLOBSTAR) ArrayPrototypePush(parts, GLOBSTAR);
      continue;
    }
    const { source, magic } = translate(text);
    if (!magic) ArrayPrototypePush(parts, unescaped(text));
    else ArrayPrototypePush(parts, new RegExp(`^${text[0] === '.' ? '' : '(?!\\.)'}(?=.)${source}$`, 'su'));
  }
  return parts;
}

// --- the search: yields operations, and is resumed with their results -------------------------------------------------

function* search(patterns, options) {
  const { cwd, exclude, withFileTypes } = options;
  const found = new SafeMap(); // path → Dirent
  const listings = new SafeMap();
  const seen = new SafeMap();

  const wants = (entry, path) => exclude === undefined || !FunctionPrototypeCall(exclude, undefined, withFileTypes ? entry : path);

  function* list(path) {
    const absolute = resolve(cwd, path);
    let entries = listings.get(absolute);
    if (entries === undefined) {
      try {
        entries = yield core.readdir(absolute, { withFileTypes: true });
      } catch {
        entries = [];
      }
      listings.set(absolute, entries);
    }
    return entries;
  }

  function* stat(path, follows) {
    try {
      return yield (follows ? core.stat : core.lstat)(resolve(cwd, path));
    } catch {
      return undefined;
    }
  }

  function* entersInto(entry, path) {
    if (entry.isDirectory()) return true;
    return entry.isSymbolicLink() && ((yield* stat(path, true))?.isDirectory() ?? false);
  }

  function add(path, entry) {
    if (!found.has(path)) found.set(path, entry);
  }

  const pending = [];
  for (let index = 0; index < patterns.length; index++) {
    const parts = compile(patterns[index]);
    const absolute = isAbsolute(patterns[index]);
    ArrayPrototypePush(pending, { parts, at: absolute ? 1 : 0, path: absolute ? '/' : '.', number: index });
  }
  while (pending.length > 0) {
    const task = ArrayPrototypePop(pending);
    const { parts, at, path, number } = task;
    const key = `${number} ${at} ${path}`;
    if (seen.has(key)) continue;
    seen.set(key, true);
    const part = parts[at];
    const last = at === parts.length - 1;
    const go = (next, to) => ArrayPrototypePush(pending, { parts, at: next, path: to, number });
    if (part === GLOBSTAR) {
      if (!last) go(at + 1, path);
      else if (path !== '.' || at === 0 || parts[0] === '.') {
        const entry = yield* entryOf(path, cwd, stat);
        if (entry !== undefined) add(path, entry);
      }
      const entries = yield* list(path);
      for (let index = 0; index < entries.length; index++) {
        const entry = entries[index];
        if (StringPrototypeStartsWith(entry.name, '.')) continue;
        const below = join(path, entry.name);
        if (!wants(entry, below)) continue;
        if (last) add(below, entry);
        if (entry.isDirectory()) go(at, below);
      }
    } else if (typeof part === 'string') {
      const below = part === '.' && at === 0 ? path : join(path, part);
      if (!last) {
        go(at + 1, below);
        continue;
      }
      const entry = yield* entryOf(below, cwd, stat);
      if (entry === undefined || !wants(entry, below)) continue;
      if (part !== '' || (yield* entersInto(entry, below))) add(below, entry);
    } else {
      const entries = yield* list(path);
      for (let index = 0; index < entries.length; index++) {
        const entry = entries[index];
        if (RegExpPrototypeExec(part, entry.name) === null) continue;
        const below = join(path, entry.name);
        if (!wants(entry, below)) continue;
        if (last) add(below, entry);
        else if (yield* entersInto(entry, below)) go(at + 1, below);
      }
    }
  }
  const results = [];
  found.forEach((entry, path) => ArrayPrototypePush(results, withFileTypes ? entry : path));
  return results;
}

/** The directory entry of a path that was not found in a listing. */
function* entryOf(path, cwd, stat) {
  const metadata = yield* stat(path, false);
  if (metadata === undefined) return undefined;
  const absolute = resolve(cwd, path);
  const kind = metadata.isDirectory() ? constants.UV_DIRENT_DIR
    : metadata.isSymbolicLink() ? constants.UV_DIRENT_LINK
      : metadata.isFile() ? constants.UV_DIRENT_FILE : constants.UV_DIRENT_UNKNOWN;
  return new Dirent(basename(absolute), dirname(absolute), kind);
}

function begin(pattern, value) {
  const given = ArrayIsArray(pattern) ? ArrayPrototypeSlice(pattern) : [pattern];
  if (value !== undefined && (value === null || typeof value !== 'object')) throw ERR_INVALID_ARG_TYPE('options', 'Object', value);
  const { cwd = '.', exclude, withFileTypes = false } = value ?? {};
  if (exclude !== undefined && exclude !== null && typeof exclude !== 'function' && !ArrayIsArray(exclude)) {
    throw ERR_INVALID_ARG_TYPE('options.exclude', ['function', 'string[]'], exclude);
  }
  validateBoolean(withFileTypes, 'options.withFileTypes');
  const patterns = [];
  for (let index = 0; index < given.length; index++) {
    validateString(given[index], ArrayIsArray(pattern) ? `patterns[${index}]` : 'patterns');
    expand(given[index], patterns);
  }
  const from = toPath(cwd, 'options.cwd');
  const options = { cwd: typeof from === 'string' ? from : `${use('node:buffer').Buffer.from(from)}`, withFileTypes };
  options.exclude = ArrayIsArray(exclude) ? excluding(exclude, withFileTypes, options.cwd) : exclude ?? undefined;
  return search(patterns, options);
}

/** A function that says which paths some patterns match. */
function excluding(patterns, withFileTypes, cwd) {
  const expressions = [];
  for (let index = 0; index < patterns.length; index++) {
    validateString(patterns[index], `options.exclude[${index}]`);
    const expanded = expand(patterns[index], []);
    for (let one = 0; one < expanded.length; one++) {
      const parts = compile(expanded[one]);
      let source = '';
      for (let at = 0; at < parts.length; at++) {
        const part = parts[at];
        const end = at === parts.length - 1;
        if (part === GLOBSTAR) source += end ? '.*' : '(?:[^/]+/)*';
        else source += `${translate(StringPrototypeSplit(expanded[one], '/')[at] ?? '').source}${end ? '' : '/'}`;
      }
      ArrayPrototypePush(expressions, new RegExp(`^${source}$`, 'su'));
    }
  }
  const { relative } = use('node:path').default;
  return (entry) => {
    const path = withFileTypes ? relative(resolve(cwd), join(entry.parentPath, entry.name)) : entry;
    for (let index = 0; index < expressions.length; index++) {
      if (RegExpPrototypeExec(expressions[index], path) !== null) return true;
    }
    return false;
  };
}

exports.globSync = (pattern, options) => takeNow(begin(pattern, options));

/** A promise for all results. */
exports.globAll = (pattern, options) => takeLater(begin(pattern, options));
