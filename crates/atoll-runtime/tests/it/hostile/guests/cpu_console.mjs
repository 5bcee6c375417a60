// Output without an end.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  for (;;) console.log('');
});
