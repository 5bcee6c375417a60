// An iterator without an end, spread.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return [...(function* () { for (;;) yield {}; })()].length;
});
