// fs.cp: a tree copied name by name, once as steps, which cpSync takes at once and the other forms one after the other in
// later turns. What is asked of the file system and in which order, and each error, is Node's.
const { FunctionPrototypeCall, StringPrototypeStartsWith } = primordials;
const { ERR_INCOMPATIBLE_OPTION_PAIR, ERR_INVALID_ARG_TYPE, ERR_INVALID_RETURN_VALUE } = use('node/internal/errors');
const { validateBoolean, validateFunction, validateInteger } = use('node/internal/validators');
const { systemError, toPath } = use('node/internal/fs/arguments');
const core = use('node/internal/fs/core');
const { returned, takeLater, takeNow } = use('node/internal/fs/steps');
const paths = use('node:path').default;

const { dirname, isAbsolute, join, parse, resolve } = paths;

const OWNER_MAY_WRITE = 0o200;
const SWITCHES = ['dereference', 'errorOnExist', 'force', 'preserveTimestamps', 'recursive', 'verbatimSymlinks'];

function checked(source, destination, value) {
  if (value !== undefined && (value === null || typeof value !== 'object')) throw ERR_INVALID_ARG_TYPE('options', 'Object', value);
  const options = {
    __proto__: null,
    dereference: false,
    errorOnExist: false,
    filter: undefined,
    force: true,
    mode: 0,
    preserveTimestamps: false,
    recursive: false,
    verbatimSymlinks: false,
    ...value,
  };
  for (let index = 0; index < SWITCHES.length; index++) validateBoolean(options[SWITCHES[index]], `options.${SWITCHES[index]}`);
  options.mode ??= 0;
  validateInteger(options.mode, 'mode', 0, 7);
  if (options.dereference && options.verbatimSymlinks) throw ERR_INCOMPATIBLE_OPTION_PAIR('dereference', 'verbatimSymlinks');
  if (options.filter !== undefined) validateFunction(options.filter, 'options.filter');
  return { source: text(toPath(source, 'src')), destination: text(toPath(destination, 'dest')), options };
}

function text(path) {
  return typeof path === 'string' ? path : use('node:buffer').Buffer.from(path).toString();
}

const failure = (key, code, why, path) => systemError(key, 'cp', code, why, path);

// --- the steps: each yields an operation, or what a filter has returned, and is resumed with its result ---------------

