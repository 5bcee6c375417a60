// The app next door: its count tells that its worker was never replaced.
let count = 0;
export default {
  async fetch(request, env) {
    count++;
    const { text } = JSON.parse(JSON.stringify({ text: ['quiet', count, env.GREETING] }));
    return new Response(await new Response(text.join(' ')).text());
  },
};
