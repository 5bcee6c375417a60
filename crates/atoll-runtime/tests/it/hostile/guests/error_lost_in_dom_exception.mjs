// Kills that come while the platform makes an exception.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  for (;;) { try { atob('?'); } catch {} }
});
