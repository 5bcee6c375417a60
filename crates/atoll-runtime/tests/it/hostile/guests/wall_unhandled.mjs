// Rejections that a listener answers with rejections.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  addEventListener('unhandledrejection', (event) => { event.preventDefault(); Promise.reject(1); });
  Promise.reject(1);
  return new Promise(() => {});
});
