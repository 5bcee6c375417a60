// A listener that dispatches its own event.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const target = new EventTarget();
  let depth = 0;
  target.addEventListener('x', () => { depth++; target.dispatchEvent(new Event('x')); });
  addEventListener('error', (event) => event.preventDefault());
  target.dispatchEvent(new Event('x'));
  return depth > 10 ? 'own error' : `only ${depth}`;
});
