// The longest strings there are, given to every API that takes text.
import { serve } from './lib/serve.mjs';

export default serve(async (request) => {
  const long = 'x'.repeat(2 ** 29 - 24);
  const fs = process.getBuiltinModule('node:fs');
  const path = process.getBuiltinModule('node:path');
  for (const use of [() => new URL(long), () => URL.canParse(long), () => atob(long), () => new Headers([[long, 'a']]), () => fs.existsSync(long), () => path.normalize(long), () => new TextEncoder().encode(long), () => Buffer.from(long), () => new Request(long), () => crypto.subtle.digest(long, new Uint8Array()), () => import(long), () => new TextDecoder(long), () => console.log(long), () => structuredClone(long), () => new Blob([long]), () => new Error(long).stack]) { try { await use(); } catch {} } return 'survived';
});
