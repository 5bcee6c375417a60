// Signals that follow each other.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  let last = new AbortController().signal;
  for (;;) last = AbortSignal.any([last]);
});
