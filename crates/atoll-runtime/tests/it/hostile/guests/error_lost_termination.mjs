// Kills that come while a stack is being prepared: each is to be the last thing that happens.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  Error.prepareStackTrace = () => { for (let i = 0; i < 1e6; i++); return 1; };
  for (;;) { try { void new Error('x').stack; } catch {} }
});
