// An abort listener that aborts.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const abort = () => { const controller = new AbortController(); controller.signal.addEventListener('abort', () => abort()); controller.abort(); };
  addEventListener('error', (event) => event.preventDefault());
  abort();
  return 'own error';
});
