// How often this worker has answered, and whom.
let answered = 0;

export default {
  fetch(request) {
    answered += 1;
    return new Response(`${answered} ${new URL(request.url).searchParams.get('id')}`);
  },
};
