// Answers, or with more than its limits admit.
export default {
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/abuse') {
      if (searchParams.get('how') === '0') return new Response('x'.repeat(3 << 20));
      return new Response('short', { headers: { 'x-long': 'x'.repeat(100_000) } });
    }
    return new Response(`large ${searchParams.get('id')}`);
  },
};
