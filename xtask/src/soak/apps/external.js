// Answers, or goes on asking for buffers when it is refused one.
export default {
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const kept = [];
    while (pathname === '/abuse') {
      try {
        kept.push(new Uint8Array(1 << 20).fill(1));
      } catch {
        // Once more.
      }
    }
    return new Response(`external ${searchParams.get('id')}`);
  },
};
