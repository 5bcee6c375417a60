// Closures over each other.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  let last = () => 0;
  for (;;) { const previous = last; last = () => previous; }
});
