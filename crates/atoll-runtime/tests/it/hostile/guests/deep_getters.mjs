// A getter that clones the object it is on.
import { own, serve } from './lib/serve.mjs';

export default serve(() => {
  const deep = { get a() { return structuredClone(deep); } };
  return own(() => structuredClone(deep));
});
