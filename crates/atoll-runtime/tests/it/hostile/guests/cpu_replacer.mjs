// A replacer that never comes to an end.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return JSON.stringify({ a: 1 }, (key, value) => ({ deeper: (() => { for (let i = 0; i < 1e9; i++); return 1; })() }));
});
