// Answers, or fills its heap.
export default {
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const kept = [];
    while (pathname === '/abuse') kept.push(new Array(100).fill(kept.length));
    return new Response(`heap ${searchParams.get('id')}`);
  },
};
