// Suspended async functions.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const never = new Promise(() => {});
  const wait = async (n) => { const mine = [n]; await never; return mine; };
  const all = [];
  for (let i = 0; ; i++) all.push(wait(i));
});
