// A trap that is called from Object.assign.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return Object.assign({}, new Proxy({ a: 1 }, { get() { for (;;) {} } }));
});
