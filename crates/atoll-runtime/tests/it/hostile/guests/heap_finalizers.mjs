// Registrations for finalization, with everything kept.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const registry = new FinalizationRegistry(() => {});
  const all = [];
  for (;;) { const target = {}; all.push(target); registry.register(target, {}, target); }
});
