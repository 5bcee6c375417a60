// One header a hundred thousand times in a response.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const headers = new Headers();
  for (let i = 0; i < 100_000; i++) headers.append('set-cookie', `a=${i}`);
  return new Response('many', { headers });
});
