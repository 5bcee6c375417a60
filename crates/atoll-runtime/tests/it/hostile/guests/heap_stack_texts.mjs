// Stack texts, formatted and kept.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  Error.stackTraceLimit = Infinity;
  const all = [];
  const dig = (n) => (n === 0 ? all.push(new Error('deep').stack) : dig(n - 1) + 1);
  for (;;) dig(500);
});
