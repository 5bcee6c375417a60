// JSON that is small as text and large as objects.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  const text = `[${'{},'.repeat(1e5)}{}]`;
  for (;;) all.push(JSON.parse(text));
});
