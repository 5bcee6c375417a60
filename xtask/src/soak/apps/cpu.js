// Answers, or never stops to compute.
export default {
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/abuse') for (;;);
    return new Response(`cpu ${searchParams.get('id')}`);
  },
};
