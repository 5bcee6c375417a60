// Looks for natives and for what builtins share with each other: on everything that can be reached, in what callbacks
// get, in errors and in their call sites.
import { serve } from './lib/serve.mjs';
import { isInternal, load, walk } from './lib/poison.mjs';

const found = new Map();
const extra = [];

/** Whatever the platform hands to guest code. */
function received(label, receiver, values) {
  extra.push([`this of ${label}`, receiver], ...[...values].map((value, index) => [`argument ${index} of ${label}`, value]));
}

function spy(label) {
  return new Proxy(function () {}, {
    apply: (target, receiver, values) => { received(label, receiver, values); },
    construct: (target, values) => { received(label, undefined, values); return {}; },
    get: (target, key, receiver) => { received(`get ${String(key)} of ${label}`, receiver, []); return Reflect.get(target, key); },
  });
}

// Sloppy functions may ask who called them.
const sloppy = new Function('received', 'label', `return function callback() {
  received(label, this, arguments);
  try { received(label + ' caller', callback.caller, []); } catch {}
  try { received(label + ' arguments', undefined, callback.arguments ?? []); } catch {}
  try { received(label + ' callee', arguments.callee.caller, []); } catch {}
}`);
const callback = (label) => sloppy(received, label);

async function collect() {
  const sites = new Set();
  Error.stackTraceLimit = 200;
  Error.prepareStackTrace = (error, shown) => { for (const site of shown) sites.add(site); extra.push(['call sites', shown], ['error', error]); return ''; };
  const attempts = [
    () => new URL('no'), () => structuredClone(() => 1), () => new Headers({ 'a b': 'c' }), () => atob('?'), () => new TextDecoder('x'),
    () => process.getBuiltinModule('node:fs').readFileSync('/none'), () => process.getBuiltinModule('node:path').join(1), () => Buffer.alloc(-1),
    () => new Request('x'), () => new Response('x', { status: 1 }), () => crypto.getRandomValues(1), () => fetch('x'), () => fetch('http://10.0.0.1/'),
    () => import('./none.mjs'), () => import('node:none'), () => import.meta.resolve('none'), () => process.getBuiltinModule('node:module').createRequire('/app/x')('./none'),
    () => crypto.subtle.digest('x', new Uint8Array()), () => setTimeout(1), () => queueMicrotask(1), () => new Blob(1), () => new Event(), () => Response.json(1n),
    () => new ReadableStream({ start() { throw new Error('start'); } }), () => new URLSearchParams([[1]]), () => process.chdir?.('/x'), () => process.exit('x'),
    () => structuredClone({ get a() { throw new Error('in a getter'); } }), () => [3, 2, 1].sort(() => { throw new Error('in sort'); }),
    () => new URL({ toString() { throw new Error('in toString'); } }), () => new Headers({ a: { toString() { throw new Error('in toString'); } } }),
    () => process.getBuiltinModule('node:util').inspect({ [Symbol.for('nodejs.util.inspect.custom')](...values) { received('inspect.custom', this, values); throw new Error('in inspect'); } }),
    () => performance.measure('x', 'none'), () => process.getBuiltinModule('node:events').once(1), () => process.getBuiltinModule('node:assert').ok(false),
  ];
  for (const attempt of attempts) {
    try {
      await attempt();
    } catch (error) {
      extra.push(['an error', error]);
      if (typeof error === 'object' && error !== null) void error.stack;
    }
  }
  for (const site of sites) {
    for (const method of ['getThis', 'getFunction', 'getTypeName', 'getEvalOrigin', 'getPromiseIndex']) {
      try {
        extra.push([`${method} of a call site`, site[method]()]);
      } catch {}
    }
  }
  Error.prepareStackTrace = undefined;
}

