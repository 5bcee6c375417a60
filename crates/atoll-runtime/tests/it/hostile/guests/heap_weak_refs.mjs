// WeakRefs in one turn: their targets are kept until it ends.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (;;) all.push(new WeakRef({}));
});
