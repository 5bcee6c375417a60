// A listener.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const target = new EventTarget();
  target.addEventListener('x', () => { for (;;) {} });
  target.dispatchEvent(new Event('x'));
  return 'dispatched';
});
