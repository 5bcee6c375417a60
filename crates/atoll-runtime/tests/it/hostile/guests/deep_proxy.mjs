// A trap that makes headers of its own proxy.
import { own, serve } from './lib/serve.mjs';

export default serve(() => {
  const deep = new Proxy({}, {
    ownKeys() {
      return [...new Headers(deep).keys()];
    },
  });
  return own(() => new Headers(deep));
});
