// Hashing without an end.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const { createHash } = process.getBuiltinModule('node:crypto');
  const bytes = new Uint8Array(1 << 20);
  for (;;) createHash('sha512').update(bytes).digest();
});
