// A body that never comes, of a response that is never sent.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  return (async () => (await new Response(new ReadableStream({ pull: () => new Promise(() => {}) })).text()))();
});
