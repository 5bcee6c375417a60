// An interval that a request sets and nobody clears.
import { serve } from './lib/serve.mjs';

let fired = 0;

export default serve((request) => {
  if (request.url.endsWith('?fired')) return String(fired);
  setInterval(() => fired++, 1);
  return 'set';
});
