// A WeakMap whose keys are kept.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = new WeakMap();
  const keys = [];
  for (;;) { const key = {}; keys.push(key); all.set(key, [key]); }
});
