// A buffer that no limit admits, refusals caught.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  for (;;) { try { new ArrayBuffer(2 ** 40); } catch {} }
});
