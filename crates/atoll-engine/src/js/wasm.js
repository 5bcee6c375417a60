// V8 compiles WebAssembly in the background, and nothing tells whether it still does: a program that waits for it alone
// would be taken for one that waits for nothing. So the functions that start it are replaced by ones that count.
const { ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, PromisePrototypeThen, ReflectApply } = primordials;

function settle() {
  native.release();
}

function fail(error) {
  native.release();
  throw error; // The rejection stays one that nobody handled, if nobody does.
}

function count(namespace, name) {
  const descriptor = ObjectGetOwnPropertyDescriptor(namespace, name);
  const original = descriptor.value;
  // A method, which like the original can't be constructed.
  const counted = {
    [name](bytes) {
      const promise = ReflectApply(original, this, arguments);
      native.hold();
      PromisePrototypeThen(promise, settle, fail);
      return promise;
    },
  };
  ObjectDefineProperty(namespace, name, { __proto__: null, ...descriptor, value: counted[name] });
}

/** Called with the namespace object `WebAssembly` when the global of that name is first read. */
exports.install = (namespace) => {
  count(namespace, 'compile');
  count(namespace, 'instantiate');
};
