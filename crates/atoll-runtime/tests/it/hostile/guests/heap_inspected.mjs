// Texts by util.inspect.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  const { inspect } = process.getBuiltinModule('node:util');
  const value = Array.from({ length: 500 }, (_, i) => ({ i, text: 'x'.repeat(100) }));
  for (;;) all.push(inspect(value, { maxArrayLength: null, maxStringLength: null }));
});
