// An error that is its own cause, and errors without an end as causes.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const error = new Error('outer');
  error.cause = error;
  const endless = () => Object.defineProperty(new Error('endless'), 'cause', { get: endless });
  Promise.reject(error);
  Promise.reject(endless());
  Promise.reject(new AggregateError([error, endless()]));
  return 'own error';
});
