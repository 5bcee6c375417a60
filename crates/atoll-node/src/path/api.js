// node:path and node:path/posix. The Windows half is in win32.js.
const {
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  FunctionPrototypeBind,
  StringPrototypeCharCodeAt,
  StringPrototypeEndsWith,
  StringPrototypeLastIndexOf,
  StringPrototypeSlice,
  StringPrototypeSplit,
} = primordials;
const { validateObject, validateString } = use('node/internal/validators');

const SLASH = 47;

function cwd() {
  return use('node:process').default.cwd();
}

/** Its segments without `.`, each `..` taking one away; where there is none to take, it stays if `keepUp`. */
function segmentsOf(path, keepUp) {
  const pieces = StringPrototypeSplit(path, '/');
  const kept = [];
  for (let index = 0; index < pieces.length; index++) {
    const piece = pieces[index];
    if (piece === '' || piece === '.') continue;
    if (piece !== '..') ArrayPrototypePush(kept, piece);
    else if (kept.length > 0 && kept[kept.length - 1] !== '..') kept.length--;
    else if (keepUp) ArrayPrototypePush(kept, '..');
  }
  return kept;
}

function isRooted(path) {
  return StringPrototypeCharCodeAt(path, 0) === SLASH;
}

/** Index after the last character that is no slash, 0 when all are. */
function trimmedEnd(path) {
  let end = path.length;
  while (end > 0 && StringPrototypeCharCodeAt(path, end - 1) === SLASH) end--;
  return end;
}

/** Where the extension of a file name starts; its length when it has none. */
function extensionStart(name) {
  const dot = StringPrototypeLastIndexOf(name, '.');
  return dot <= 0 || name === '..' ? name.length : dot;
}

function lastSegment(path) {
  const end = trimmedEnd(path);
  return end === 0 ? '' : StringPrototypeSlice(path, StringPrototypeLastIndexOf(path, '/', end - 1) + 1, end);
}

/** The name that starts at `start` without `suffix`. A name that is no longer than the suffix stays, with the slashes after it. */
function baseWithSuffix(path, start, name, suffix) {
  if (suffix.length > path.length) return name;
  if (suffix.length > name.length)
    return StringPrototypeEndsWith(suffix, name) ? StringPrototypeSlice(path, start) : name;
  return name.length > suffix.length && StringPrototypeEndsWith(name, suffix)
    ? StringPrototypeSlice(name, 0, -suffix.length)
    : name;
}

/** `path.format` for one separator. */
function format(separator, parts) {
  validateObject(parts, 'pathObject');
  const directory = parts.dir || parts.root;
  const extension = parts.ext ? `${StringPrototypeCharCodeAt(parts.ext, 0) === 46 ? '' : '.'}${parts.ext}` : '';
  const base = parts.base || `${parts.name || ''}${extension}`;
  if (!directory) return base;
  return directory === parts.root ? `${directory}${base}` : `${directory}${separator}${base}`;
}

const posix = {
  resolve(...paths) {
    let joined = '';
    let rooted = false;
    for (let index = paths.length - 1; index >= 0 && !rooted; index--) {
      const path = paths[index];
      validateString(path, `paths[${index}]`);
      if (path.length === 0) continue;
      joined = `${path}/${joined}`;
      rooted = isRooted(path);
    }
    if (!rooted) {
      const base = cwd();
      joined = `${base}/${joined}`;
      rooted = isRooted(base);
    }
    const tail = ArrayPrototypeJoin(segmentsOf(joined, !rooted), '/');
    if (rooted) return `/${tail}`;
    return tail.length > 0 ? tail : '.';
  },

  normalize(path) {
    validateString(path, 'path');
    if (path.length === 0) return '.';
    const rooted = isRooted(path);
    let result = ArrayPrototypeJoin(segmentsOf(path, !rooted), '/');
    const trailing = StringPrototypeCharCodeAt(path, path.length - 1) === SLASH;
    if (result.length === 0) {
      if (rooted) return '/';
      return trailing ? './' : '.';
    }
    if (trailing) result += '/';
    return rooted ? `/${result}` : result;
  },

  isAbsolute(path) {
    validateString(path, 'path');
    return isRooted(path);
  },

  join(...paths) {
    let joined = '';
    for (let index = 0; index < paths.length; index++) {
      const path = paths[index];
      validateString(path, 'path');
      if (path.length > 0) joined = joined.length > 0 ? `${joined}/${path}` : path;
    }
    return joined.length > 0 ? posix.normalize(joined) : '.';
  },

  relative(from, to) {
    validateString(from, 'from');
    validateString(to, 'to');
    if (from === to) return '';
    const source = segmentsOf(posix.resolve(from), false);
    const target = segmentsOf(posix.resolve(to), false);
    let common = 0;
    while (common < source.length && common < target.length && source[common] === target[common]) common++;
    const steps = [];
    for (let index = common; index < source.length; index++) ArrayPrototypePush(steps, '..');
    for (let index = common; index < target.length; index++) ArrayPrototypePush(steps, target[index]);
    return ArrayPrototypeJoin(steps, '/');
  },

  toNamespacedPath(path) {
    return path;
  },

  dirname(path) {
    validateString(path, 'path');
    if (path.length === 0) return '.';
    const end = trimmedEnd(path);
    const slash = end === 0 ? -1 : StringPrototypeLastIndexOf(path, '/', end - 1);
    if (slash <= 0) return isRooted(path) ? '/' : '.';
    return slash === 1 && isRooted(path) ? '//' : StringPrototypeSlice(path, 0, slash);
  },

  basename(path, suffix = undefined) {
    if (suffix !== undefined) validateString(suffix, 'suffix');
    validateString(path, 'path');
    if (suffix === undefined || suffix.length === 0) return lastSegment(path);
    if (suffix === path) return '';
    const end = trimmedEnd(path);
    const start = end === 0 ? 0 : StringPrototypeLastIndexOf(path, '/', end - 1) + 1;
    return baseWithSuffix(path, start, StringPrototypeSlice(path, start, end), suffix);
  },

  extname(path) {
    validateString(path, 'path');
    const name = lastSegment(path);
    return StringPrototypeSlice(name, extensionStart(name));
  },

  format: FunctionPrototypeBind(format, null, '/'),

  parse(path) {
    validateString(path, 'path');
    const rooted = isRooted(path);
    const root = rooted ? '/' : '';
    const end = trimmedEnd(path);
    const slash = end === 0 ? -1 : StringPrototypeLastIndexOf(path, '/', end - 1);
    const base = StringPrototypeSlice(path, slash + 1, end);
    const dot = extensionStart(base);
    return {
      root,
      dir: slash > 0 ? StringPrototypeSlice(path, 0, slash) : root,
      base,
      ext: StringPrototypeSlice(base, dot),
      name: StringPrototypeSlice(base, 0, dot),
    };
  },

  sep: '/',
  delimiter: ':',
  win32: null,
  posix: null,
};

exports.format = format;
exports.extensionStart = extensionStart;
exports.baseWithSuffix = baseWithSuffix;
exports.cwd = cwd;
exports.default = posix;
posix._makeLong = posix.toNamespacedPath;
posix.posix = posix;
posix.win32 = use('node/internal/path/win32').win32;
posix.win32.posix = posix;
