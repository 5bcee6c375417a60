// An error of sixteen million characters.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  throw new Error('x'.repeat(1 << 24));
});
