// A loop.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  for (;;) {}
});
