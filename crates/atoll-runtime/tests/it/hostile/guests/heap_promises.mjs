// Promises that wait for each other.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [new Promise(() => {})];
  for (let i = 0; ; i++) all.push(all[i].then(() => all));
});
