// An error whose every property throws.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  throw new Proxy(new Error('x'), { get() { throw new Error('from the trap'); }, ownKeys() { throw new Error('from the trap'); }, getPrototypeOf() { throw new Error('from the trap'); }, getOwnPropertyDescriptor() { throw new Error('from the trap'); } });
});
