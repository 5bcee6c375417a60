// Listeners that add listeners.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const target = new EventTarget();
  const add = () => { target.addEventListener('x', () => add()); target.dispatchEvent(new Event('x')); };
  for (;;) { try { add(); } catch {} }
});
