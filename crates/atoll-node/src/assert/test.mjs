import { test, assert as check, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';
import assert, { AssertionError, strict } from 'node:assert';
import strictModule from 'node:assert/strict';

const messageOf = (body) => assertThrows(body, 'ERR_ASSERTION').message;

test('truth', () => {
  assert(1);
  assert.ok('x', 'unused');
  assertEquals(
    messageOf(() => assert(false, 'why')),
    'why',
  );
  assertEquals(
    messageOf(() => assert()),
    'No value argument passed to `assert.ok()`',
  );
  const error = assertThrows(() => assert.equal(1, 2), AssertionError);
  assertEquals(
    [error.name, error.code, error.actual, error.expected, error.operator, error.generatedMessage, error.message],
    ['AssertionError', 'ERR_ASSERTION', 1, 2, '==', true, '1 == 2'],
  );
  check(error.stack.startsWith('AssertionError [ERR_ASSERTION]: 1 == 2'));
  assertThrows(() => assert(0, new RangeError('mine')), RangeError, 'mine');
  assertEquals(
    messageOf(() => assert.fail('x')),
    'x',
  );
  assertEquals(
    messageOf(() => assert.fail()),
    'Failed',
  );
});

test('equality, loose and strict', () => {
  assert.equal(1, '1');
  assert.equal(NaN, NaN);
  assert.strictEqual(NaN, NaN);
  assert.notStrictEqual(0, -0);
  assert.deepEqual({ a: [1, '2'], s: new Set([1]) }, { a: ['1', 2], s: new Set(['1']) });
  assert.deepStrictEqual(new Map([[{ a: 1 }, [1]]]), new Map([[{ a: 1 }, [1]]]));
  assert.notDeepStrictEqual({ a: 1 }, { a: '1' });
  assert.notDeepEqual({ a: 1 }, { a: 2 });
  check(messageOf(() => assert.strictEqual(1, 2)).startsWith('Expected values to be strictly equal:\n\n1 !== 2\n'));
  check(messageOf(() => assert.notStrictEqual(1, 1)).startsWith('Expected "actual" to be strictly unequal to: 1'));
  assertThrows(() => assert.strictEqual(1), 'ERR_MISSING_ARGS');
  check(
    strict.equal === assert.strictEqual &&
      strict.deepEqual === assert.deepStrictEqual &&
      strictModule === strict &&
      strict.strict === strict,
  );
  assertThrows(() => strict.equal(1, '1'), AssertionError);
});

test('differences are shown line by line', () => {
  const message = messageOf(() => assert.deepStrictEqual({ a: 1, b: [1, 2, 3] }, { a: 1, b: [1, 2, 4] }));
  for (const line of [
    'Expected values to be strictly deep-equal:',
    '+ actual - expected',
    '    a: 1,',
    '+     3',
    '-     4',
  ])
    check(message.includes(line), `${line} in ${message}`);
});

test('throws', () => {
  const boom = () => {
    throw new TypeError('boom');
  };
  assert.throws(boom);
  assert.throws(boom, TypeError);
  assert.throws(boom, /boom/);
  assert.throws(boom, { name: 'TypeError', message: /^bo/ });
  assert.throws(boom, (error) => error.message === 'boom');
  assert.doesNotThrow(() => {});
  assertEquals(
    messageOf(() => assert.throws(() => {}, TypeError, 'words')),
    'Missing expected exception (TypeError): words',
  );
  assertEquals(
    messageOf(() => assert.throws(boom, RangeError)),
    'The error is expected to be an instance of "RangeError". Received "TypeError"\n\nError message:\n\nboom',
  );
  assertEquals(
    messageOf(() => assert.throws(boom, /other/)),
    "The input did not match the regular expression /other/. Input:\n\n'TypeError: boom'\n",
  );
  check(messageOf(() => assert.throws(boom, { message: 'other' })).includes("+   message: 'boom'"));
  assertEquals(
    messageOf(() => assert.doesNotThrow(boom)),
    'Got unwanted exception.\nActual message: "boom"',
  );
  assertThrows(() => assert.throws(boom, 'boom'), 'ERR_AMBIGUOUS_ARGUMENT');
  assertThrows(() => assert.throws('x'), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => assert.throws(boom, {}), 'ERR_INVALID_ARG_VALUE');
});

test('rejects', async () => {
  await assert.rejects(Promise.reject(new Error('late')), /late/);
  await assert.rejects(async () => {
    throw new RangeError('r');
  }, RangeError);
  await assert.doesNotReject(Promise.resolve());
  await assertRejects(assert.rejects(Promise.resolve()), 'ERR_ASSERTION', 'Missing expected rejection.');
  await assertRejects(
    assert.rejects(() => 5),
    'ERR_INVALID_RETURN_VALUE',
  );
});

test('match and ifError', () => {
  assert.match('abc', /b/);
  assert.doesNotMatch('abc', /x/);
  assertEquals(
    messageOf(() => assert.match('abc', /x/)),
    "The input did not match the regular expression /x/. Input:\n\n'abc'\n",
  );
  assert.ifError(null);
  assertEquals(
    messageOf(() => assert.ifError(new Error('bad'))),
    'ifError got unwanted exception: bad',
  );
});
