// toString that URL calls.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return String(new URL({ toString() { for (;;) {} } }));
});
