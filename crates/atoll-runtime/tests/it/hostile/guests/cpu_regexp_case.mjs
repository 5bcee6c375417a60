// The same without regard to case, in Unicode.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return String(/^(\p{L}+\p{L}+)+1$/iu.test('\u00e4'.repeat(60)));
});
