// Deletes every global there is, and goes on serving.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const { deleteProperty, ownKeys } = Reflect;
  for (const key of ownKeys(globalThis)) {
    if (key !== 'globalThis') deleteProperty(globalThis, key);
  }
  return 'done';
});
