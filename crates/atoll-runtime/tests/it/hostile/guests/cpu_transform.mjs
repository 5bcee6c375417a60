// A transform that makes two of each chunk.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return (async () => { const { readable, writable } = new TransformStream({ transform() { for (;;) {} } }); writable.getWriter().write(1); await readable.getReader().read(); })();
});
