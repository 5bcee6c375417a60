import { test, assertEquals, assertThrows } from '../../../atoll-test/src/harness.mjs';
import { inspect, styleText, promisify, formatWithOptions } from 'node:util';
import { Buffer } from 'node:buffer';
import events from 'node:events';
import os from 'node:os';

test('types', () => {
  assertThrows(
    () => promisify('x'),
    'ERR_INVALID_ARG_TYPE',
    'The "original" argument must be of type function. Received type string (\'x\')',
  );
  assertThrows(
    () => formatWithOptions(null),
    'ERR_INVALID_ARG_TYPE',
    'The "inspectOptions" argument must be of type object. Received null',
  );
  assertThrows(
    () => Buffer.concat('x'),
    'ERR_INVALID_ARG_TYPE',
    'The "list" argument must be an instance of Array. Received type string (\'x\')',
  );
});

test('numbers', () => {
  assertThrows(
    () => Buffer.alloc(-1),
    'ERR_OUT_OF_RANGE',
    'The value of "size" is out of range. It must be >= 0 && <=',
  );
  assertThrows(() => Buffer.alloc(NaN), 'ERR_OUT_OF_RANGE', 'Received NaN');
  assertThrows(() => Buffer.alloc('5'), 'ERR_INVALID_ARG_TYPE');
  assertThrows(() => os.getPriority(1.5), 'ERR_OUT_OF_RANGE', 'It must be an integer. Received 1.5');
  assertThrows(() => new events.EventEmitter().setMaxListeners(-1), 'ERR_OUT_OF_RANGE', '>= 0');
});

test('one of several values', () => {
  assertThrows(() => styleText('no-such', 'x'), 'ERR_INVALID_ARG_VALUE', 'must be one of: ');
  assertEquals(inspect(1), '1');
});
