// Links the builtins and installs the globals. ({ primordials, complete }, builtins) => use, where a builtin is
// { name, evaluate, native, globals: [{ name, lazy }] }. Runs once, while the startup snapshot is built.
const { primordials, complete } = captured;
const registry = { __proto__: null };
const { apply, defineProperty } = Reflect;

function use(name) {
  const builtin = registry[name];
  if (builtin === undefined) throw new Error(`there is no builtin ${name}`);
  if (builtin.exports === undefined) {
    builtin.exports = { __proto__: null };
    try {
      apply(builtin.evaluate, undefined, [builtin.exports, builtin.native, use, primordials]);
    } catch (error) {
      builtin.exports = undefined;
      throw error;
    }
    builtin.evaluate = undefined;
  }
  return builtin.exports;
}

function install(key, value) {
  // A descriptor without a prototype: Object.prototype may be the guest's by the time a lazy global is read.
  defineProperty(globalThis, key, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
}

for (const builtin of builtins) {
  if (registry[builtin.name] !== undefined) throw new Error(`two builtins are called ${builtin.name}`);
  registry[builtin.name] = builtin;
}
for (const { name, globals } of builtins) {
  for (const { name: key, lazy } of globals) {
    if (lazy) {
      const accessor = {
        __proto__: null,
        get() {
          const value = use(name)[key];
          install(key, value);
          return value;
        },
        set(value) {
          install(key, value);
        },
        enumerable: false,
        configurable: true,
      };
      defineProperty(globalThis, key, accessor);
    } else {
      const value = use(name)[key];
      if (value === undefined) throw new Error(`${name} does not export its global ${key}`);
      install(key, value);
    }
  }
}
registry['engine/primordials'] = { name: 'engine/primordials', exports: { __proto__: null, complete } };
return use;
