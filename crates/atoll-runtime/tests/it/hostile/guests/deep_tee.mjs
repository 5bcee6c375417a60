// Streams teed again and again.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  let stream = new Response('own error').body;
  for (let i = 0; i < 200; i++) [stream] = stream.tee();
  return new Response(stream);
});
