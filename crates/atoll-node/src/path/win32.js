// The Windows half of node:path: drive letters (`C:`), network roots (`\\server\share\`), both kinds of slash.
const {
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  FunctionPrototypeBind,
  StringPrototypeCharCodeAt,
  StringPrototypeIncludes,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeToLowerCase,
} = primordials;
const { validateString } = use('node/internal/validators');
const { baseWithSuffix, cwd, extensionStart, format } = use('node:path');

const BACKSLASH = 92;
const COLON = 58;

function isSlash(code) {
  return code === 47 || code === BACKSLASH;
}
function slashAt(path, index) {
  return index < path.length && isSlash(StringPrototypeCharCodeAt(path, index));
}
function isDrive(path) {
  const code = StringPrototypeCharCodeAt(path, 0) | 32;
  return (
    path.length >= 2 &&
    StringPrototypeCharCodeAt(path, 0) < 128 &&
    code >= 97 &&
    code <= 122 &&
    StringPrototypeCharCodeAt(path, 1) === COLON
  );
}

/** Index of the first slash from `from`, or the length. */
function untilSlash(path, from) {
  let index = from;
  while (index < path.length && !slashAt(path, index)) index++;
  return index;
}
function afterSlashes(path, from) {
  let index = from;
  while (slashAt(path, index)) index++;
  return index;
}

/** `\\server\share`: where each part is; undefined when the path is no network path. */
function network(path) {
  if (!slashAt(path, 0) || !slashAt(path, 1)) return undefined;
  const serverEnd = untilSlash(path, 2);
  if (serverEnd === 2 || serverEnd === path.length) return undefined;
  const shareStart = afterSlashes(path, serverEnd);
  if (shareStart === path.length) return undefined;
  const shareEnd = untilSlash(path, shareStart);
  const server = StringPrototypeSlice(path, 2, serverEnd);
  return { server, share: StringPrototypeSlice(path, shareStart, shareEnd), serverEnd, shareStart, end: shareEnd };
}

/** The segments between slashes; `..` takes one away, or stays if `keepUp`. */
function segmentsOf(path, keepUp) {
  const kept = [];
  let start = 0;
  while (start <= path.length) {
    const end = untilSlash(path, start);
    const piece = StringPrototypeSlice(path, start, end);
    start = end + 1;
    if (piece === '' || piece === '.') continue;
    if (piece !== '..') ArrayPrototypePush(kept, piece);
    else if (kept.length > 0 && kept[kept.length - 1] !== '..') kept.length--;
    else if (keepUp) ArrayPrototypePush(kept, '..');
  }
  return kept;
}
function normalizedTail(path, keepUp) {
  return ArrayPrototypeJoin(segmentsOf(path, keepUp), '\\');
}

/** Device (`C:` or `\\server\share`), where the rest starts, and whether that rest is rooted. */
function rootOf(path) {
  if (path.length === 0) return { device: undefined, end: 0, rooted: false };
  if (path.length === 1) return { device: undefined, end: slashAt(path, 0) ? 1 : 0, rooted: slashAt(path, 0) };
  if (slashAt(path, 0)) {
    const parts = network(path);
    if (parts === undefined) return { device: undefined, end: 1, rooted: true };
    return {
      device: `\\\\${parts.server}\\${parts.share}`,
      end: parts.end,
      rooted: true,
      whole: parts.end === path.length,
    };
  }
  if (isDrive(path)) {
    const rooted = slashAt(path, 2);
    return { device: StringPrototypeSlice(path, 0, 2), end: rooted ? 3 : 2, rooted };
  }
  return { device: undefined, end: 0, rooted: false };
}

