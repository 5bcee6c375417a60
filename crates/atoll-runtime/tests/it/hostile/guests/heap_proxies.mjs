// Proxies of proxies.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  let last = {};
  for (;;) last = new Proxy(last, {});
});
