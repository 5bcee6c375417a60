// A revoked proxy, thrown.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  Promise.reject(proxy);
  throw proxy;
});
