// Values that are compared with themselves by a getter.
import { own, serve } from './lib/serve.mjs';

export default serve(() => {
  const { isDeepStrictEqual } = process.getBuiltinModule('node:util');
  const deep = () => ({ get a() { return isDeepStrictEqual(deep(), deep()); } });
  return own(() => { if (isDeepStrictEqual(deep(), deep())) throw new RangeError(); });
});
