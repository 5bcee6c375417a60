// Uses of the platform's APIs: each gives a value, or a promise of one, that another run must give again. They are made to
// run while everything that a guest can replace is replaced, so they call only what was taken before.

import assert from 'node:assert';
import { Buffer } from 'node:buffer';
import * as nodeCrypto from 'node:crypto';
import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import punycode from 'node:punycode';
import querystring from 'node:querystring';
import { StringDecoder } from 'node:string_decoder';
import * as nodeTimers from 'node:timers';
import * as nodeUrl from 'node:url';
import util from 'node:util';
import { methodsOf, taken } from './poison.mjs';

const globals = globalThis;
const {
  AbortController, AbortSignal, ArrayBuffer, Blob, DOMException, DataView, Date, Error, Float64Array, Map, RangeError, Set, Event, EventTarget, File, FormData, Headers, Promise,
  ReadableStream, ReadableStreamDefaultReader, Request, Response, TextDecoder, TextDecoderStream, TextEncoder, TransformStream, URL,
  URLSearchParams, WritableStream, WritableStreamDefaultWriter, Uint8Array, atob, btoa, clearTimeout, fetch, queueMicrotask, setImmediate,
  setInterval, clearInterval, setTimeout, structuredClone, crypto, performance,
} = globals;
const { apply } = Reflect;
const of = taken(
  AbortController, AbortSignal, Blob, Event, EventTarget, File, FormData, Headers, ReadableStream, ReadableStreamDefaultReader, Request,
  Response, TextDecoder, TextEncoder, TransformStream, URL, URLSearchParams, WritableStream, WritableStreamDefaultWriter, Buffer, EventEmitter,
  StringDecoder,
);
const bind = (object, ...names) => {
  const methods = { __proto__: null };
  for (const name of names) {
    const method = object[name];
    methods[name] = (...values) => apply(method, object, values);
  }
  return methods;
};
const headersIteratorNext = Object.getPrototypeOf(new Headers().entries()).next;
const parametersIteratorNext = Object.getPrototypeOf(new URLSearchParams().entries()).next;
const responses = bind(Response, 'json', 'redirect', 'error');
const urls = bind(URL, 'canParse', 'parse');
const signals = bind(AbortSignal, 'abort', 'any', 'timeout');
const random = bind(crypto, 'getRandomValues', 'randomUUID');
const subtle = bind(crypto.subtle, 'digest', 'importKey', 'sign', 'verify');
const clock = bind(performance, 'now', 'mark');
const streams = bind(ReadableStream, 'from');
const files = bind(fs, 'readFileSync', 'writeFileSync', 'statSync', 'readdirSync', 'existsSync', 'mkdirSync', 'rmSync', 'readFile', 'openSync', 'readSync', 'closeSync', 'appendFileSync', 'realpathSync', 'renameSync');
const laterFiles = bind(fs.promises, 'readFile', 'stat', 'writeFile', 'readdir');
const paths = bind(path, 'join', 'resolve', 'relative', 'parse', 'format', 'normalize', 'basename', 'dirname', 'extname', 'isAbsolute');
const buffers = bind(Buffer, 'from', 'alloc', 'concat', 'byteLength', 'compare', 'isBuffer');
const utils = bind(util, 'inspect', 'format', 'isDeepStrictEqual', 'promisify', 'stripVTControlCharacters', 'parseArgs');
const checks = bind(assert, 'deepStrictEqual', 'strictEqual', 'throws', 'ok');
const hashes = bind(nodeCrypto, 'createHash', 'createHmac', 'randomBytes', 'timingSafeEqual', 'randomUUID', 'randomInt');
const hash = { __proto__: null, Hash: methodsOf(nodeCrypto.createHash('sha256')), Hmac: methodsOf(nodeCrypto.createHmac('sha256', 'k')) };
const queries = bind(querystring, 'parse', 'stringify', 'escape', 'unescape');
const links = bind(nodeUrl, 'parse', 'format', 'fileURLToPath', 'pathToFileURL', 'resolve');
const domains = bind(punycode, 'toASCII', 'toUnicode', 'encode', 'decode');
const system = bind(os, 'platform', 'cpus', 'hostname', 'tmpdir');
const own = bind(process, 'nextTick', 'cwd', 'hrtime', 'uptime');
const laters = bind(nodeTimers, 'setTimeout', 'clearTimeout', 'setImmediate');

