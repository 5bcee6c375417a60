// One array that is larger than the heap.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  new Array(1e8).fill(1.5);
  return 'filled';
});
