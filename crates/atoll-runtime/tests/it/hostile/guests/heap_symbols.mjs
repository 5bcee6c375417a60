// Symbols with descriptions, kept.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (let i = 0; ; i++) all.push(Symbol(`symbol ${i}`));
});
