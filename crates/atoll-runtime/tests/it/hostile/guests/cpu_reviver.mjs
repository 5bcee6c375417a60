// A reviver that JSON.parse calls.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return JSON.parse('[1, 2]', () => {
    for (;;) {}
  });
});
