// Tests and suites of node:test. They run one after the other, each when those before it are over: so whatever happens while
// one runs is its own, errors that nobody caught included. Programs end by themselves; at the end the whole is summed up.
const {
  ArrayPrototypePush, Error, FunctionPrototypeCall, Number, Promise, PromisePrototypeThen, PromiseResolve, ReflectApply, SafeSet,
} = primordials;
const { AbortError, ERR_INVALID_ARG_VALUE } = use('node/internal/errors');
const { validateAbortSignal, validateFunction, validateInteger, validateNumber } = use('node/internal/validators');
const { AbortController } = use('web/abort');
const { clearTimeout, setImmediate, setTimeout } = use('web/timers');
const report = use('node/internal/test/report');
const process = use('node:process').default;

const MAX_DELAY_MS = 2 ** 31 - 1; // of a timer
const now = () => Number(process.hrtime.bigint()) / 1e6;

const counts = { __proto__: null, tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
const running = []; // the tests under way, the innermost last
let describing = null; // the suite whose body runs

/** Name, options and body, in this order, each of which may be missing. */
function parse(values, given) {
  let index = 0;
  const name = typeof values[index] === 'string' ? values[index++] : undefined;
  const options = values[index] !== null && typeof values[index] === 'object' ? values[index++] : {};
  const body = typeof values[index] === 'function' ? values[index] : nothing;
  return { name: name || body.name || '<anonymous>', options: { __proto__: null, ...options, ...given }, body };
}
function nothing() {}

class Test {
  children = 0;
  tail; // a promise that is fulfilled when the children so far are over
  open; // lets the children of a suite begin
  failures = 0; // of children
  hooks = { __proto__: null, before: [], after: [], beforeEach: [], afterEach: [] };
  begun = false; // whether its hooks `before` have run
  passed = true;
  error = undefined;
  failureType = 'testCodeFailure';
  skipped = undefined; // why
  expected = undefined; // why it may fail
  duration = 0;
  fail = undefined; // ends it, while it runs
  controller = new AbortController();
  planned = undefined;
  asserted = 0;

  constructor(parent, name, options, body, isSuite) {
    const { skip, todo, timeout, signal, plan } = options;
    if (timeout !== undefined && timeout !== Infinity) validateNumber(timeout, 'options.timeout', 0, MAX_DELAY_MS);
    if (signal !== undefined) validateAbortSignal(signal, 'options.signal');
    if (plan !== undefined) validateInteger(plan, 'options.plan', 1);
    this.parent = parent;
    this.name = name;
    this.body = body;
    this.isSuite = isSuite;
    // Children of a suite are there before it is its turn; those of a test come while it runs.
    this.tail = isSuite && parent !== null ? new Promise((resolve) => (this.open = resolve)) : PromiseResolve();
    this.depth = parent === null ? -1 : parent.depth + 1;
    this.timeout = timeout ?? Infinity;
    this.outerSignal = signal;
    this.planned = plan;
    if (skip !== undefined && skip !== false) this.skipped = typeof skip === 'string' ? skip : '';
    if (todo !== undefined && todo !== false) this.expected = typeof todo === 'string' ? todo : '';
  }

  get fullName() {
    return this.depth > 0 ? `${this.parent.fullName} > ${this.name}` : this.name;
  }

  /** Runs `child` when those before it are over; a promise of that. */
  append(child) {
    const number = ++this.children;
    this.tail = PromisePrototypeThen(this.tail, () => child.run(number));
    return this.tail;
  }

  async run(number) {
    const start = now();
    const { parent } = this;
    pending.add(this);
    report.begin(this);
    ArrayPrototypePush(running, this);
    try {
      if (this.skipped === undefined) await this.perform();
    } finally {
      running.length--;
      pending.delete(this);
    }
    this.end(number, start);
    if (!this.passed && this.expected === undefined && parent !== root && parent.passed) {
      parent.passed = false;
      parent.failureType = 'subtestsFailed';
    }
    parent.failures += this.passed || this.expected !== undefined ? 0 : 1;
  }

  end(number, start) {
    this.duration = now() - start;
    if (this.failureType === 'subtestsFailed') this.error = new Error(`${this.failures} subtest${this.failures === 1 ? '' : 's'} failed`);
    if (this.children > 0) report.plan(this.depth + 1, this.children);
    report.result(this, number);
    if (this.isSuite) counts.suites++;
    else counts.tests++;
    if (!this.passed && this.expected === undefined) process.exitCode = 1;
    if (this.isSuite) return;
    if (this.skipped !== undefined) counts.skipped++;
    else if (this.expected !== undefined) counts.todo++;
    else if (this.passed) counts.pass++;
    else if (this.failureType === 'cancelledByParent' || this.failureType === 'testAborted') counts.cancelled++;
    else counts.fail++;
  }

  async perform() {
    try {
      await runHooks(this.parent, 'before');
      if (!this.isSuite) await runEach(this.parent, 'beforeEach', this.context());
      await this.bounded(async () => {
        await this.call();
        await this.settle();
      });
      if (this.planned !== undefined && this.planned !== this.asserted) {
        this.refuse(new Error(`plan expected ${this.planned} assertions but received ${this.asserted}`));
      }
    } catch (error) {
      this.refuse(error);
    }
    try {
      if (!this.isSuite) await runEach(this.parent, 'afterEach', this.context());
      await callHooks(this.hooks.after, this.context());
    } catch (error) {
      this.refuse(error, 'hookFailed');
    }
    this.tracker?.reset();
    this.controller.abort();
  }

  refuse(error, failureType = undefined) {
    if (!this.passed) return;
    this.passed = false;
    this.error = error;
    if (failureType !== undefined) this.failureType = failureType;
  }

  /** Waits for the children, those included that come meanwhile. */
  async settle() {
    for (let tail; tail !== this.tail; ) {
      tail = this.tail;
      await tail;
    }
  }

  /** The body, with a context, and with a callback where it wants one. */
  call() {
    const { body } = this;
    const context = this.context();
    if (this.isSuite) {
      // Its body has run when it was described.
      this.open();
      return this.described;
    }
    if (body.length < 2) return FunctionPrototypeCall(body, context, context);
    return new Promise((resolve, reject) => {
      const done = (error) => (error ? reject(error) : resolve());
      const returned = FunctionPrototypeCall(body, context, context, done);
      if (typeof returned?.then === 'function') {
        this.failureType = 'callbackAndPromisePresent';
        reject(new Error('passed a callback but also returned a Promise'));
      }
    });
  }

  /** `perform()`, until the test's time is over, it is aborted, or an error comes that nobody caught. */
  bounded(perform) {
    return new Promise((resolve, reject) => {
      let timer;
      const stop = (error, failureType) => {
        clearTimeout(timer);
        this.fail = undefined;
        if (error === undefined) {
          resolve();
          return;
        }
        if (failureType !== undefined) this.failureType = failureType;
        reject(error.value);
      };
      this.fail = (value, failureType) => stop({ __proto__: null, value }, failureType);
      const { outerSignal } = this;
      const abort = () => this.fail?.(new AbortError(undefined, { cause: outerSignal.reason }), 'testAborted');
      if (outerSignal?.aborted) {
        abort();
        return;
      }
      outerSignal?.addEventListener('abort', abort, { __proto__: null, once: true });
      if (this.timeout !== Infinity) {
        timer = setTimeout(() => this.fail?.(new Error(`test timed out after ${this.timeout}ms`), 'testTimeoutFailure'), this.timeout);
      }
      PromisePrototypeThen(asPromise(perform), () => stop(), (value) => stop({ __proto__: null, value }));
    });
  }

  context() {
    this.shown ??= this.isSuite ? new SuiteContext(this) : new TestContext(this);
    return this.shown;
  }
}

function asPromise(perform) {
  return new Promise((resolve) => resolve(perform()));
}

// --- hooks -----------------------------------------------------------------------------------------------------------

async function callHooks(hooks, context) {
  for (let index = 0; index < hooks.length; index++) {
    const body = hooks[index];
    await asPromise(() =>
      body.length < 2
        ? ReflectApply(body, context, [context])
        : new Promise((resolve, reject) => ReflectApply(body, context, [context, (error) => (error ? reject(error) : resolve())])),
    );
  }
}

/** Those that run before the first child. */
async function runHooks(test, name) {
  if (test === null || test.begun) return;
  await runHooks(test.parent, name);
  test.begun = true;
  await callHooks(test.hooks[name], test.context());
}

/** Those that run for each test: from the outermost in, or the other way after it. */
async function runEach(test, name, context) {
  if (test === null) return;
  if (name === 'beforeEach') await runEach(test.parent, name, context);
  await callHooks(test.hooks[name], context);
  if (name === 'afterEach') await runEach(test.parent, name, context);
}

function keepHook(test, name, body) {
  validateFunction(body, 'fn');
  ArrayPrototypePush(test.hooks[name], body);
}

// --- what bodies get -------------------------------------------------------------------------------------------------

class SuiteContext {
  #suite;

  constructor(suite) {
    this.#suite = suite;
  }

  get name() {
    return this.#suite.name;
  }

  get fullName() {
    return this.#suite.fullName;
  }

  get signal() {
    return this.#suite.controller.signal;
  }
}

class TestContext {
  #test;
  #assert;

  constructor(test) {
    this.#test = test;
  }

  get name() {
    return this.#test.name;
  }

  get fullName() {
    return this.#test.fullName;
  }

  get signal() {
    return this.#test.controller.signal;
  }

  get mock() {
    this.#test.tracker ??= new (use('node/internal/test/mock').MockTracker)();
    return this.#test.tracker;
  }

  /** The functions of node:assert, whose calls are counted for `plan`. */
  get assert() {
    if (this.#assert === undefined) {
      const assert = use('node:assert').default;
      this.#assert = { __proto__: null };
      for (const name in assert) {
        if (typeof assert[name] !== 'function' || name === 'strict' || name === 'AssertionError') continue;
        this.#assert[name] = (...values) => {
          this.#test.asserted++;
          return ReflectApply(assert[name], assert, values);
        };
      }
      this.#assert.ok = (...values) => {
        this.#test.asserted++;
        return ReflectApply(assert.ok, assert, values);
      };
    }
    return this.#assert;
  }

  plan(count) {
    validateInteger(count, 'count', 1);
    if (this.#test.planned !== undefined) throw ERR_INVALID_ARG_VALUE('count', count, 'was set before');
    this.#test.planned = count;
  }

  diagnostic(message) {
    report.diagnostic(this.#test.depth, message);
  }

  skip(message = '') {
    this.#test.skipped = `${message}`;
  }

  todo(message = '') {
    this.#test.expected = `${message}`;
  }

  test(...values) {
    this.#test.asserted++;
    return start(this.#test, values, {});
  }

  before(body) {
    keepHook(this.#test, 'before', body);
  }

  after(body) {
    keepHook(this.#test, 'after', body);
  }

  beforeEach(body) {
    keepHook(this.#test, 'beforeEach', body);
  }

  afterEach(body) {
    keepHook(this.#test, 'afterEach', body);
  }
}

// --- from the first test to the end ------------------------------------------------------------------------------------

const root = new Test(null, '<root>', {}, nothing, true);
const pending = new SafeSet();
let begunAt;

/** Sums up. What still runs waits for something that will never come. */
async function finish() {
  if (pending.size > 0) {
    const last = running[running.length - 1];
    if (last?.fail !== undefined) {
      setImmediate(nothing); // the program is at its end once more when that is over
      last.fail(new Error('Promise resolution is still pending but the event loop has already resolved'), 'cancelledByParent');
      return; // what comes after it has its turn first
    }
  }
  process.removeListener('beforeExit', finish);
  try {
    await callHooks(root.hooks.after, root.context());
  } catch (error) {
    process.exitCode = 1;
    report.diagnostic(0, `after: ${error?.stack ?? error}`);
  }
  report.plan(0, root.children);
  report.summary(counts, now() - begunAt);
}

function begin() {
  if (begunAt !== undefined) return;
  begunAt = now();
  process.on('beforeExit', finish);
  process.on('uncaughtException', (error) => {
    const last = running[running.length - 1];
    if (last?.fail === undefined) {
      process.exitCode = 1;
      report.diagnostic(0, `Error: ${error?.stack ?? error}`);
    } else {
      last.fail(error, 'uncaughtException');
    }
  });
}

function start(parent, values, given) {
  begin();
  const { name, options, body } = parse(values, given);
  const test = new Test(parent, name, options, body, false);
  return parent.append(test);
}

exports.addTest = (values, given) => {
  const done = start(describing ?? root, values, given);
  return describing === null ? done : undefined;
};

exports.addSuite = (values, given) => {
  begin();
  const { name, options, body } = parse(values, given);
  const parent = describing ?? root;
  const suite = new Test(parent, name, options, body, true);
  const done = parent.append(suite);
  if (suite.skipped !== undefined) return done;
  const outer = describing;
  describing = suite;
  try {
    const context = suite.context();
    suite.described = FunctionPrototypeCall(body, context, context);
  } catch (error) {
    suite.refuse(error);
  } finally {
    describing = outer;
  }
  return done;
};

exports.addHook = (name, body) => keepHook(describing ?? root, name, body);
