// Sorting without an end.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  for (;;) Array.from({ length: 1e5 }, (_, i) => (i * 7919) % 100_003).sort();
});
