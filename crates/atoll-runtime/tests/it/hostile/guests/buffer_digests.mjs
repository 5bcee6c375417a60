// Digests that are kept.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  const more = async () => { for (;;) all.push(await crypto.subtle.digest('SHA-512', new Uint8Array(1 << 16)), new Uint8Array(1 << 16)); };
  return more();
});
