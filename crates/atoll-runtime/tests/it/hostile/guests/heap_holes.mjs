// A sparse array of ever more elements.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (let i = 0; ; i++) all[i * 1000] = { i };
});
