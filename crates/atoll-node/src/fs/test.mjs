import { test } from '../../../atoll-test/src/harness.mjs';
import './test_streams.mjs';
import './test_whole.mjs';
import './test_names.mjs';
import './test_files.mjs';
import { root } from './test_support.mjs';
import fs from 'node:fs';

test('clean up', () => fs.rmSync(root, { recursive: true }));
