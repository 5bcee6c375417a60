// File calls without an end.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const fs = process.getBuiltinModule('node:fs');
  for (;;) fs.existsSync('/app/none');
});
