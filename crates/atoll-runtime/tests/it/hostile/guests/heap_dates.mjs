// Formatters of Intl: each holds memory outside of the heap.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (let i = 0; ; i++) all.push(new Intl.DateTimeFormat(['de', 'ja', 'ar'][i % 3], { dateStyle: 'full', timeZone: 'Europe/Berlin' }));
});
