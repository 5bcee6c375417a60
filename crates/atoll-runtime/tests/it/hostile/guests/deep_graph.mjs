// A graph that is too deep to be cloned, inspected or compared by recursion.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  let deep = [];
  for (let i = 0; i < 200_000; i++) deep = [deep];
  const { inspect, isDeepStrictEqual } = process.getBuiltinModule('node:util');
  let other = [];
  for (let i = 0; i < 200_000; i++) other = [other];
  for (const use of [() => structuredClone(deep), () => inspect(deep, { depth: Infinity }), () => isDeepStrictEqual(deep, other), () => console.log('%o', deep), () => JSON.stringify(deep), () => Buffer.from(deep)]) { try { use(); } catch (error) { if (!(error instanceof RangeError)) throw error; } } return 'own error';
});
