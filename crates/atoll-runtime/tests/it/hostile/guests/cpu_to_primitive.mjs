// Symbol.toPrimitive that Headers calls.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return String(new Headers([['a', { [Symbol.toPrimitive]() { for (;;) {} } }]]));
});
