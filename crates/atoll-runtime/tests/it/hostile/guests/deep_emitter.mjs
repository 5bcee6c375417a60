// An emitter whose listener emits.
import { own, serve } from './lib/serve.mjs';

export default serve(() => {
  const { EventEmitter } = process.getBuiltinModule('node:events');
  const emitter = new EventEmitter();
  emitter.on('x', () => emitter.emit('x'));
  return own(() => emitter.emit('x'));
});
