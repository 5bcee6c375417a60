// toJSON that JSON.stringify calls.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return JSON.stringify([{ toJSON() { for (;;) {} } }]);
});
