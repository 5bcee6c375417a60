// Answers, or ends itself.
import process from 'node:process';

export default {
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/abuse') process.exit(3);
    return new Response(`exit ${searchParams.get('id')}`);
  },
};
