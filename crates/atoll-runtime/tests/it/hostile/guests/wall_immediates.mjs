// Immediates that make immediates, each in a turn of its own.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const next = () => setImmediate(next);
  next();
  return new Promise(() => {});
});
