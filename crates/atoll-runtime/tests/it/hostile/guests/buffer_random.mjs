// Random bytes.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (;;) all.push(crypto.getRandomValues(new Uint8Array(65536)));
});
