// An iterator that Blob reads.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return String(new Blob({ *[Symbol.iterator]() { for (;;); } }));
});
