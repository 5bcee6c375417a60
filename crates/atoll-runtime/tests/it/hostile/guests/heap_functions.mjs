// Functions of distinct source text.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (let i = 0; ; i++) all.push(new Function('a', `const x${i} = a; return () => x${i} + ${i};`));
});
