// Answers first, and tells the upstream afterwards.
export default {
  fetch(request, env, ctx) {
    const id = new URL(request.url).searchParams.get('id');
    const work = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const told = await fetch(`${env.UPSTREAM}/done/${id}`);
      await told.text();
    };
    ctx.waitUntil(work());
    return new Response(`later ${id}`);
  },
};
