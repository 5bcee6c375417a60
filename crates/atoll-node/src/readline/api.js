// node:readline.
const {
  FunctionPrototypeCall,
  ObjectDefineProperty,
  ObjectSetPrototypeOf,
  Promise,
  PromiseReject,
  ReflectApply,
  SymbolFor,
} = primordials;
const { ERR_FEATURE_UNAVAILABLE_ON_PLATFORM } = use('node/internal/errors');
const { validateAbortSignal } = use('node/internal/validators');
const { abortError, onAbort } = use('node/internal/stream/abort');
const { Interface: Base, ask, cancelQuestion } = use('node/internal/readline/interface');
const { clearLine, clearScreenDown, cursorTo, moveCursor } = use('node/internal/readline/cursor');

function Interface(input, output, completer, terminal) {
  if (!(this instanceof Interface)) return new Interface(input, output, completer, terminal);
  FunctionPrototypeCall(Base, this, input, output, completer, terminal);
}
ObjectSetPrototypeOf(Interface.prototype, Base.prototype);
ObjectSetPrototypeOf(Interface, Base);

/** `options.signal` takes the question back; its callback is not called then. */
Interface.prototype.question = function question(query, optionsOrCallback, givenCallback) {
  const callback = typeof optionsOrCallback === 'function' ? optionsOrCallback : givenCallback;
  if (typeof callback !== 'function') return;
  const options = typeof optionsOrCallback === 'object' && optionsOrCallback !== null ? optionsOrCallback : {};
  const { signal } = options;
  if (!signal) {
    ask(this, query, callback);
    return;
  }
  validateAbortSignal(signal, 'options.signal');
  if (signal.aborted) return;
  const stop = onAbort(signal, () => cancelQuestion(this));
  ask(this, query, (answer) => {
    stop();
    callback(answer);
  });
};
ObjectDefineProperty(Interface.prototype.question, SymbolFor('nodejs.util.promisify.custom'), {
  __proto__: null,
  value: function question(query, given) {
    const options = typeof given === 'object' && given !== null ? given : {};
    const { signal } = options;
    if (signal?.aborted) return PromiseReject(abortError(signal));
    return new Promise((resolve, reject) => {
      let callback = resolve;
      if (signal) {
        const stop = onAbort(signal, () => reject(abortError(signal)));
        callback = (answer) => {
          stop();
          resolve(answer);
        };
      }
      ReflectApply(Interface.prototype.question, this, [query, options, callback]);
    });
  },
  enumerable: false,
});

function createInterface(input, output, completer, terminal) {
  return new Interface(input, output, completer, terminal);
}

function emitKeypressEvents() {
  throw ERR_FEATURE_UNAVAILABLE_ON_PLATFORM('readline.emitKeypressEvents()');
}

exports.default = {
  Interface,
  clearLine,
  clearScreenDown,
  createInterface,
  cursorTo,
  emitKeypressEvents,
  moveCursor,
  get promises() {
    return use('node:readline/promises').default;
  },
};
