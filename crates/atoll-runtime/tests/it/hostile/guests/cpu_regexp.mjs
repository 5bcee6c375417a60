// A regular expression that backtracks for ever.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return String(/^(a+)+$/.test(`${'a'.repeat(60)}!`));
});
