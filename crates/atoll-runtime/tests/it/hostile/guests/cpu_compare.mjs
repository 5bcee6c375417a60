// Comparing long texts by locale.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const a = '\u00e4'.repeat(1 << 15);
  const b = 'a\u0308'.repeat(1 << 15);
  for (;;) a.localeCompare(b, 'de');
});
