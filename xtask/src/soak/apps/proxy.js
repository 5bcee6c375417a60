// Asks the upstream, twice at the same time.
export default {
  async fetch(request, env) {
    const id = new URL(request.url).searchParams.get('id');
    const ask = async (part) => (await fetch(`${env.UPSTREAM}/echo/${id}-${part}`)).text();
    const [one, two] = await Promise.all([ask('one'), ask('two')]);
    return new Response(`${one} ${two}`);
  },
};