function resolve(...paths) {
  let device = '';
  let tail = '';
  let rooted = false;
  for (let index = paths.length - 1; index >= -1; index--) {
    let path;
    if (index >= 0) {
      path = paths[index];
      validateString(path, `paths[${index}]`);
      if (path.length === 0) continue;
    } else {
      // The directory of a drive is not known here, only the current one.
      path = cwd();
      const current = StringPrototypeToLowerCase(StringPrototypeSlice(path, 0, 2));
      if (
        device.length > 0 &&
        current !== StringPrototypeToLowerCase(device) &&
        StringPrototypeCharCodeAt(path, 2) === BACKSLASH
      )
        path = `${device}\\`;
    }
    const root = rootOf(path);
    const its = root.device ?? '';
    if (its.length > 0) {
      if (device.length === 0) device = its;
      else if (StringPrototypeToLowerCase(its) !== StringPrototypeToLowerCase(device)) continue;
    }
    if (rooted) {
      if (device.length > 0) break;
    } else {
      tail = `${StringPrototypeSlice(path, root.end)}\\${tail}`;
      rooted = root.rooted;
      if (rooted && device.length > 0) break;
    }
  }
  const normalized = normalizedTail(tail, !rooted);
  if (rooted) return `${device}\\${normalized}`;
  return `${device}${normalized}` || '.';
}

function normalize(path) {
  validateString(path, 'path');
  const { length } = path;
  if (length === 0) return '.';
  if (length === 1) return slashAt(path, 0) ? '\\' : path;
  const root = rootOf(path);
  if (root.whole) return `${root.device}\\`;
  let tail = root.end < length ? normalizedTail(StringPrototypeSlice(path, root.end), !root.rooted) : '';
  if (tail.length === 0 && !root.rooted) tail = '.';
  if (tail.length > 0 && slashAt(path, length - 1)) tail += '\\';
  if (!root.rooted && root.device === undefined && StringPrototypeIncludes(path, ':')) {
    // What was relative must not become a drive by normalizing.
    if (isDrive(tail)) return `.\\${tail}`;
    for (let at = StringPrototypeIndexOf(path, ':'); at !== -1; at = StringPrototypeIndexOf(path, ':', at + 1)) {
      if (at === length - 1 || slashAt(path, at + 1)) return `.\\${tail}`;
    }
  }
  const prefix = root.device ?? '';
  return root.rooted ? `${prefix}\\${tail}` : `${prefix}${tail}`;
}

function isAbsolute(path) {
  validateString(path, 'path');
  return slashAt(path, 0) || (isDrive(path) && slashAt(path, 2));
}

function join(...paths) {
  let joined;
  let first;
  for (let index = 0; index < paths.length; index++) {
    const path = paths[index];
    validateString(path, 'path');
    if (path.length === 0) continue;
    if (joined === undefined) joined = first = path;
    else joined += `\\${path}`;
  }
  if (joined === undefined) return '.';
  // Only a first part that is a network root by itself may make one of the whole; else the leading slashes are one.
  if (slashAt(first, 0)) {
    const isNetwork = slashAt(first, 1) && first.length > 2 && !slashAt(first, 2);
    if (!isNetwork) {
      const start = afterSlashes(joined, 0);
      if (start >= 2) joined = `\\${StringPrototypeSlice(joined, start)}`;
    }
  }
  return normalize(joined);
}

function lowered(segments) {
  const result = [];
  for (let index = 0; index < segments.length; index++)
    ArrayPrototypePush(result, StringPrototypeToLowerCase(segments[index]));
  return result;
}

function relative(from, to) {
  validateString(from, 'from');
  validateString(to, 'to');
  if (from === to) return '';
  const fromFull = resolve(from);
  const toFull = resolve(to);
  if (fromFull === toFull || StringPrototypeToLowerCase(fromFull) === StringPrototypeToLowerCase(toFull)) return '';
  const source = lowered(segmentsOf(fromFull, false));
  const target = segmentsOf(toFull, false);
  const targetLowered = lowered(target);
  let common = 0;
  while (common < source.length && common < target.length && source[common] === targetLowered[common]) common++;
  // Nothing in common: it may be another drive or share, where no relative path leads.
  if (common === 0 && source.length > 0 && target.length > 0) return toFull;
  const steps = [];
  for (let index = common; index < source.length; index++) ArrayPrototypePush(steps, '..');
  for (let index = common; index < target.length; index++) ArrayPrototypePush(steps, target[index]);
  return ArrayPrototypeJoin(steps, '\\');
}

