// Freezes everything in reach, as hardened environments do: whatever the platform has still to initialise must work.
import { serve } from './lib/serve.mjs';
import { walk } from './lib/poison.mjs';

export default serve(() => {
  const { freeze } = Object;
  walk([['globalThis', globalThis]], (object) => {
    // As in Node.js, neither views nor the environment can be frozen.
    if (!ArrayBuffer.isView(object) && object !== process.env) freeze(object);
  });
  return 'done';
});
