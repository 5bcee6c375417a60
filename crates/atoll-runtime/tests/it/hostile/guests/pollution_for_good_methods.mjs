// Replaces every method and accessor for good, and goes on serving.
import { serve } from './lib/serve.mjs';
import { force, load, planMethods } from './lib/poison.mjs';

export default serve(async () => {
  const plan = planMethods(await load(), new Set());
  return force(plan, 'poisoned');
});
