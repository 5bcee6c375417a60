// node:test: what programs call. They hang on the suite that is being described, or else on the program itself.
const { ObjectDefineProperty } = primordials;
const { addHook, addSuite, addTest } = use('node/internal/test/run');

/** `test(name, options, body)`, of which all but one may be missing, and its short forms. */
function define(name, add) {
  const declare = { [name]: (...values) => add(values, {}) }[name];
  declare.skip = (...values) => add(values, { __proto__: null, skip: true });
  declare.todo = (...values) => add(values, { __proto__: null, todo: true });
  declare.only = (...values) => add(values, { __proto__: null, only: true });
  return declare;
}

const test = define('test', addTest);
test.test = test;
test.it = define('it', addTest);
test.suite = define('suite', addSuite);
test.describe = define('describe', addSuite);
test.before = (body, options) => addHook('before', body, options);
test.after = (body, options) => addHook('after', body, options);
test.beforeEach = (body, options) => addHook('beforeEach', body, options);
test.afterEach = (body, options) => addHook('afterEach', body, options);

let tracker;
ObjectDefineProperty(test, 'mock', {
  __proto__: null,
  configurable: true,
  enumerable: true,
  get() {
    tracker ??= new (use('node/internal/test/mock').MockTracker)();
    return tracker;
  },
});

exports.default = test;
