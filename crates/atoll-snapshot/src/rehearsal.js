// What most workers do until they have answered a first request: (use), run while the snapshot is built, in a context that is
// thrown away. The code of all functions that are called here is in the snapshot, so no worker compiles them. What is
// added makes every isolate larger and slower to make: it must be what nearly every app does.
const url = 'http://example.test:8080/path?query=1';
const headers = ['host', 'example.test:8080', 'accept', '*/*', 'content-type', 'application/json'];

globalThis.answers = {
  'web/serve.url': () => url,
  'web/serve.headers': () => headers,
  'web/serve.bodyText': () => '{}',
  'web/serve.respond': () => globalThis.responses++,
  'web/serve.fail': (id, text) => globalThis.failures.push(text),
  'web/url.parse': (input, base, offsets) => {
    offsets.set([4, 7, 7, 7, 19, 24, 24, 29, 37]);
    return true;
  },
};
globalThis.responses = 0;
globalThis.failures = [];

const { configure, dispatch } = use('web/serve');
// The host looks these up for every worker.
use('web/timers');
use('web/report');

const { Response } = use('web/response');
const { URL } = use('web/url');
const ask = (handler, method, body) => {
  const complaint = configure({ default: { fetch: handler } }, ['NAME', 'value']);
  if (complaint !== '') throw new Error(complaint);
  dispatch(1, method, body);
};

// A text, at once; and JSON, from an async function that looks at the request.
ask(() => new Response('text'), 0, 0);
ask(async (request, env, context) => {
  const parsed = new URL(request.url);
  const seen = [request.method, parsed.pathname, parsed.searchParams.get('query'), request.headers.get('accept'), context];
  return Response.json({ seen: seen.length, name: env.NAME }, { status: 201, headers: { 'x-seen': 'yes' } });
}, 0, 0);
ask(async (request) => new Response(JSON.stringify(await request.json()), { headers: [['x-read', 'yes']] }), 1, 2);

/** Called when the promises above have settled: throws unless all went well. */
return () => {
  if (globalThis.failures.length > 0) throw new Error(globalThis.failures.join());
  if (globalThis.responses !== 3) throw new Error(`${globalThis.responses} of 3 responses`);
};
