// Bodies read to buffers.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  const text = 'x'.repeat(1 << 18);
  const more = async () => { for (;;) all.push(await new Response(text).arrayBuffer()); };
  return more();
});
