// Modules by data URL: each stays in the module map.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const more = async () => { for (let i = 0; ; i++) await import(`data:text/javascript,export default ${i};//${'x'.repeat(1000)}`); };
  return more();
});
