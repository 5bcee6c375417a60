// Ten thousand timers that are set for later when the client leaves.
import { serve } from './lib/serve.mjs';

export default serve(async () => {
  const all = [];
  for (let i = 0; i < 10_000; i++) all.push(new Promise((resolve) => setTimeout(resolve, 600_000, new Array(100).fill(i))));
  return String((await Promise.all(all)).length);
});
