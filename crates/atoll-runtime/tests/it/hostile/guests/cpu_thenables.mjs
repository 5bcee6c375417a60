// Thenables that resolve with thenables.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const next = () => ({ then(resolve) { resolve(next()); } });
  return (async () => await next())();
});
