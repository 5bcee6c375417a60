// One match with very many results.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (;;) all.push('ab'.repeat(1e6).match(/a/g));
});
