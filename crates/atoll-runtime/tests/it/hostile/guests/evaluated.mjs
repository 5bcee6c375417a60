// Evaluates what it is sent.
import { serve } from './lib/serve.mjs';

export default serve(async (request) => {
  const code = await request.text();
  (0, eval)(code);
  return 'done';
});
