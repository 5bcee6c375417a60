// structuredClone of a graph, kept.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const graph = new Map(Array.from({ length: 1000 }, (_, i) => [i, { i, list: [i, `${i}`] }]));
  const all = [];
  for (;;) all.push(structuredClone(graph));
});
