// Buffers of Node.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (;;) all.push(Buffer.from('x'.repeat(1 << 18)));
});
