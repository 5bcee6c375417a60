// Imports lodash-es, an ECMAScript module for each of its functions; prints the milliseconds and how many there are.
const started = performance.now();
const lodash = await import('lodash-es');
const elapsed = performance.now() - started;
console.log(JSON.stringify({ ms: elapsed, counted: Object.keys(lodash).length }));
