// Collators with tables of their own.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const all = [];
  for (;;) all.push(new Intl.Collator('zh-u-co-pinyin'));
});
