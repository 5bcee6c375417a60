// Listeners on one target.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const target = new EventTarget();
  for (;;) target.addEventListener('x', () => {});
});
