// Never answers: waits for what does not come, or for too long.
export default {
  fetch(request) {
    const never = new URL(request.url).searchParams.get('how') === '0';
    return new Promise((resolve) => {
      if (!never) setTimeout(() => resolve(new Response('too late')), 60_000);
    });
  },
};
