// Imports zod from its package's files; prints the milliseconds and whether it validates.
const started = performance.now();
const { z } = await import('zod');
const elapsed = performance.now() - started;
console.log(JSON.stringify({ ms: elapsed, counted: z.object({ a: z.number() }).parse({ a: 1 }).a }));
