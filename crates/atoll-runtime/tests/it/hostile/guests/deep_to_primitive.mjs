// Symbol.toPrimitive that makes headers of its own object.
import { own, serve } from './lib/serve.mjs';

export default serve(() => {
  const deep = { [Symbol.toPrimitive]() { return new Headers([['a', deep]]).get('a'); } };
  return own(() => new Headers([['a', deep]]));
});
