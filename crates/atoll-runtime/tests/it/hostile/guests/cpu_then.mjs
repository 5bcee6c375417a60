// A then that promises call.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return (async () => await { then() { for (;;) {} } })();
});
