// CommonJS: modules, their cache, and the `require` functions. Which file a request means, and its compiled function, come
// from the loader. What Node lets programs replace (`Module._load`, `Module._resolveFilename`, `Module._extensions`,
// `Module.prototype._compile`, `require.cache`) is looked up where programs find it, each time.
const {
  ArrayIsArray, ArrayPrototypeIncludes, ArrayPrototypeIndexOf, ArrayPrototypeJoin, ArrayPrototypePush,
  ArrayPrototypeSplice, Error, JSONParse, ObjectCreate, ObjectDefineProperty, ObjectFreeze, ObjectKeys,
  ObjectPrototypeHasOwnProperty, ReflectApply, ReflectOwnKeys, SafeSet, SafeWeakMap, String,
  StringPrototypeCharCodeAt, StringPrototypeEndsWith, StringPrototypeIndexOf, StringPrototypeLastIndexOf,
  StringPrototypeSlice, StringPrototypeStartsWith, SymbolToStringTag, SyntaxError, TypeError,
} = primordials;

const errors = use('node/internal/errors');
const { validateObject, validateString } = use('node/internal/validators');

const SLASH = 47; // code unit of '/'
const PREFIX_ONLY = new SafeSet(['node:sea', 'node:sqlite', 'node:test', 'node:test/reporters']);

const parents = new SafeWeakMap(); // module → the module that first required it
const ownRequires = new SafeWeakMap(); // module → its require function

// ---- paths ----

function dirname(path) {
  const slash = StringPrototypeLastIndexOf(path, '/');
  if (slash < 0) return '.';
  return slash === 0 ? '/' : StringPrototypeSlice(path, 0, slash);
}

function isRelative(request) {
  return request === '.' || request === '..' || StringPrototypeStartsWith(request, './')
    || StringPrototypeStartsWith(request, '../');
}

function isAbsolute(path) {
  return StringPrototypeCharCodeAt(path, 0) === SLASH;
}

/** Where packages that a file in this directory requires may be. */
function nodeModulePaths(directory) {
  const paths = [];
  for (let at = directory; ; at = dirname(at)) {
    if (!StringPrototypeEndsWith(at, '/node_modules')) ArrayPrototypePush(paths, at === '/' ? '/node_modules' : `${at}/node_modules`);
    if (at === '/' || at === '.') return paths;
  }
}

// ---- builtins ----

let names;
function builtinNames() {
  if (names === undefined) names = native.builtinNames();
  return names;
}

/** The full name of a builtin, or undefined. */
function builtinName(request) {
  if (ArrayPrototypeIncludes(builtinNames(), request)) return request;
  const name = `node:${request}`;
  return !PREFIX_ONLY.has(name) && ArrayPrototypeIncludes(builtinNames(), name) ? name : undefined;
}

// ---- modules ----

/** A CommonJS module. `parent` is the module that required it. */
function Module(id = '', parent = undefined) {
  this.id = id;
  this.path = dirname(id);
  this.exports = {};
  parents.set(this, parent);
  addChild(parent, this);
  this.filename = null;
  this.loaded = false;
  this.children = [];
}

function addChild(parent, child) {
  const children = parent?.children;
  if (ArrayIsArray(children) && !ArrayPrototypeIncludes(children, child)) ArrayPrototypePush(children, child);
}

function removeChild(parent, child) {
  const children = parent?.children;
  if (!ArrayIsArray(children)) return;
  const index = ArrayPrototypeIndexOf(children, child);
  if (index >= 0) ArrayPrototypeSplice(children, index, 1);
}

Module._cache = ObjectCreate(null);
Module._pathCache = ObjectCreate(null);
Module._extensions = ObjectCreate(null);
Module.globalPaths = [];
Module.Module = Module;

const wrapper = ['(function (exports, require, module, __filename, __dirname) { ', '\n});'];
Module.wrapper = wrapper;
Module.wrap = function wrap(script) {
  return `${Module.wrapper[0]}${script}${Module.wrapper[1]}`;
};

ObjectDefineProperty(Module.prototype, 'parent', {
  __proto__: null,
  configurable: true,
  enumerable: false,
  get() {
    return parents.get(this);
  },
  set(parent) {
    parents.set(this, parent);
  },
});

/** module.require(request): as `require` in that module. */
Module.prototype.require = function require(request) {
  validateString(request, 'id');
  if (request === '') throw errors.ERR_INVALID_ARG_VALUE('id', request, 'must be a non-empty string');
  return Module._load(request, this, false);
};

/** Reads the file and runs it. */
Module.prototype.load = function load(filename) {
  this.filename ??= filename;
  this.paths ??= Module._nodeModulePaths(dirname(filename));
  Module._extensions[registeredExtension(filename)](this, filename);
  this.loaded = true;
};

/** Runs a text as this module's body. */
function _compile(content, filename, format = undefined) {
  return run(this, native.compileText(String(content), filename), filename);
}
Module.prototype._compile = _compile;

