// Freezes everything in reach, as hardened environments do: whatever the platform has still to initialise must work.
import { serve } from './lib/serve.mjs';
import { walk } from './lib/poison.mjs';

export default serve(() => {
  const { freeze } = Object;
  walk([['globalThis', globalThis]], (object) => {
    if (!ArrayBuffer.isView(object)) freeze(object);
  });
  return 'done';
});
