// What Buffer decodes.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const text = 'A'.repeat(1 << 20);
  const all = [];
  for (;;) all.push(Buffer.from(text, 'base64'));
});
