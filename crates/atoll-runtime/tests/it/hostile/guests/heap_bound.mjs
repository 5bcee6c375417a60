// Bound functions, each of the last.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  let last = () => 0;
  for (;;) last = last.bind(null, 1);
});
