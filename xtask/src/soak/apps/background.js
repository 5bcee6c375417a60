// Answers, and never stops to compute afterwards.
export default {
  fetch(request, env, ctx) {
    const compute = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      for (;;);
    };
    ctx.waitUntil(compute());
    return new Response(`background ${new URL(request.url).searchParams.get('id')}`);
  },
};
