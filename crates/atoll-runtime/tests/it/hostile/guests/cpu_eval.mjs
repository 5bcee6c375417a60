// Compiling without an end.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  for (let i = 0; ; i++) new Function(`return ${i % 10};`)();
});
