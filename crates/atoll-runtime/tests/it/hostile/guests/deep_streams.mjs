// Streams piped through each other.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  let stream = new ReadableStream({ start(controller) { controller.enqueue(new Uint8Array([111, 119, 110, 32, 101, 114, 114, 111, 114])); controller.close(); } });
  for (let i = 0; i < 1500; i++) stream = stream.pipeThrough(new TransformStream());
  return new Response(stream);
});
