// Puts accessors on Object.prototype and Array.prototype for good, and goes on serving.
import { serve } from './lib/serve.mjs';
import { force, load, planKeys } from './lib/poison.mjs';

export default serve(async () => {
  await load();
  return force(planKeys(), 'poisoned');
});
