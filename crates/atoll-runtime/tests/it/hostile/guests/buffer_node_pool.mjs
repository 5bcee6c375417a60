// Buffers of Node from its pool, each of which keeps a whole piece of it.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (;;) { all.push(Buffer.allocUnsafe(64)); Buffer.allocUnsafe(4000); Buffer.allocUnsafe(4000); }
});
