// Node streams into which nobody looks, and that write nothing.
import { Readable, Writable } from 'node:stream';
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const readable = new Readable({ objectMode: true, read() {} });
  const writable = new Writable({ objectMode: true, write() {} });
  for (;;) {
    readable.push({ a: [1] });
    writable.write({ a: [1] });
  }
});
