// Buffers moved to larger ones.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  let one = new ArrayBuffer(1 << 16);
  for (;;) one = one.transfer(one.byteLength * 2);
});
