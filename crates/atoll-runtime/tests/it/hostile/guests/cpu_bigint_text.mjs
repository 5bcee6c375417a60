// BigInts to text and back.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  for (let n = 7n ** 100_000n; ; n += 1n) BigInt(n.toString());
});
