// node:timers, over the timers of the platform.
const { ObjectDefineProperty, SymbolFor } = primordials;
const { clearImmediate, clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = use('web/timers');

const PROMISIFY = SymbolFor('nodejs.util.promisify.custom');

function promises() {
  return use('node:timers/promises').default;
}
/** What util.promisify makes of the function. */
function offerPromise(original, name) {
  ObjectDefineProperty(original, PROMISIFY, {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      return promises()[name];
    },
  });
}
offerPromise(setTimeout, 'setTimeout');
offerPromise(setImmediate, 'setImmediate');

exports.setImmediate = setImmediate;
exports.clearImmediate = clearImmediate;
exports.default = {
  clearImmediate,
  clearInterval,
  clearTimeout,
  setImmediate,
  setInterval,
  setTimeout,
  get promises() {
    return promises();
  },
};
