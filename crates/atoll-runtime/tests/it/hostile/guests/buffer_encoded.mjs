// What TextEncoder makes.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const text = '\u20ac'.repeat(1 << 16);
  const encoder = new TextEncoder();
  const all = [];
  for (;;) all.push(encoder.encode(text));
});
