// Splitting long text to single characters.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (;;) all.push('abc,'.repeat(1e6).split(''));
});
