// A comparator that takes its time.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return [3, 2, 1].sort(() => { for (;;) {} });
});
