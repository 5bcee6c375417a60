// An interval.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  setInterval(() => {}, 1);
  return new Promise(() => {});
});
