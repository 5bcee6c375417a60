// Header fields without an end.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const headers = new Headers();
  for (let i = 0; ; i++) headers.append(`x-${i}`, 'v'.repeat(100));
});
