// Memory that two threads could share, and waiting on it.
import { serve } from './lib/serve.mjs';

export default serve(async () => {
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
  attempt('shared memory', () => new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));
  // A module with a shared memory, exported; it is caught where the engine hands it out.
  const shared = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 5, 4, 1, 3, 1, 2, 7, 5, 1, 1, 109, 2, 0]);
  attempt('module', () => new WebAssembly.Module(shared));
  attempt('valid', () => WebAssembly.validate(shared) || undefined);
  attempt('streaming', () => WebAssembly.compileStreaming ?? WebAssembly.instantiateStreaming);
  let caught;
  Object.defineProperty(WebAssembly.Module.prototype, 'then', { configurable: true, get() { caught = this; } });
  for (const start of [WebAssembly.compile, WebAssembly.instantiate]) {
    caught = undefined;
    await start(shared).then(() => found.push(start.name), () => {});
    attempt('instance', () => new WebAssembly.Instance(caught));
    await WebAssembly.instantiate(caught).then(() => found.push('instantiated'), () => {});
  }
  if (caught === undefined) found.push('nothing was caught: is this still an attack?');
  return found.length === 0 ? 'none' : found.join();
});
