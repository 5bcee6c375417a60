import { test, assert, assertEquals } from '../../../atoll-test/src/harness.mjs';
import constants, { ENOENT, O_CREAT, SIGTERM } from 'node:constants';
import fs from 'node:fs';
import os from 'node:os';

test('constants of other modules', () => {
  assertEquals([ENOENT, O_CREAT, SIGTERM], [2, 64, 15]);
  for (const name of Object.keys(fs.constants)) assert(constants[name] === fs.constants[name], name);
  for (const kind of ['errno', 'priority', 'signals']) {
    for (const name of Object.keys(os.constants[kind])) assert(constants[name] === os.constants[kind][name], name);
  }
  assert(Object.isFrozen(constants) && constants.hasOwnProperty('O_CREAT'));
});
