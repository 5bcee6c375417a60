// Microtasks that are queued and never run.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  for (;;) queueMicrotask(() => {});
});
