// A rope of small pieces: each `+` is an object of its own.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  let text = '';
  for (let i = 0; ; i++) text += String.fromCharCode(65 + (i % 26), i & 0xfff);
});
