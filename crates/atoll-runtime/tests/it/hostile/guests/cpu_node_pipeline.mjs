// The same, through a pipeline of all kinds of parts.
import { PassThrough, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { serve } from './lib/serve.mjs';

export default serve(() => pipeline(
  (function* () { for (;;) yield 'x'; })(),
  new PassThrough(),
  async function* (chunks) { for await (const chunk of chunks) yield chunk; },
  new Writable({ write: (chunk, _, callback) => callback() }),
));
