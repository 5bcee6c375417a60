// Answers, or fails in one of the ways that there are.
export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/abuse') {
      if (searchParams.get('how') === '0') throw new Error('thrown on purpose');
      if (searchParams.get('how') === '1') return Promise.reject({ no: 'error' });
      return 'no response';
    }
    return new Response(`throw ${searchParams.get('id')}`);
  },
};
