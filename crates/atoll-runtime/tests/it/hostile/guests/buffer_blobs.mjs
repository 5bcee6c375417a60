// Blobs.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (let i = 0; ; i++) all.push(new Blob([`${i}`.padEnd(1 << 18, 'x')]));
});
