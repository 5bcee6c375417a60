// A generator that delegates to itself.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  function* again() { for (;;) yield* [1, 2, 3]; } for (const x of again());
  return '';
});
