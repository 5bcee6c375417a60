// Kills that come while natives throw.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const { createRequire } = process.getBuiltinModule('node:module');
  const require = createRequire('/app/x.js');
  for (;;) { try { require('./none'); } catch {} try { new TextDecoder('none'); } catch {} try { structuredClone(() => 1); } catch {} }
});
