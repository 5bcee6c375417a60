// Resizable buffers: their memory is not the allocator's.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (let i = 0; i < 12; i++) {
    const buffer = new ArrayBuffer(0, { maxByteLength: 1 << 26 });
    buffer.resize(1 << 26);
    new Uint8Array(buffer).fill(1);
    all.push(buffer);
  }
  return 'filled';
});
