// An error whose message never comes.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  throw Object.defineProperty(new Error('x'), 'message', { get() { for (;;) {} } });
});
