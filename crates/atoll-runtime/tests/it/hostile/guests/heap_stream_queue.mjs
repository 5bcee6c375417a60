// A stream into which nobody looks.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const stream = new ReadableStream({ start(controller) { for (;;) controller.enqueue({ a: [1] }); } });
  return String(stream);
});
