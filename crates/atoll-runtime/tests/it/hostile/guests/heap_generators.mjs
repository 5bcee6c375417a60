// Suspended generators.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  function* hold(n) { const mine = [n]; yield; return mine; } const all = [];
  for (let i = 0; ; i++) { const g = hold(i); g.next(); all.push(g); }
});
