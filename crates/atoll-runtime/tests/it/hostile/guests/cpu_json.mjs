// JSON there and back.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const graph = Array.from({ length: 1e4 }, (_, i) => ({ i }));
  for (;;) JSON.parse(JSON.stringify(graph));
});
