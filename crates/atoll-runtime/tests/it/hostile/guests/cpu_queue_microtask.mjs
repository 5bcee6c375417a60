// queueMicrotask without an end.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const next = () => queueMicrotask(next);
  next();
  return new Promise(() => {});
});