/** Metadata; undefined where there is nothing. */
function* look(path, follows) {
  try {
    return yield (follows ? core.stat : core.lstat)(path, { bigint: true });
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const areSame = (one, other) => other.ino !== 0n && other.ino !== undefined && other.ino === one.ino && other.dev === one.dev;

/** Whether `path` is `directory` or below it, by the names alone. */
function isWithin(directory, path) {
  const above = resolve(directory);
  const below = resolve(path);
  return below === above || StringPrototypeStartsWith(below, above === '/' ? above : `${above}/`);
}

/** What lies at both ends; undefined when the filter does not want it. */
function* check(source, destination, options) {
  if (options.filter !== undefined && !(yield returned(FunctionPrototypeCall(options.filter, undefined, source, destination)))) {
    return undefined;
  }
  const from = yield (options.dereference ? core.stat : core.lstat)(source, { bigint: true });
  const to = yield* look(destination, options.dereference);
  if (to !== undefined) {
    if (areSame(from, to)) throw failure('ERR_FS_CP_EINVAL', 'EINVAL', 'src and dest cannot be the same', destination);
    if (from.isDirectory() && !to.isDirectory()) {
      throw failure('ERR_FS_CP_DIR_TO_NON_DIR', 'EISDIR', `cannot overwrite non-directory ${destination} with directory ${source}`, destination);
    }
    if (!from.isDirectory() && to.isDirectory()) {
      throw failure('ERR_FS_CP_NON_DIR_TO_DIR', 'ENOTDIR', `cannot overwrite directory ${destination} with non-directory ${source}`, destination);
    }
  }
  if (from.isDirectory() && isWithin(source, destination)) throw intoItself(source, destination);
  return { __proto__: null, from, to };
}

function intoItself(source, destination) {
  return failure('ERR_FS_CP_EINVAL', 'EINVAL', `cannot copy ${source} to a subdirectory of self ${destination}`, destination);
}

/** That no directory above the destination is the source, under whatever name. */
function* checkAbove(source, from, destination) {
  const sourceParent = resolve(dirname(source));
  let above = resolve(dirname(destination));
  while (above !== sourceParent && above !== parse(above).root) {
    const found = yield* look(above, true);
    if (found === undefined) return;
    if (areSame(from, found)) throw intoItself(source, destination);
    above = resolve(dirname(above));
  }
}

function* copy(source, destination, options) {
  const ends = yield* check(source, destination, options);
  if (ends === undefined) return;
  yield* checkAbove(source, ends.from, destination);
  const parent = dirname(destination);
  if (!(yield core.exists(parent))) yield core.mkdir(parent, { recursive: true });
  yield* copyOne(source, destination, ends, options);
}

function* copyOne(source, destination, ends, options) {
  const { from } = ends;
  if (from.isDirectory()) {
    if (!options.recursive) {
      throw failure('ERR_FS_EISDIR', 'EISDIR', `Recursive option not enabled, cannot copy a directory: ${source}`, source);
    }
    yield* copyDirectory(source, destination, ends, options);
  } else if (from.isFile() || from.isCharacterDevice() || from.isBlockDevice()) {
    yield* copyFile(source, destination, ends, options);
  } else if (from.isSymbolicLink()) {
    yield* copyLink(source, destination, ends, options);
  } else if (from.isSocket()) {
    throw failure('ERR_FS_CP_SOCKET', 'EINVAL', `cannot copy a socket file: ${destination}`, destination);
  } else if (from.isFIFO()) {
    throw failure('ERR_FS_CP_FIFO_PIPE', 'EINVAL', `cannot copy a FIFO pipe: ${destination}`, destination);
  } else {
    throw failure('ERR_FS_CP_UNKNOWN', 'EINVAL', `cannot copy an unknown file type: ${destination}`, destination);
  }
}

function* copyFile(source, destination, { from, to }, options) {
  if (to !== undefined) {
    if (!options.force) {
      if (!options.errorOnExist) return;
      throw failure('ERR_FS_CP_EEXIST', 'EEXIST', `${destination} already exists`, destination);
    }
    yield core.unlink(destination);
  }
  yield core.copyFile(source, destination, options.mode);
  const mode = +`${from.mode}`;
  if (options.preserveTimestamps) {
    if ((mode & OWNER_MAY_WRITE) === 0) yield core.chmod(destination, mode | OWNER_MAY_WRITE);
    const times = yield core.stat(source);
    yield core.utimes(destination, times.atime, times.mtime);
  }
  yield core.chmod(destination, mode & 0o7777);
}

function* copyDirectory(source, destination, { from, to }, options) {
  if (to === undefined) yield core.mkdir(destination);
  const names = yield core.readdir(source);
  for (let index = 0; index < names.length; index++) {
    const one = join(source, names[index]);
    const other = join(destination, names[index]);
    const ends = yield* check(one, other, options);
    if (ends !== undefined) yield* copyOne(one, other, ends, options);
  }
  if (to === undefined) yield core.chmod(destination, +`${from.mode}` & 0o7777);
}

function* copyLink(source, destination, { to }, options) {
  let target = yield core.readlink(source);
  if (!options.verbatimSymlinks && !isAbsolute(target)) target = resolve(dirname(source), target);
  if (to === undefined) {
    yield core.symlink(target, destination);
    return;
  }
  let old;
  try {
    old = yield core.readlink(destination);
  } catch (error) {
    if (error.code !== 'EINVAL') throw error;
    yield core.symlink(target, destination);
    return;
  }
  if (!isAbsolute(old)) old = resolve(dirname(destination), old);
  if (isWithin(target, old)) throw intoItself(target, old);
  const leadsTo = yield* look(source, true);
  if (leadsTo !== undefined && leadsTo.isDirectory() && isWithin(old, target)) {
    throw failure('ERR_FS_CP_SYMLINK_TO_SUBDIRECTORY', 'EINVAL', `cannot overwrite ${old} with ${target}`, destination);
  }
  yield core.unlink(destination);
  yield core.symlink(target, destination);
}

exports.cpSync = (from, to, value) => {
  const { source, destination, options } = checked(from, to, value);
  takeNow(copy(source, destination, options), requireAnswer);
};

function requireAnswer(filtered) {
  if (typeof filtered?.then === 'function') throw ERR_INVALID_RETURN_VALUE('boolean', 'filter', filtered);
  return filtered;
}

exports.cp = (from, to, value) => {
  const { source, destination, options } = checked(from, to, value);
  return takeLater(copy(source, destination, options));
};
