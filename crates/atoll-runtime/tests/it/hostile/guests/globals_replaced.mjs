// Replaces every global by a function that throws, and goes on serving.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const { defineProperty, getOwnPropertyDescriptor, ownKeys } = Reflect;
  const global = globalThis;
  const value = () => {
    throw new Error('replaced');
  };
  for (const key of ownKeys(global)) {
    if (getOwnPropertyDescriptor(global, key).configurable) defineProperty(global, key, { value, configurable: true });
  }
  return 'done';
});