function run(module, compiled, filename) {
  const receiver = module.exports;
  return ReflectApply(compiled, receiver, [receiver, makeRequire(module), module, filename, dirname(filename)]);
}

/** The longest extension of a file that has a handler; '.js' for all others. */
function registeredExtension(filename) {
  const name = StringPrototypeSlice(filename, StringPrototypeLastIndexOf(filename, '/') + 1);
  for (let dot = StringPrototypeIndexOf(name, '.'); dot >= 0; dot = StringPrototypeIndexOf(name, '.', dot + 1)) {
    if (dot === 0) continue; // a hidden file
    const extension = StringPrototypeSlice(name, dot);
    if (Module._extensions[extension]) return extension;
  }
  return '.js';
}

Module._extensions['.js'] = function (module, filename) {
  if (module._compile !== _compile) {
    // A program compiles modules itself, and wants the text.
    return void module._compile(native.text(filename), filename);
  }
  const loaded = native.load(filename);
  if (typeof loaded === 'function') run(module, loaded, filename);
  else if (typeof loaded === 'string') module.exports = parseJson(loaded, filename);
  else module.exports = fromNamespace(native.requireModule(filename));
};

Module._extensions['.json'] = function (module, filename) {
  module.exports = parseJson(native.text(filename), filename);
};

Module._extensions['.node'] = function (module, filename) {
  native.load(filename); // says why it can't be loaded
};

function parseJson(text, filename) {
  try {
    return JSONParse(text);
  } catch (error) {
    throw new SyntaxError(`${filename}: ${error.message}`);
  }
}

/** What `require` of an ECMAScript module returns. */
function fromNamespace(namespace) {
  if (ObjectPrototypeHasOwnProperty(namespace, 'module.exports')) return namespace['module.exports'];
  if (!ObjectPrototypeHasOwnProperty(namespace, 'default') || ObjectPrototypeHasOwnProperty(namespace, '__esModule')) {
    return namespace;
  }
  // Compiled consumers look for __esModule to tell a namespace with a default export from a plain object.
  const facade = ObjectCreate(null);
  const keys = ReflectOwnKeys(namespace);
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index];
    if (typeof key !== 'string') continue;
    ObjectDefineProperty(facade, key, { __proto__: null, enumerable: true, get: () => namespace[key] });
  }
  ObjectDefineProperty(facade, '__esModule', { __proto__: null, enumerable: true, value: true });
  ObjectDefineProperty(facade, SymbolToStringTag, { __proto__: null, value: 'Module' });
  return ObjectFreeze(facade);
}

/** Loads what a request means in a module, or finds it in the cache. */
Module._load = function (request, parent, isMain) {
  const filename = Module._resolveFilename(request, parent, isMain);
  if (builtinName(filename) !== undefined) return native.builtin(builtinName(filename));
  return loadFile(filename, parent, isMain);
};

function loadFile(filename, parent, isMain) {
  const cached = Module._cache[filename];
  if (cached !== undefined) {
    addChild(parent, cached);
    return cached.exports; // of a module that is still running: what it has exported so far
  }
  const module = new Module(filename, parent);
  if (isMain) {
    module.id = '.';
    setMain(module);
  }
  Module._cache[filename] = module;
  let failed = true;
  try {
    module.load(filename);
    failed = false;
  } finally {
    if (failed) {
      delete Module._cache[filename];
      removeChild(parent, module);
    }
  }
  return module.exports;
}

// ---- resolution ----

/** The file that a request means in a module; the name of a builtin is returned as it was given. */
Module._resolveFilename = function (request, parent, isMain = false, options = undefined) {
  validateString(request, 'request');
  if (builtinName(request) !== undefined) return request;
  if (options !== null && typeof options === 'object' && options.paths !== undefined) {
    if (!ArrayIsArray(options.paths)) throw errors.ERR_INVALID_ARG_VALUE('options.paths', options.paths);
    return resolveFrom(request, parent, options.paths);
  }
  return resolveFor(request, parent, parent?.filename ?? `${directoryOf(parent)}/[eval]`);
};

function directoryOf(parent) {
  const path = parent?.path;
  return typeof path === 'string' && isAbsolute(path) && path !== '/' ? path : '';
}

function resolveFrom(request, parent, paths) {
  let first;
  for (let index = 0; index < paths.length; index++) {
    const path = paths[index];
    validateString(path, `options.paths[${index}]`);
    const base = isAbsolute(path) ? path : `${directoryOf(parent)}/${path}`;
    try {
      return resolveFor(request, parent, `${base}/[eval]`);
    } catch (error) {
      if (error?.code !== 'MODULE_NOT_FOUND') throw error;
      first ??= error;
    }
  }
  throw first ?? notFound(new Error(`Cannot find module '${request}'`), parent);
}

function resolveFor(request, parent, referrer) {
  try {
    return native.resolve(request, referrer);
  } catch (error) {
    throw error?.code === 'MODULE_NOT_FOUND' ? notFound(error, parent) : error;
  }
}

