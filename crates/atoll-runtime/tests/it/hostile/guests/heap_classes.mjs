// Classes by evaluation: each has maps, names and feedback.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (let i = 0; ; i++) all.push((0, eval)(`(class C${i} { a${i} = 1; static b${i}() {} get c() { return ${i}; } })`));
});
