// A loop that catches and finally goes on.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  while (true) { try { for (;;) {} } catch {} finally { for (;;) {} } }
});
