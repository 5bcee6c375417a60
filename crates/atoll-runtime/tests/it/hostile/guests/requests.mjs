// Keeps everything of a request in module state, and uses it from later ones.
import { serve } from './lib/serve.mjs';

const kept = {};
const settled = async (body) => {
  try {
    return `${await body()}`;
  } catch (error) {
    return error.name;
  }
};

export default serve(async (request, env, ctx) => {
  const { search } = new URL(request.url);
  switch (search) {
    case '?keep':
      // What is read lazily, and what is being read.
      Object.assign(kept, { request, ctx, signal: request.signal });
      kept.stream = new ReadableStream({ start(controller) { kept.controller = controller; } });
      return new Response(kept.stream);
    case '?body':
      return `${await settled(() => kept.request.text())} ${await request.text()}`;
    case '?headers':
      return `${kept.request.headers.get('x-secret')} ${request.headers.get('x-secret')}`;
    case '?write':
      kept.controller.enqueue(new TextEncoder().encode('into the first'));
      kept.controller.close();
      return 'second';
    case '?wait':
      kept.ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 5)));
      kept.ctx.waitUntil(Promise.reject(new Error('on behalf of the first')));
      return 'second';
    case '?signal':
      return `${kept.signal.aborted} ${request.signal.aborted}`;
    case '?reject':
      Promise.reject(new Error('of nobody'));
      setTimeout(() => { throw new Error('later, of nobody'); }, 1);
      return 'second';
    default:
      return 'nothing';
  }
});
