// A Map that grows.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = new Map();
  for (let i = 0; ; i++) all.set(i, [i]);
});
