// URLs without an end.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  for (let i = 0; ; i++) new URL(`http://host/${i}`);
});
