// BigInts that double.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (let n = 1n; ; n = (n << 1000n) + 1n) all.push(n);
});
