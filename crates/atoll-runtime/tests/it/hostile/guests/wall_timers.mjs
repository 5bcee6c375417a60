// A chain of timers.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const next = () => setTimeout(next, 1);
  next();
  return new Promise(() => {});
});
