// Byte streams with buffers of their own.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  const more = async () => { for (;;) { const reader = new ReadableStream({ type: 'bytes', pull(c) { c.enqueue(new Uint8Array(1 << 18)); } }).getReader(); all.push(await reader.read()); } };
  return more();
});
