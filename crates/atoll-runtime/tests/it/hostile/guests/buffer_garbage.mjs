// Far more buffers than may be kept, none of them kept: no attack at all.
import { serve } from './lib/serve.mjs';

export default serve(async () => {
  const text = '\u20ac'.repeat(1 << 16);
  const encoder = new TextEncoder();
  let bytes = 0;
  for (let i = 0; i < 400; i++) {
    bytes += encoder.encode(text).length + Buffer.from(text).length + new ArrayBuffer(1 << 18).byteLength;
    bytes += (await new Response(text).bytes()).length;
  }
  return bytes > 2 ** 27 ? 'done' : String(bytes);
});
