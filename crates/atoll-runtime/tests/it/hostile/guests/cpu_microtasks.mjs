// Microtasks that make microtasks.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const next = () => { Promise.resolve().then(next); };
  next();
  return new Promise(() => {});
});
