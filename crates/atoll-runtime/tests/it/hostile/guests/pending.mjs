// Starts everything that can be pending, and computes for ever meanwhile.
import fs from 'node:fs';
import { serve } from './lib/serve.mjs';

export default serve((request, env, ctx) => {
  const reader = request.body?.getReader();
  for (let round = 0; round < 20; round++) {
    reader?.read();
    fetch('http://10.0.0.1/').catch(() => {});
    fetch('http://unreachable.invalid/', { method: 'POST', body: new ReadableStream({ pull() {} }), duplex: 'half' }).catch(() => {});
    crypto.subtle.digest('SHA-512', new Uint8Array(1 << 19));
    fs.promises.readFile('/app/pending.mjs');
    import(`data:text/javascript,export default ${round}`);
    setTimeout(() => {}, round);
    setInterval(() => {}, 1);
    setImmediate(() => {});
    process.nextTick(() => {});
    request.signal.addEventListener('abort', () => {});
    ctx.waitUntil(new Promise(() => {}));
    AbortSignal.timeout(1);
    new Response(new ReadableStream({ pull() {} })).text();
  }
  for (;;) {}
});
