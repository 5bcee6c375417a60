// Promises that resolve with promises, a hundred thousand deep.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  let last = Promise.resolve('own error');
  for (let i = 0; i < 100_000; i++) { const inner = last; last = new Promise((resolve) => resolve(inner)); } return last;
});
