// Search parameters without an end.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const parameters = new URLSearchParams();
  for (let i = 0; ; i++) parameters.append('a', `value ${i}`);
});
