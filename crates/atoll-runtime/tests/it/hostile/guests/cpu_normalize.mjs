// Normalizing long texts.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const text = '\u1e9b\u0323'.repeat(1 << 16);
  for (;;) text.normalize('NFKD');
});