function toNamespacedPath(path) {
  if (typeof path !== 'string' || path.length === 0) return path;
  const full = resolve(path);
  if (full.length <= 2) return path;
  if (StringPrototypeCharCodeAt(full, 0) === BACKSLASH) {
    const third = StringPrototypeCharCodeAt(full, 2);
    if (StringPrototypeCharCodeAt(full, 1) === BACKSLASH && third !== 63 && third !== 46)
      return `\\\\?\\UNC\\${StringPrototypeSlice(full, 2)}`;
  } else if (isDrive(full) && StringPrototypeCharCodeAt(full, 2) === BACKSLASH) {
    return `\\\\?\\${full}`;
  }
  return full;
}

/** How much of the path is root (for dirname and parse), and whether the root is all of it. */
function rootLength(path) {
  const { length } = path;
  if (slashAt(path, 0)) {
    const parts = length > 1 ? network(path) : undefined;
    if (parts === undefined) return { end: 1, all: length === 1 };
    return parts.end === length ? { end: length, all: true } : { end: parts.end + 1, all: false };
  }
  if (length > 1 && isDrive(path)) {
    const end = slashAt(path, 2) ? 3 : 2;
    return { end, all: length === end };
  }
  return { end: 0, all: false };
}

/** Index after the last character from `from` that is no slash. */
function trimmedEnd(path, from) {
  let end = path.length;
  while (end > from && slashAt(path, end - 1)) end--;
  return end;
}
/** Start of the segment that ends at `end`, not before `from`. */
function segmentStart(path, from, end) {
  let start = end;
  while (start > from && !slashAt(path, start - 1)) start--;
  return start;
}

function dirname(path) {
  validateString(path, 'path');
  if (path.length === 0) return '.';
  const root = rootLength(path);
  if (path.length === 1) return root.end === 1 ? path : '.';
  if (root.all) return path;
  const end = trimmedEnd(path, root.end);
  const start = end === root.end ? root.end : segmentStart(path, root.end, end);
  if (start <= root.end) return root.end === 0 ? '.' : StringPrototypeSlice(path, 0, root.end);
  return StringPrototypeSlice(path, 0, start - 1);
}

function lastSegment(path) {
  const from = isDrive(path) ? 2 : 0;
  const end = trimmedEnd(path, from);
  return StringPrototypeSlice(path, segmentStart(path, from, end), end);
}

function basename(path, suffix = undefined) {
  if (suffix !== undefined) validateString(suffix, 'suffix');
  validateString(path, 'path');
  if (suffix === undefined || suffix.length === 0) return lastSegment(path);
  if (suffix === path) return '';
  const name = lastSegment(path);
  const from = isDrive(path) ? 2 : 0;
  return baseWithSuffix(path, segmentStart(path, from, trimmedEnd(path, from)), name, suffix);
}

function extname(path) {
  validateString(path, 'path');
  const name = lastSegment(path);
  return StringPrototypeSlice(name, extensionStart(name));
}

function parse(path) {
  validateString(path, 'path');
  const result = { root: '', dir: '', base: '', ext: '', name: '' };
  if (path.length === 0) return result;
  const root = rootLength(path);
  const whole = root.all || (path.length === 1 && root.end === 1);
  if (whole) {
    result.root = result.dir = path;
    return result;
  }
  result.root = StringPrototypeSlice(path, 0, root.end);
  const end = trimmedEnd(path, root.end);
  const start = segmentStart(path, root.end, end);
  const base = StringPrototypeSlice(path, start, end);
  const dot = extensionStart(base);
  result.base = base;
  result.ext = StringPrototypeSlice(base, dot);
  result.name = StringPrototypeSlice(base, 0, dot);
  result.dir = start > root.end && end > root.end ? StringPrototypeSlice(path, 0, start - 1) : result.root;
  return result;
}

const win32 = {
  resolve,
  normalize,
  isAbsolute,
  join,
  relative,
  toNamespacedPath,
  dirname,
  basename,
  extname,
  format: FunctionPrototypeBind(format, null, '\\'),
  parse,
  sep: '\\',
  delimiter: ';',
  win32: null,
  posix: null,
  _makeLong: toNamespacedPath,
};
win32.win32 = win32;
exports.win32 = win32;
