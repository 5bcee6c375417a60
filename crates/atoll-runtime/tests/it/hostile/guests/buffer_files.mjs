// Files read again and again.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const fs = process.getBuiltinModule('node:fs');
  fs.writeFileSync('/tmp/big', 'x'.repeat(1 << 20));
  const all = [];
  for (;;) all.push(fs.readFileSync('/tmp/big'));
});
