// Sends the body back while it comes.
export default {
  fetch(request) {
    const headers = { 'x-id': new URL(request.url).searchParams.get('id') };
    return new Response(request.body?.pipeThrough(new TransformStream()), { headers });
  },
};
