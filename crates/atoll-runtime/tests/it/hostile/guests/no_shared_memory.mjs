// Memory that two threads could share, and waiting on it.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const found = [];
  const attempt = (name, body) => {
    try {
      if (body() !== undefined) found.push(name);
    } catch {}
  };
  attempt('SharedArrayBuffer', () => SharedArrayBuffer);
  attempt('Worker', () => Worker);
  attempt('wait', () => Atomics.wait(new Int32Array(8), 0, 0, 1));
  attempt('waitAsync', () => Atomics.waitAsync(new Int32Array(8), 0, 0, 1));
  attempt('wait on shared memory', () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    return Atomics.wait(new Int32Array(memory.buffer), 0, 0, 1);
  });
  return found.length === 0 ? 'none' : found.join();
});