const key = await subtle.importKey('raw', new Uint8Array([1, 2, 3]), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
const bytes = new Uint8Array([104, 105, 255, 0]);
const form = () => {
  const made = new FormData();
  of.FormData.append(made, 'a', '1');
  of.FormData.append(made, 'b', new Blob(['file']), 'f.txt');
  return made;
};
const stream = (...chunks) =>
  new ReadableStream({
    __proto__: null,
    pull(controller) {
      if (chunks.length === 0) close(controller);
      else enqueue(controller, take(chunks));
    },
  }, { __proto__: null, highWaterMark: 0 });
const controllerMethods = await new Promise((resolve) => new ReadableStream({ start: (controller) => resolve(Object.getPrototypeOf(controller)) }));
const { enqueue: originalEnqueue, close: originalClose } = controllerMethods;
const shift = Array.prototype.shift;
const take = (list) => apply(shift, list, []);
const enqueue = (controller, chunk) => apply(originalEnqueue, controller, [chunk]);
const close = (controller) => apply(originalClose, controller, []);
const encoder = new TextEncoder();
const [utf8, firstHalf, secondHalf] = [[104, 195, 169], [195], [169]].map((list) => new Uint8Array(list));
const lengthOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'length').get;
const length = (array) => apply(lengthOf, array, []);
const encode = (text) => of.TextEncoder.encode(encoder, text);
const multipart = '--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--x\r\ncontent-disposition: form-data; name="b"; filename="f"\r\ncontent-type: text/plain\r\n\r\nfile\r\n--x--\r\n';

files.writeFileSync('/tmp/file.txt', 'content of a file');
files.mkdirSync('/tmp/folder');
files.writeFileSync('/tmp/folder/one', '1');

/**
 * name → { use, after, throwsOwn }. `after` turns the value into a comparable one when nothing is poisoned any more.
 * `throwsOwn` says that by its specification, or in Node.js as well, the API calls what was replaced, so that the guest's own
 * error is right, too.
 */