/** The error with the stack of modules that led to it. */
function notFound(cause, parent) {
  const stack = [];
  const seen = new SafeSet();
  for (let cursor = parent; cursor && !seen.has(cursor); cursor = parents.get(cursor)) {
    seen.add(cursor);
    ArrayPrototypePush(stack, cursor.filename || cursor.id);
  }
  const message = stack.length > 0 ? `${cause.message}\nRequire stack:\n- ${ArrayPrototypeJoin(stack, '\n- ')}` : cause.message;
  const error = new Error(message);
  const keys = ObjectKeys(cause);
  for (let index = 0; index < keys.length; index++) error[keys[index]] = cause[keys[index]];
  error.code = 'MODULE_NOT_FOUND';
  error.requireStack = stack;
  return error;
}

Module._nodeModulePaths = function (from) {
  validateString(from, 'from');
  return nodeModulePaths(isAbsolute(from) ? normalizeDirectory(from) : `/${from}`);
};

function normalizeDirectory(path) {
  return path.length > 1 && StringPrototypeEndsWith(path, '/') ? StringPrototypeSlice(path, 0, -1) : path;
}

Module._resolveLookupPaths = function (request, parent) {
  if (builtinName(request) !== undefined) return null;
  if (isRelative(request)) return [parent?.filename ? dirname(parent.filename) : '.'];
  return parent?.paths ?? (parent?.filename ? nodeModulePaths(dirname(parent.filename)) : []);
};

/** The file of a request in one of these directories, or false. */
Module._findPath = function (request, paths, isMain = false) {
  if (isAbsolute(request)) paths = ['/'];
  else if (!paths || paths.length === 0) return false;
  for (let index = 0; index < paths.length; index++) {
    try {
      return native.resolve(isAbsolute(request) ? request : `${paths[index]}/${request}`, '/[eval]');
    } catch (error) {
      if (error?.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return false;
};

Module._initPaths = function () {};

// ---- require functions ----

let mainModule;
function setMain(module) {
  mainModule = module;
  const process = use('node:process').default;
  ObjectDefineProperty(process, 'mainModule', { __proto__: null, configurable: true, enumerable: true, writable: true, value: module });
}

function makeRequire(module) {
  const known = ownRequires.get(module);
  if (known !== undefined) return known;

  function require(path) {
    return module.require(path);
  }
  require.resolve = function resolve(request, options = undefined) {
    validateString(request, 'request');
    return Module._resolveFilename(request, module, false, options);
  };
  require.resolve.paths = function paths(request) {
    validateString(request, 'request');
    return Module._resolveLookupPaths(request, module);
  };
  ObjectDefineProperty(require, 'main', { __proto__: null, configurable: true, enumerable: true, writable: true, value: mainModule });
  require.extensions = Module._extensions;
  require.cache = Module._cache;
  ownRequires.set(module, require);
  return require;
}

/** The `require` function for a file, which need not exist: an absolute path, or a file URL as object or string. */
function createRequire(filename) {
  let path = filename;
  const isUrl = filename !== null && typeof filename === 'object' && typeof filename.href === 'string';
  if (isUrl || (typeof filename === 'string' && StringPrototypeStartsWith(filename, 'file:'))) {
    path = use('node:url').default.fileURLToPath(filename);
  }
  if (typeof path !== 'string' || !isAbsolute(path)) {
    throw errors.ERR_INVALID_ARG_VALUE('filename', filename, 'must be a file URL object, file URL string, or absolute path string');
  }
  const module = new Module(StringPrototypeEndsWith(path, '/') ? `${path}noop.js` : path);
  module.filename = module.id;
  module.paths = nodeModulePaths(module.path);
  return makeRequire(module);
}

Module.createRequire = createRequire;

Module.isBuiltin = function isBuiltin(name) {
  return typeof name === 'string' && builtinName(name) !== undefined;
};

ObjectDefineProperty(Module, 'builtinModules', {
  __proto__: null,
  configurable: true,
  enumerable: true,
  get() {
    const listed = [];
    const all = builtinNames();
    for (let index = 0; index < all.length; index++) {
      ArrayPrototypePush(listed, PREFIX_ONLY.has(all[index]) ? all[index] : StringPrototypeSlice(all[index], 5));
    }
    return ObjectFreeze(listed);
  },
});

Module.syncBuiltinESMExports = function syncBuiltinESMExports() {
  const error = new TypeError('module.syncBuiltinESMExports() is not supported: exports of builtin ES modules do not change');
  error.code = 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM';
  throw error;
};

Module.runMain = function (main = undefined) {
  const process = use('node:process').default;
  return Module._load(main ?? process.argv[1], null, true);
};

// ---- what the engine calls ----

exports.Module = Module;
exports.createRequire = createRequire;

/** Runs the file as the program's main module; its exports. */
exports.loadMain = (path) => loadFile(path, null, true);

/** The exports of the file at a resolved path, for an import of it. */
exports.requireFromEsm = (path) => loadFile(path, undefined, false);
