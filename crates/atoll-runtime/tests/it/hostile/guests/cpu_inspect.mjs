// An inspector that console.log calls.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  console.log({ [Symbol.for('nodejs.util.inspect.custom')]() { for (;;) {} } });
  return 'logged';
});
