// Arrays of doubles, kept.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (;;) all.push(new Array(1e5).fill(0.5));
});
