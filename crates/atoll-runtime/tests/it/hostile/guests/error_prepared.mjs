// Error.prepareStackTrace that throws, recurses and returns nonsense.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  let depth = 0;
  Error.prepareStackTrace = (error, sites) => { if (depth++ > 100) return Symbol('stack'); void new Error('inner').stack; if (depth % 2) throw new Error('while preparing'); return { toString() { throw new Error('late'); } }; };
  Promise.reject(new Error('outer'));
  throw new Error('handler');
});
