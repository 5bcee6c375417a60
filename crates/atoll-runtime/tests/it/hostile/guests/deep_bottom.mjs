// Every API called at the very end of the stack.
import { serve } from './lib/serve.mjs';

export default serve(async (request) => {
  const { inspect } = process.getBuiltinModule('node:util');
  const fs = process.getBuiltinModule('node:fs');
  const uses = [
    () => new Response('x').text(),
    () => new URL('http://a/b'),
    () => structuredClone({ a: [1] }),
    () => new Headers({ a: 'b' }).get('a'),
    () => atob('?'),
    () => fs.readFileSync('/none'),
    () => fs.readFileSync('/app/deep_bottom.mjs'),
    () => inspect({ a: [1] }),
    () => setTimeout(() => {}, 1),
    () => new TextEncoder().encode('x'),
    () => new ReadableStream({ start(controller) { controller.close(); } }).getReader().read(),
    () => new Error('x').stack,
    () => crypto.randomUUID(),
    () => Buffer.from('x'),
    () => process.nextTick(() => {}),
    () => queueMicrotask(() => {}),
    () => fetch('http://10.0.0.1/').catch(() => {}),
    () => new Blob(['x']),
    () => new EventTarget().dispatchEvent(new Event('x')),
    () => AbortSignal.timeout(1),
    () => console.log('x'),
    () => import('node:path').catch(() => {}),
  ];
  for (const use of uses) {
    let tries = 0;
    const dig = () => {
      try {
        dig();
      } catch {
        // The frames nearest to the end of the stack each try, with a little more room than the one before.
        if (tries++ < 300) {
          try {
            use();
          } catch {}
        }
      }
    };
    dig();
  }
  for (const use of uses) {
    try {
      await use();
    } catch {}
  }
  return 'own error';
});
