// A power that is too large to compute soon.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  for (let n = 3n; ; n **= 3n) if (n < 0n) return '';
});
