// Strings that double and are made flat.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (let text = 'x'; ; ) { text += text.slice(0, 1e5) + all.length; all.push(JSON.parse(JSON.stringify(text))); }
});
