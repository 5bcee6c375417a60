// The same with more groups.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return String(/(x+x+)+y/.test('x'.repeat(60)));
});
