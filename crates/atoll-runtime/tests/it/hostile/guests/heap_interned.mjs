// Property names that nobody keeps, but for the table of names.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (let i = 0; ; i++) { const o = {}; o[`a rather long property name ${i}`] = i; all.push(o); }
});
