// Ten thousand promises that wait when the client leaves.
import { serve } from './lib/serve.mjs';

export default serve(async (request) => {
  const all = [];
  for (let i = 0; i < 10_000; i++) {
    const waiting = new Promise(() => {});
    request.signal.addEventListener('abort', () => waiting);
    all.push(waiting.then(() => i), new Array(100).fill(i));
  }
  await Promise.all(all);
  return String(all.length);
});
