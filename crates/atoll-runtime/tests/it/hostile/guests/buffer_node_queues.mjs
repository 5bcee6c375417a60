// Bytes that wait in Node streams.
import { Transform } from 'node:stream';
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const stream = new Transform({ transform: (chunk, _, callback) => callback(null, chunk) });
  for (;;) stream.write(new Uint8Array(1 << 18));
});
