// Work that is made of many operations, written once as a generator: it yields one operation after the other, and is
// resumed with what each comes to. The synchronous forms take the steps at once, the others one by one in later turns.
const { ObjectGetPrototypeOf, Promise, PromisePrototypeThen, PromiseResolve, uncurryThis } = primordials;
const { promiseLater, run } = use('node/internal/fs/later');

const generatorPrototype = ObjectGetPrototypeOf(ObjectGetPrototypeOf((function* () {})()));
const next = uncurryThis(generatorPrototype.next);
const fail = uncurryThis(generatorPrototype.throw);

/** What a program's own function returned, in place of an operation: a promise of it is waited for. */
class Returned {
  constructor(value) {
    this.value = value;
  }
}
exports.returned = (value) => new Returned(value);

/** Takes all steps at once; what the last one returns. `accept(value)` sees what the program's own functions return. */
exports.takeNow = (steps, accept) => {
  let step = next(steps);
  while (!step.done) {
    let result;
    try {
      result = step.value instanceof Returned ? accept(step.value.value) : run(step.value);
    } catch (error) {
      step = fail(steps, error);
      continue;
    }
    step = next(steps, result);
  }
  return step.value;
};

/** Takes the steps in later turns; a promise of what the last one returns. */
exports.takeLater = (steps) =>
  new Promise((done, failed) => {
    const advance = (take, result) => {
      let step;
      try {
        step = take(steps, result);
      } catch (error) {
        failed(error);
        return;
      }
      if (step.done) {
        done(step.value);
        return;
      }
      const { value } = step;
      const taken = value instanceof Returned ? PromiseResolve(value.value) : promiseLater(() => value);
      PromisePrototypeThen(taken, (outcome) => advance(next, outcome), (error) => advance(fail, error));
    };
    advance(next, undefined);
  });
