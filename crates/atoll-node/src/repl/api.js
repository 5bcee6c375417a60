// Interactive sessions: globals beside a program's, and how values are shown. What is typed is evaluated by the engine.
const {
  ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ObjectIs, RegExpPrototypeExec, SafeMap,
} = primordials;
const { inspect } = use('node/internal/util/inspect');
const { Module, createRequire } = use('node/internal/cjs');
const timers = use('web/timers');
const { recover: recoverTicks } = use('node:process');

const globalObject = globalThis;

let options = { __proto__: null, colors: false };
const results = new SafeMap(); // name of a global → what this file set it to last
const getters = new SafeMap(); // name of a builtin → the getter of its global, until it is first used

function define(name, value) {
  ObjectDefineProperty(globalObject, name, { __proto__: null, value, writable: true, configurable: true });
}

/** Sets `_` or `_error`, unless whoever types uses the name for something else. */
function keep(name, value) {
  const descriptor = ObjectGetOwnPropertyDescriptor(globalObject, name);
  if (descriptor !== undefined) {
    const isOurs = results.has(name) && 'value' in descriptor && ObjectIs(descriptor.value, results.get(name));
    if (!isOurs) return;
  }
  results.set(name, value);
  define(name, value);
}

/** Makes a builtin a global that is loaded when it is first used: `fs.readFileSync` needs no import. */
function defineBuiltin(name, require) {
  if (ObjectGetOwnPropertyDescriptor(globalObject, name) !== undefined) return;
  const get = () => {
    const value = require(name);
    getters.delete(name);
    define(name, value);
    return value;
  };
  const set = (value) => {
    getters.delete(name);
    define(name, value);
  };
  getters.set(name, get);
  ObjectDefineProperty(globalObject, name, { __proto__: null, get, set, configurable: true });
}

/** Prepares the globals. `path` is that of a file in the working directory, which need not exist. */
exports.start = (path, colours) => {
  options = { __proto__: null, colors: colours };
  const require = createRequire(path);
  const module = new Module(path);
  module.filename = path;
  define('require', require);
  define('module', module);
  define('exports', module.exports);
  const names = Module.builtinModules;
  for (let index = 0; index < names.length; index++) {
    // What is in a folder of another, or can be named with its scheme only, is no identifier.
    if (RegExpPrototypeExec(/[/:]/, names[index]) === null) defineBuiltin(names[index], require);
  }
};

/** Has a global of a builtin loaded, so that its properties can be listed. */
exports.touch = (name) => {
  const get = getters.get(name);
  if (get !== undefined && ObjectGetOwnPropertyDescriptor(globalObject, name)?.get === get) get();
};

exports.show = (value) => {
  keep('_', value);
  return inspect(value, options);
};

exports.showError = (error) => {
  keep('_error', error);
  return inspect(error, options);
};

/** The text of a file. */
exports.read = (path) => use('node:fs').default.readFileSync(path, 'utf8');

/** Puts right what code that was ended by force may have left undone: a termination runs no `finally`. */
exports.recover = () => {
  timers.recover();
  recoverTicks();
};
