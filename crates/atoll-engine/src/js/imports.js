// What the module machinery needs from JavaScript.
const { ObjectDefineProperty, PromisePrototypeThen, StringPrototypeLastIndexOf, StringPrototypeSlice } = primordials;

/** A promise for `namespace`, once `evaluation` is fulfilled. */
exports.whenEvaluated = (evaluation, namespace) => PromisePrototypeThen(evaluation, () => namespace);

/** Fills `import.meta` of the module in the file at `path`, imported with a query and fragment, or none. */
exports.initializeMeta = (meta, path, suffix) => {
  const define = (key, value) =>
    ObjectDefineProperty(meta, key, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
  define('dirname', StringPrototypeSlice(path, 0, StringPrototypeLastIndexOf(path, '/')) || '/');
  define('filename', path);
  define('resolve', (specifier) => native.resolve(`${specifier}`, path));
  define('url', native.fileUrl(path) + suffix);
};
