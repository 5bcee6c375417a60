// Requires a hundred files, each of which requires the next ones; prints the milliseconds and what they export.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const started = performance.now();
const { count } = require('./hundred/0.cjs');
const elapsed = performance.now() - started;
console.log(JSON.stringify({ ms: elapsed, counted: count }));
