// An iterator of the language's own without an end, spread: no guest code runs meanwhile.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return [...Array.prototype.values.call({ length: 2 ** 53 - 1 })].length;
});
