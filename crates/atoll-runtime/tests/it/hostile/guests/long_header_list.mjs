// A hundred thousand headers in a response.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const headers = new Headers();
  for (let i = 0; i < 100_000; i++) headers.append(`x-${i}`, 'v');
  return new Response('many', { headers });
});
