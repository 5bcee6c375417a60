// toString that makes a URL of its own object.
import { own, serve } from './lib/serve.mjs';

export default serve(() => {
  const deep = { toString() { return String(new URL(deep)); } };
  return own(() => new URL(deep));
});
