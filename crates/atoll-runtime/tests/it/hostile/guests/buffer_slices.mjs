// Copies by slice.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const one = new Uint8Array(1 << 20);
  const all = [];
  for (;;) all.push(one.slice());
});
