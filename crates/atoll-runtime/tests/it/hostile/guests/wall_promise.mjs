// A promise that never settles.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return new Promise(() => {});
});
