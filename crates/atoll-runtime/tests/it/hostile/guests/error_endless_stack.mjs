// An error whose stack never comes.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  throw Object.defineProperty(new Error('x'), 'stack', { get() { for (;;) {} } });
});
