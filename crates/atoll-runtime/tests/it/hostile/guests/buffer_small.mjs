// Small buffers, refusals caught.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (;;) { try { all.push(new Uint8Array(1 << 14)); } catch {} }
});
