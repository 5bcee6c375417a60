// One buffer after the other, refusals caught.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (;;) { try { all.push(new ArrayBuffer(1 << 22)); } catch {} }
});
