// Links the builtins. (pick, find, natives) => use, where `find(name)` gives [evaluate, names, positions] of a builtin: the
// function whose body it is, and what to `pick` for it of the captured originals; `natives(name)` gives its natives. Runs
// once, while the startup snapshot is built; `use` runs also after guest code did. `use.loaded(name)` gives the exports of a
// builtin that was evaluated, else undefined: nobody has an object of a class that does not exist yet.
const { Error } = globalThis;
/** Exports by name. */
const registry = { __proto__: null };

function use(name) {
  const known = registry[name];
  if (known !== undefined) return known;
  const builtin = find(name);
  if (builtin === undefined) throw new Error(`there is no builtin ${name}`);
  const evaluate = builtin[0];
  const exports = { __proto__: null };
  registry[name] = exports;
  try {
    evaluate(exports, natives(name), use, pick(builtin[1], builtin[2]));
  } catch (error) {
    registry[name] = undefined;
    throw error;
  }
  return exports;
}
use.loaded = (name) => registry[name];
return use;
