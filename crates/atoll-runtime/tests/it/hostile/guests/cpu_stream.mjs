// A stream whose source never runs dry.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return (async () => { for await (const chunk of new ReadableStream({ pull(controller) { controller.enqueue(1); } })); })();
});
