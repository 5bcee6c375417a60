// The same in replace.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return 'x'.repeat(60).replace(/(x+x+)+y/g, '');
});
