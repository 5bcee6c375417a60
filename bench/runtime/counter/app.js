// How often this worker has answered: what a worker that was evicted in between has forgotten.
let answered = 0;

export default {
  fetch() {
    answered += 1;
    return new Response(String(answered));
  },
};
