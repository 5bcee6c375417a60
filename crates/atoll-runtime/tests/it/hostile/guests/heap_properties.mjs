// One object with ever more names.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = {};
  for (let i = 0; ; i++) all[`k${i}`] = { i };
});
