// JSON text of a graph that shares one string many times.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const piece = 'x'.repeat(1 << 16);
  const graph = new Array(1 << 12).fill(piece);
  const all = [];
  for (;;) all.push(JSON.stringify(graph));
});