export const uses = {
  __proto__: null,
  'response text': { use: () => of.Response.text(new Response('h\u00e9llo')) },
  'response json': { use: () => of.Response.json(new Response('{"a":[1,{"b":null}]}')) },
  'response array buffer': { use: () => of.Response.arrayBuffer(new Response(bytes)) },
  'response bytes': { use: () => of.Response.bytes(new Response(bytes)) },
  'response blob': { use: () => of.Response.blob(new Response('blob', { __proto__: null, headers: { __proto__: null, 'content-type': 'a/b' } })), after: async (blob) => [blob.type, await blob.text()] },
  'response of blob': { use: () => of.Response.text(new Response(new Blob(['one', bytes]))), throwsOwn: true },
  'response of search parameters': { use: () => of.Response.text(new Response(new URLSearchParams('a=b&c=%20'))) },
  'response of form': { use: () => of.Response.text(new Response(form())), after: (text) => text.replace(/-{2,}[\w-]+/g, '--'), throwsOwn: true },
  'response of stream': { use: () => of.Response.text(new Response(stream(encode('one'), encode('two')))) },
  'response form, urlencoded': { use: () => of.Response.formData(new Response(new URLSearchParams('a=b&c=d'))), after: (made) => [...made] },
  'response form, multipart': { use: () => of.Response.formData(new Response(multipart, { __proto__: null, headers: { __proto__: null, 'content-type': 'multipart/form-data; boundary=x' } })), after: async (made) => [made.get('a'), made.get('b').name, await made.get('b').text()] },
  'response parts': { use: () => { const r = new Response(null, { __proto__: null, status: 404, statusText: 'none', headers: { __proto__: null, 'x-a': 'b' } }); return [of.Response.status(r), of.Response.statusText(r), of.Response.ok(r), of.Headers.get(of.Response.headers(r), 'x-a'), of.Response.body(r)]; } },
  'response clone': { use: () => { const r = new Response('twice'); const copy = of.Response.clone(r); of.Response.text(r); return of.Response.text(copy); } },
  'response json static': { use: () => of.Response.text(responses.json({ __proto__: null, a: 1 })) },
  'response redirect': { use: () => { const r = responses.redirect('http://a/b', 301); return [of.Response.status(r), of.Headers.get(of.Response.headers(r), 'location')]; } },
  'response error': { use: () => of.Response.type(responses.error()) },
  'response twice read': { use: () => { const r = new Response('x'); of.Response.text(r); return of.Response.text(r); } },
  'request parts': { use: () => { const r = new Request('http://a/b?c', { __proto__: null, method: 'post', body: 'x', headers: { __proto__: null, a: 'b' } }); return [of.Request.method(r), of.Request.url(r), of.Headers.get(of.Request.headers(r), 'a'), of.Request.bodyUsed(r)]; } },
  'request text': { use: () => of.Request.text(new Request('http://a/', { __proto__: null, method: 'POST', body: 'text' })) },
  'request clone': { use: () => of.Request.text(of.Request.clone(new Request('http://a/', { __proto__: null, method: 'PUT', body: bytes }))) },
  'headers of record': { use: () => of.Headers.get(new Headers({ __proto__: null, A: '1', b: '2' }), 'a') },
  'headers of pairs': { use: () => of.Headers.get(new Headers([['A', '1']]), 'a'), throwsOwn: true },
  'headers changed': { use: () => { const h = new Headers(); of.Headers.append(h, 'a', '1'); of.Headers.append(h, 'A', '2'); of.Headers.set(h, 'b', '3'); of.Headers.delete(h, 'c'); of.Headers.append(h, 'set-cookie', 'x'); of.Headers.append(h, 'set-cookie', 'y'); return [of.Headers.get(h, 'a'), of.Headers.has(h, 'b'), of.Headers.getSetCookie(h)]; } },
  'headers iterated': { use: () => { const i = of.Headers.entries(new Headers({ __proto__: null, b: '2', a: '1' })); return [apply(headersIteratorNext, i, []), apply(headersIteratorNext, i, []), apply(headersIteratorNext, i, [])]; } },
  'headers refused': { use: () => new Headers({ __proto__: null, 'a b': 'c' }) },
  'url parsed': { use: () => { const u = new URL('../x?a=b#c', 'http://user:pw@h\u00f6st:81/d/e'); return [of.URL.href(u), of.URL.host(u), of.URL.pathname(u), of.URL.search(u), of.URL.hash(u), of.URL.origin(u), of.URL.username(u)]; } },
  'url refused': { use: () => new URL('no url') },
  'url statics': { use: () => [urls.canParse('http://a'), urls.canParse('a'), urls.parse('b') === null] },
  'url parameters': { use: () => { const u = new URL('http://a/?x=1'); of.URLSearchParams.append(of.URL.searchParams(u), 'y', '\u00e4 &'); return of.URL.href(u); } },
  'search parameters': { use: () => { const p = new URLSearchParams('b=2&a=1&b=3'); of.URLSearchParams.sort(p); of.URLSearchParams.delete(p, 'a'); of.URLSearchParams.set(p, 'c', 4); return [of.URLSearchParams.toString(p), of.URLSearchParams.getAll(p, 'b'), of.URLSearchParams.size(p)]; } },
  'search parameters of record': { use: () => of.URLSearchParams.toString(new URLSearchParams({ __proto__: null, a: 'b', c: 'd' })) },
  'search parameters iterated': { use: () => apply(parametersIteratorNext, of.URLSearchParams.entries(new URLSearchParams('a=b')), []) },
  'text encoded': { use: () => encode('h\u00e9\ud83d\ude00\ud800') },
  'text encoded into': { use: () => { const into = new Uint8Array(4); return [of.TextEncoder.encodeInto(encoder, 'h\u00e9llo', into), into]; } },
  'text decoded': { use: () => of.TextDecoder.decode(new TextDecoder(), utf8) },
  'text decoded, latin1': { use: () => of.TextDecoder.decode(new TextDecoder('latin1'), bytes) },
  'text decoded in parts': { use: () => { const d = new TextDecoder(); return of.TextDecoder.decode(d, firstHalf, { __proto__: null, stream: true }) + of.TextDecoder.decode(d, secondHalf); } },
  'text refused': { use: () => of.TextDecoder.decode(new TextDecoder('utf-8', { __proto__: null, fatal: true }), bytes) },
  'base64': { use: () => [btoa('h\u00e9'), atob('aOk=')] },
  'base64 refused': { use: () => atob('?') },
  'clone of plain values': { use: () => structuredClone({ __proto__: null, a: [1, 'x', null, undefined, 2n], b: new Date(0), c: /x/gi }) },
  'clone of collections': { use: () => structuredClone(new Map([['a', new Set([1, { b: 2 }])]])), after: (map) => [...map].map(([k, v]) => [k, [...v]]), throwsOwn: true },
  'clone of buffers': { use: () => structuredClone([bytes, new DataView(new ArrayBuffer(2)), new Float64Array(1)]), after: ([a, b, c]) => [a, b.byteLength, c[0]] },
  'clone of errors': { use: () => structuredClone(new RangeError('r', { __proto__: null, cause: 1 })), after: (e) => [e.name, e.message, e.cause] },
  'clone of itself': { use: () => { const a = { __proto__: null }; a.a = a; return structuredClone(a); }, after: (a) => a.a === a },
  'clone refused': { use: () => structuredClone(() => 1), after: (e) => e.name },
  'digest': { use: () => subtle.digest('SHA-256', bytes) },
  'digest of object': { use: () => subtle.digest({ __proto__: null, name: 'sha-1' }, bytes) },
  'hmac': { use: () => subtle.sign('HMAC', key, bytes) },
  'digest refused': { use: () => subtle.digest('MD5', bytes) },
  'random': { use: () => [length(random.getRandomValues(new Uint8Array(5))), random.randomUUID().length] },
  'fetch of data': { use: () => fetch('data:text/plain,h%C3%A9'), after: (r) => r.text() },
  'fetch refused by rule': { use: () => fetch('http://10.1.2.3/') },
  'fetch refused by scheme': { use: () => fetch('ftp://a/') },
  'timeout': { use: () => new Promise((resolve) => setTimeout(resolve, 1, 'due')) },
  'timeout cleared': { use: () => new Promise((resolve) => { clearTimeout(setTimeout(resolve, 0, 'not cleared')); setTimeout(resolve, 2, 'cleared'); }) },
  'interval': { use: () => new Promise((resolve) => { let count = 0; const id = setInterval(() => { if (++count === 3) { clearInterval(id); resolve(count); } }, 1); }) },
  'immediate': { use: () => new Promise((resolve) => setImmediate(resolve, 'at once')) },
  'microtask': { use: () => new Promise((resolve) => queueMicrotask(() => resolve('soon'))) },
  'signal aborted': { use: () => { const c = new AbortController(); let seen = 0; const signal = of.AbortController.signal(c); of.EventTarget.addEventListener(signal, 'abort', () => seen++); of.AbortController.abort(c, 'why'); return [seen, of.AbortSignal.aborted(signal), of.AbortSignal.reason(signal)]; } },
  'signal static': { use: () => of.AbortSignal.reason(signals.abort()), after: (reason) => [reason.name, reason.message] },
  'event dispatched': { use: () => { const t = new EventTarget(); const seen = { __proto__: null, count: 0 }; of.EventTarget.addEventListener(t, 'x', { __proto__: null, handleEvent(event) { seen.count++; seen.type = of.Event.type(event); seen.target = of.Event.target(event) === t; } }, { __proto__: null, once: true }); of.EventTarget.dispatchEvent(t, new Event('x')); of.EventTarget.dispatchEvent(t, new Event('x')); return seen; } },
  'blob': { use: () => of.Blob.text(of.Blob.slice(new Blob(['h\u00e9llo', bytes]), 1, 5)), throwsOwn: true },
  'file': { use: () => { const f = new File(['x'], 'n', { __proto__: null, type: 'A/B', lastModified: 7 }); return [of.File.name(f), of.Blob.type(f), of.Blob.size(f)]; }, throwsOwn: true },
  'form data': { use: () => { const f = form(); of.FormData.set(f, 'a', '2'); return [of.FormData.get(f, 'a'), of.FormData.has(f, 'b'), of.FormData.getAll(f, 'a')]; }, throwsOwn: true },
  'stream read': { use: () => { const r = of.ReadableStream.getReader(stream('a', 'b')); of.ReadableStreamDefaultReader.read(r); return of.ReadableStreamDefaultReader.read(r); } },
  'stream ended': { use: () => of.ReadableStreamDefaultReader.read(of.ReadableStream.getReader(stream())) },
  'stream teed': { use: () => of.ReadableStreamDefaultReader.read(of.ReadableStream.getReader(of.ReadableStream.tee(stream('a'))[1])) },
  'stream cancelled': { use: () => of.ReadableStream.cancel(stream('a'), 'why') },
  'stream piped': { use: () => { const seen = []; const sink = new WritableStream({ __proto__: null, write(chunk) { seen[0] = chunk; } }); return new Promise((resolve) => { of.ReadableStream.pipeTo(stream('a'), sink); setTimeout(() => resolve(seen), 20); }); } },
  'stream transformed': { use: () => of.ReadableStreamDefaultReader.read(of.ReadableStream.getReader(of.ReadableStream.pipeThrough(stream('a'), new TransformStream()))), throwsOwn: true },
  'stream decoded': { use: () => of.ReadableStreamDefaultReader.read(of.ReadableStream.getReader(of.ReadableStream.pipeThrough(stream(bytes), new TextDecoderStream('latin1')))), throwsOwn: true },
  'stream of iterable': { use: () => of.ReadableStreamDefaultReader.read(of.ReadableStream.getReader(streams.from(['a']))), throwsOwn: true },
  'stream written': { use: () => of.WritableStreamDefaultWriter.close(of.WritableStream.getWriter(new WritableStream())) },
  'exception': { use: () => new DOMException('m', 'AbortError'), after: (e) => [e.name, e.message, e.code, e.stack.includes('at ')] },
  'clock': { use: () => clock.now() >= 0 },
  'file read': { use: () => [files.readFileSync('/tmp/file.txt', 'utf8'), files.readFileSync('/tmp/file.txt')] },
  'file written': { use: () => { files.writeFileSync('/tmp/new', 'n'); files.appendFileSync('/tmp/new', bytes); const read = files.readFileSync('/tmp/new'); files.rmSync('/tmp/new'); return [read, files.existsSync('/tmp/new')]; } },
  'file status': { use: () => { const { size, mode } = files.statSync('/tmp/file.txt'); return [size, mode]; } },
  'file missing': { use: () => files.readFileSync('/none'), after: (e) => [e.code, e.errno, e.syscall, e.path, e.message] },
  'directory read': { use: () => files.readdirSync('/tmp/folder') },
  'file by descriptor': { use: () => { const fd = files.openSync('/tmp/file.txt', 'r'); const into = new Uint8Array(4); const n = files.readSync(fd, into, 0, 4, 3); files.closeSync(fd); return [n, into]; } },
  'file read later': { use: () => laterFiles.readFile('/tmp/file.txt', 'utf8') },
  'file missing later': { use: () => laterFiles.readFile('/none'), after: (e) => [e.code, e.path] },
  'directory read later': { use: () => laterFiles.readdir('/tmp/folder') },
  'file read by callback': { use: () => new Promise((resolve) => files.readFile('/tmp/file.txt', 'utf8', (error, text) => resolve([error, text]))) },
  'paths': { use: () => [paths.join('/a', '../b', './c'), paths.resolve('x', '..', 'y'), paths.relative('/a/b/c', '/a/d'), paths.parse('/a/b.c'), paths.normalize('/a//b/../c/'), paths.basename('/a/b.c', '.c'), paths.extname('x.tar.gz')], throwsOwn: true },
  'buffer made': { use: () => [buffers.from('h\u00e9'), buffers.from('aGk=', 'base64'), buffers.from('6869', 'hex'), buffers.alloc(3, 'ab'), buffers.byteLength('h\u00e9')] },
  'buffers joined': { use: () => buffers.concat([bytes, bytes]) },
  'buffer read': { use: () => { const b = buffers.from(bytes); return [of.Buffer.toString(b, 'hex'), of.Buffer.toString(b, 'base64'), of.Buffer.readUInt16BE(b, 0), of.Buffer.indexOf(b, 'i'), of.Buffer.equals(b, bytes)]; } },
  'buffer written': { use: () => { const b = buffers.alloc(8); of.Buffer.write(b, 'h\u00e9', 1); of.Buffer.writeUInt32LE(b, 5, 4); return b; } },
  'inspected': { use: () => utils.inspect({ __proto__: null, a: [1, 'x', new Date(0)], b: new Uint8Array(2), c: () => 1, d: { __proto__: null, e: { __proto__: null, f: { __proto__: null } } } }), throwsOwn: true },
  'formatted': { use: () => utils.format('%s %d %j', 'a', 1, { __proto__: null, a: 1 }) },
  'compared': { use: () => [utils.isDeepStrictEqual([1, { __proto__: null, a: bytes }], [1, { __proto__: null, a: new Uint8Array(bytes) }]), utils.isDeepStrictEqual([1], [2])], throwsOwn: true },
  'asserted': { use: () => checks.deepStrictEqual([1], [2]), after: (e) => e.code },
  'emitted': { use: () => { const e = new EventEmitter(); const seen = { __proto__: null, count: 0 }; of.EventEmitter.on(e, 'x', (a) => { seen.count += a; }); of.EventEmitter.once(e, 'x', (a) => { seen.count += a; }); of.EventEmitter.emit(e, 'x', 1); of.EventEmitter.emit(e, 'x', 10); return [seen.count, of.EventEmitter.listenerCount(e, 'x')]; }, throwsOwn: true },
  'tick': { use: () => new Promise((resolve) => own.nextTick(resolve, 'tick')) },
  'process': { use: () => [own.cwd(), process.env.GREETING, process.platform] },
  'query parsed': { use: () => queries.parse('a=b&c=%20d&a=e'), after: (q) => ({ ...q }) },
  'query made': { use: () => queries.stringify({ __proto__: null, a: ['b', 'c'], d: '\u00e4' }), throwsOwn: true },
  'legacy url': { use: () => [links.parse('http://u@h:1/p?q#f').href, links.fileURLToPath('file:///a%20b'), links.resolve('/a/b', '../c')], throwsOwn: true },
  'domain': { use: () => [domains.toASCII('m\u00e4nner.de'), domains.toUnicode('xn--mnner-bua.de')] },
  'string decoder': { use: () => { const d = new StringDecoder('utf8'); return [of.StringDecoder.write(d, firstHalf), of.StringDecoder.write(d, secondHalf), of.StringDecoder.end(d)]; } },
  'hashed': { use: () => { const h = hashes.createHash('sha256'); hash.Hash.update(h, 'abc'); return hash.Hash.digest(h, 'hex'); } },
  'hashed with key': { use: () => { const h = hashes.createHmac('sha1', 'key'); hash.Hmac.update(h, bytes); return hash.Hmac.digest(h, 'base64'); } },
  'random of node': { use: () => [length(hashes.randomBytes(4)), hashes.randomUUID().length, hashes.timingSafeEqual(bytes, bytes)] },
  'system': { use: () => [system.platform(), system.tmpdir()] },
  'timers of node': { use: () => new Promise((resolve) => laters.setTimeout(resolve, 1, 'due')) },
  'error with stack': { use: () => new Error('m').stack, after: (stack) => stack.split('\n')[0] },
};
