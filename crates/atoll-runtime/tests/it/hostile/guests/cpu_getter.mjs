// A getter that is called from structuredClone.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return structuredClone({ get a() { for (;;) {} } });
});
