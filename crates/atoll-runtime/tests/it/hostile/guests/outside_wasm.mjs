// Memories of WebAssembly: theirs is not the allocator's either.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (let i = 0; i < 12; i++) {
    const memory = new WebAssembly.Memory({ initial: 1024 });
    new Uint8Array(memory.buffer).fill(1);
    all.push(memory);
  }
  return 'filled';
});
