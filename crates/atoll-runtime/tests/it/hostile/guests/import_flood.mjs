// Imports of modules that are not there, that fail, and of each other, by the thousand.
import { serve } from './lib/serve.mjs';

export default serve(async (request) => {
  const all = [];
  for (let i = 0; i < 3000; i++) all.push(import(`./none-${i}.mjs`), import(`data:text/javascript,throw ${i}`), import('./import_flood.mjs'), import(`./lib/serve.mjs?${i}`));
  const settled = await Promise.allSettled(all);
  return `${settled.filter(({ status }) => status === 'rejected').length} ${settled.filter(({ status }) => status === 'fulfilled').length}`;
});
