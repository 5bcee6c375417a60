// Segmenters over a text each.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (let i = 0; ; i++) all.push(new Intl.Segmenter('th', { granularity: 'word' }).segment(`\u0e01${i}`)[Symbol.iterator]());
});
