// Typed arrays from array-likes.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (;;) all.push(Float64Array.from({ length: 1 << 16 }));
});
