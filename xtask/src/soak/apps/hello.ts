// The smallest app, in TypeScript.
export default {
  fetch(request: Request): Response {
    return new Response(`hello ${new URL(request.url).searchParams.get('id')}`);
  },
};