async function callBacks() {
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  setTimeout(callback('setTimeout'), 0);
  setInterval(callback('setInterval'), 1);
  setImmediate(callback('setImmediate'));
  queueMicrotask(callback('queueMicrotask'));
  process.nextTick(callback('nextTick'), 1);
  const target = new EventTarget();
  target.addEventListener('x', callback('listener'));
  target.addEventListener('x', { handleEvent: callback('handleEvent') });
  target.dispatchEvent(new Event('x'));
  const controller = new AbortController();
  controller.signal.onabort = callback('onabort');
  controller.abort();
  new ReadableStream({ start: callback('start'), pull: callback('pull'), cancel: callback('cancel') }).cancel();
  const transformed = new TransformStream({ start: callback('transform start'), transform: callback('transform'), flush: callback('flush') });
  const writer = transformed.writable.getWriter();
  writer.write(1);
  writer.close();
  transformed.readable.getReader().read();
  const written = new WritableStream({ start: callback('sink start'), write: callback('write'), close: callback('close'), abort: callback('abort') }, { size: callback('size') }).getWriter();
  written.write(1);
  written.close();
  new Headers([['a', 'b']]).forEach(callback('forEach of headers'));
  new URLSearchParams('a=b').forEach(callback('forEach of parameters'));
  const { EventEmitter } = process.getBuiltinModule('node:events');
  const emitter = new EventEmitter();
  emitter.on('newListener', callback('newListener'));
  emitter.on('x', callback('emitter'));
  emitter.emit('x', 1);
  const fs = process.getBuiltinModule('node:fs');
  fs.readFile('/none', callback('readFile'));
  fs.stat('/app', callback('stat'));
  process.on('exit', callback('exit'));
  process.getBuiltinModule('node:util').promisify(callback('promisified'))(1).catch?.(() => {});
  structuredClone({ get a() { return callback('getter of a clone').call(this); } });
  JSON.stringify({ toJSON: callback('toJSON') });
  process.getBuiltinModule('node:util').inspect({ [Symbol.for('nodejs.util.inspect.custom')]: callback('custom') });
  for (const make of [(x) => new Headers(x), (x) => new Response(x), (x) => new Blob(x), (x) => new URL(x), (x) => new Request(x), (x) => structuredClone(x), (x) => Buffer.from(x), (x) => new URLSearchParams(x), (x) => new ReadableStream(x), (x) => console.log(x), (x) => Promise.resolve(x)]) {
    try {
      await make(spy('something passed in'));
    } catch {}
  }
  await wait(30);
}

/** A chain of Node's streams, with all that they keep of each other. */
function piped() {
  const { Duplex, PassThrough, Readable, finished, pipeline } = process.getBuiltinModule('node:stream');
  const stream = new PassThrough();
  const source = Readable.from(['x']).map(callback('map'));
  const part = async function* (chunks, options) { received('a part', this, [chunks, options]); yield* chunks; };
  pipeline(source, Duplex.from(part), stream, callback('pipeline'));
  finished(stream, callback('finished'));
  stream.on('readable', callback('readable'));
  stream.write('y', callback('written'));
  return [stream, source, stream[Symbol.asyncIterator](), Readable.toWeb(new Readable({ read: callback('_read') }))];
}

export default serve(async (request) => {
  const table = JSON.parse(await request.text());
  await collect();
  const modules = await load();
  await callBacks();
  const instances = [
    ['request', request], ['response', new Response('x')], ['headers', new Headers()], ['url', new URL('http://a')], ['blob', new Blob()], ['form', new FormData()],
    ['reader', new ReadableStream().getReader()], ['writer', new WritableStream().getWriter()], ['transform', new TransformStream()], ['byte stream', new ReadableStream({ type: 'bytes' }).getReader({ mode: 'byob' })],
    ['signal', AbortSignal.timeout(1e6)], ['encoder', new TextEncoder()], ['decoder', new TextDecoder()], ['event', new Event('x')], ['timer', setTimeout(() => {}, 1)], ['immediate', setImmediate(() => {})],
    ['buffer', Buffer.from('x')], ['stat', process.getBuiltinModule('node:fs').statSync('/app')], ['hash', process.getBuiltinModule('node:crypto').createHash('md5')], ['meta', import.meta],
    ['key', await crypto.subtle.importKey('raw', new Uint8Array(8), { name: 'HMAC', hash: 'SHA-1' }, true, ['sign'])], ['entries', new Headers({ a: 'b' }).entries()], ['async iterator', new ReadableStream().values()],
    ['require', process.getBuiltinModule('node:module').createRequire('/app/x.js')],
    ['node stream', piped()], ['lines', process.getBuiltinModule('node:readline').createInterface({ input: process.getBuiltinModule('node:fs').createReadStream('/app/reach.mjs') })],
  ];
  const keysOf = new Map(Object.entries(table).map(([name, keys]) => [keys.join(), name]));
  const seen = walk([['globalThis', globalThis], ...modules, ...instances, ...extra], (object, path) => {
    if (isInternal(object)) found.set(path, 'internal');
    if (typeof object === 'function' && object.name === 'use' && Function.prototype.toString.call(object).includes('registry')) found.set(path, 'use');
    if (typeof object === 'object' && Object.getPrototypeOf(object) === null && Object.isExtensible(object)) {
      const keys = Object.getOwnPropertyNames(object).sort().join();
      if (keysOf.has(keys) && keys.includes(',')) found.set(path, `exports of ${keysOf.get(keys)}`);
    }
  });
  if (found.size > 0) return [...found].slice(0, 20).map(([path, what]) => `${what}: ${path}`).join('\n') + ` ${found.size}`;
  return `nothing in reach of ${seen.size}`;
});
