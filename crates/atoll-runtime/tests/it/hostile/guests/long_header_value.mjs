// A header of thirty megabytes.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return new Response('large', { headers: { 'x-large': 'v'.repeat(30 << 20) } });
});
