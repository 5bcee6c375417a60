// Registered symbols: the registry must not be another isolate's, nor grow for ever.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (let i = 0; ; i++) all.push(Symbol.for(`registered symbol number ${i}`));
});
