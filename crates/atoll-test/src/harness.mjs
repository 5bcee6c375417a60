// The harness of guest tests: runs under Atoll and under any other JavaScript runtime, so that one file checks both.

const pending = [];
let scheduled = false;

/** Registers a test; tests of a file run one after the other once the module has been evaluated. */
export function test(name, body) {
  pending.push({ name, body });
  if (!scheduled) {
    scheduled = true;
    queueMicrotask(runAll);
  }
}

async function runAll() {
  let passed = 0;
  const failures = [];
  for (let index = 0; index < pending.length; index++) {
    const { name, body } = pending[index];
    try {
      await body();
      passed++;
    } catch (error) {
      failures.push(name);
      console.error(`not ok - ${name}\n${error?.stack ?? error}`);
    }
  }
  console.log(`${passed} passed, ${failures.length} failed`);
  if (failures.length > 0) throw new Error(`failed: ${failures.join('; ')}`);
}

export class AssertionFailure extends Error {
  name = 'AssertionFailure';
}

function show(value) {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'object' && value !== null) {
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    try {
      return `${Object.prototype.toString.call(value)} ${JSON.stringify(value)}`;
    } catch {
      return Object.prototype.toString.call(value);
    }
  }
  return String(value);
}

export function assert(condition, message = 'condition does not hold') {
  if (!condition) throw new AssertionFailure(message);
}

/** Deep equality: same prototype, same own keys, same elements; NaN equals NaN, 0 differs from -0. */
export function assertEquals(actual, expected, message = '') {
  if (!equal(actual, expected)) {
    throw new AssertionFailure(`${message && `${message}: `}got ${show(actual)}, wanted ${show(expected)}`);
  }
}

function equal(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date) return a.getTime() === b.getTime();
  if (a instanceof Error) return a.name === b.name && a.message === b.message;
  if (a instanceof ArrayBuffer) return equal(new Uint8Array(a), new Uint8Array(b));
  if (a instanceof Map || a instanceof Set) return equal([...a], [...b]);
  const keys = Reflect.ownKeys(a);
  const others = Reflect.ownKeys(b);
  return keys.length === others.length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

function check(error, expected, messagePart) {
  if (error instanceof AssertionFailure) throw error;
  const named = typeof expected === 'string' ? error?.name === expected || error?.code === expected : error instanceof expected;
  if (!named) throw new AssertionFailure(`threw ${show(error)}, wanted ${expected.name ?? expected}`);
  if (messagePart !== undefined && !String(error.message).includes(messagePart)) {
    throw new AssertionFailure(`message ${show(error.message)} does not contain ${show(messagePart)}`);
  }
  return error;
}

/** `expected` is a class, an error name (`'TypeError'`, `'AbortError'`) or an error code (`'ENOENT'`). Returns the error. */
export function assertThrows(body, expected = Error, messagePart = undefined) {
  let result;
  try {
    result = body();
  } catch (error) {
    return check(error, expected, messagePart);
  }
  throw new AssertionFailure(`did not throw, returned ${show(result)}`);
}

export async function assertRejects(body, expected = Error, messagePart = undefined) {
  let result;
  try {
    result = await (typeof body === 'function' ? body() : body);
  } catch (error) {
    return check(error, expected, messagePart);
  }
  throw new AssertionFailure(`did not reject, gave ${show(result)}`);
}
