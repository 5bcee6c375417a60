// A Node stream that never runs dry, and is read as fast as it is filled.
import { Readable } from 'node:stream';
import { serve } from './lib/serve.mjs';

export default serve(() => {
  new Readable({ read() { this.push('x'); } }).resume();
  return new Promise(() => {});
});
