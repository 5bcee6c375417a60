// Awaits of nothing.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return (async () => { for (;;) await null; })();
});
