// V8 compiles WebAssembly in the background, and nothing tells whether it still does: a program that waits for it alone
// would be taken for one that waits for nothing. So the functions that start it are replaced by ones that count.
//
// Memory that is shared is refused, and V8 can't be told so: what makes memories is replaced by what looks first. A module
// that was compiled may come into a guest's hands in many ways (V8 asks it for `then` when it settles a promise), so the bar
// is where a module becomes an instance; refusing it earlier tells the guest sooner.
const {
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptor,
  Proxy,
  ReflectApply,
  ReflectConstruct,
  uncurryThis,
} = primordials;

function redefine(object, name, value) {
  const descriptor = ObjectGetOwnPropertyDescriptor(object, name);
  ObjectDefineProperty(object, name, { __proto__: null, ...descriptor, value });
}

/** Replaces a constructor by one that behaves like it, but for what `construct(values, newTarget)` does. */
function replaceConstructor(namespace, name, construct) {
  const Original = namespace[name];
  const Guarded = new Proxy(Original, {
    __proto__: null,
    construct: (_, values, newTarget) => construct(values, newTarget === Guarded ? Original : newTarget),
  });
  redefine(namespace, name, Guarded);
  redefine(Original.prototype, 'constructor', Guarded);
}

function isObject(value) {
  return typeof value === 'function' || (typeof value === 'object' && value !== null);
}

/** What a promise of V8's settles to. The program waits for it. */
async function waitFor(promise) {
  native.hold();
  try {
    return await promise;
  } finally {
    native.release();
  }
}

/** Called with the namespace object `WebAssembly` when the global of that name is first read. */
exports.install = (namespace) => {
  const { CompileError, Instance, Memory, Module, compile, instantiate, validate } = namespace;
  const bufferOf = uncurryThis(ObjectGetOwnPropertyDescriptor(Memory.prototype, 'buffer').get);

  function refuseShared(module, where) {
    if (native.sharesMemory(module)) throw new CompileError(`WebAssembly.${where}: shared memory is not available`);
    return module;
  }

  async function compileUnshared(bytes, options, where) {
    return refuseShared(await waitFor(ReflectApply(compile, namespace, [bytes, options])), where);
  }

  // Methods, which like the originals can't be constructed.
  const methods = {
    async compile(bytes) {
      return compileUnshared(bytes, arguments[1], 'compile()');
    },
    async instantiate(source) {
      const imports = arguments[1];
      const isModule = native.isModule(source);
      if (isModule) refuseShared(source, 'instantiate()');
      // V8 refuses imports that are no object before it compiles.
      if (isModule || (imports !== undefined && !isObject(imports))) {
        return waitFor(ReflectApply(instantiate, namespace, [source, imports]));
      }
      const module = await compileUnshared(source, arguments[2], 'instantiate()');
      return { module, instance: await waitFor(ReflectApply(instantiate, namespace, [module, imports])) };
    },
    validate(bytes) {
      return ReflectApply(validate, namespace, arguments) && !native.sharesMemory(bytes);
    },
  };
  redefine(namespace, 'compile', methods.compile);
  redefine(namespace, 'instantiate', methods.instantiate);
  redefine(namespace, 'validate', methods.validate);

  replaceConstructor(namespace, 'Module', (values, newTarget) =>
    refuseShared(ReflectConstruct(Module, values, newTarget), 'Module()'),
  );
  replaceConstructor(namespace, 'Instance', (values, newTarget) => {
    refuseShared(values[0], 'Instance()');
    return ReflectConstruct(Instance, values, newTarget);
  });
  replaceConstructor(namespace, 'Memory', (values, newTarget) => {
    const memory = ReflectConstruct(Memory, values, newTarget);
    if (native.isShared(bufferOf(memory))) throw new CompileError('WebAssembly.Memory(): shared memory is not available');
    return memory;
  });
};
