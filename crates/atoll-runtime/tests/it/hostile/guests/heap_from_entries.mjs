// Entries without an end.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return Object.fromEntries((function* () { for (let i = 0; ; i++) yield [`k${i}`, i]; })());
});
