// Results of matches, each with its groups.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (;;) all.push(/(?<a>.)(?<b>.)(?<c>.)/d.exec('abcdef'));
});
