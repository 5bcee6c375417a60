// Thrown values that are no errors.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  Promise.reject(Symbol('s'));
  Promise.reject(undefined);
  Promise.reject(Object.create(null));
  Promise.reject(new Proxy({}, {}));
  Promise.reject(function f() {});
  Promise.reject(10n);
  throw Symbol('thrown');
});
