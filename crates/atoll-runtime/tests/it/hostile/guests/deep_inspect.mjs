// An inspector that inspects its own object.
import { own, serve } from './lib/serve.mjs';

export default serve(() => {
  const { inspect } = process.getBuiltinModule('node:util');
  const deep = { [inspect.custom]() { return inspect(deep); } };
  return own(() => { throw new RangeError(inspect(deep).length); });
});
