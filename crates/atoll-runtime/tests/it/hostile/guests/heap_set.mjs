// A Set that grows.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = new Set();
  for (let i = 0; ; i++) all.add(`k${i}`);
});
