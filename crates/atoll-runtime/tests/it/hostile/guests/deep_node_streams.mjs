// Node streams piped through each other, and one that reads itself.
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { serve } from './lib/serve.mjs';

export default serve(async () => {
  const itself = new Readable({ read() { this.read(); this.push('x'); } });
  const deep = new Readable({ objectMode: true, read() {} });
  const onData = () => deep.emit('data', 1);
  deep.on('data', onData);
  let error;
  try {
    deep.emit('data', 1);
  } catch (thrown) {
    error = thrown;
  }
  itself.read();
  let stream = Readable.from([error instanceof RangeError ? 'own error' : 'no error']);
  for (let i = 0; i < 300; i++) stream = stream.pipe(new PassThrough());
  return text(stream);
});
