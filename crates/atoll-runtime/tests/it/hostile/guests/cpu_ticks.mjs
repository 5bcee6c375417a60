// Ticks that make ticks.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const next = () => process.nextTick(next);
  next();
  return new Promise(() => {});
});
