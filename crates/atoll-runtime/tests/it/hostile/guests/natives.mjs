// Calls one native again and again until it is ended; `/attack?list` tells for which ones there is a way to do that.
import { createRequire } from 'node:module';
import fs from 'node:fs';
import os from 'node:os';
import util from 'node:util';
import nodeCrypto from 'node:crypto';
import nodeUrl from 'node:url';
import { serve } from './lib/serve.mjs';

const require = createRequire(import.meta.url);
const big = new Uint8Array(1 << 18).fill(0x61);
const text = 'a\u00e4'.repeat(1 << 14);
const buffer = Buffer.alloc(1 << 16, 'ab');
const keys = Promise.all([crypto.subtle.importKey('raw', new Uint8Array(16), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])]);
const decoder = new TextDecoder('utf-16le');
const encoder = new TextEncoder();
const module = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
const nobody = () => {};
const hard = (body) => {
  try {
    body();
  } catch {}
};

// What the last one left that was ended half-way.
for (const name of ['made', 'moved', 'r', 't']) fs.rmSync(`/tmp/${name}`, { recursive: true, force: true });
fs.writeFileSync('/tmp/file', big);
fs.mkdirSync('/tmp/folder/inner', { recursive: true });
const descriptor = fs.openSync('/tmp/open', 'w+');
let count = 0;

/** What makes the platform call a native, by the native's builtin and name. */
const ways = {
  'node:process': {
    environment: () => require('node:process').env.GREETING, cwd: () => process.cwd(), now: () => process.hrtime(), wantTick: () => process.nextTick(() => {}),
    write: () => process.stdout.write(''), setExitCode: () => { process.exitCode = 0; },
    stopInput: () => process.stdin.emit('pause'), chdir: () => process.chdir('/tmp'), umask: () => process.umask(0o022),
  },
  'node:crypto': {
    digest: () => nodeCrypto.createHash('sha512').update(big).digest(), hmac: () => nodeCrypto.createHmac('sha256', 'k').update(big).digest(),
    fillRandom: () => nodeCrypto.randomBytes(1 << 16), equal: () => nodeCrypto.timingSafeEqual(big, big),
  },
  'node/internal/buffer/encodings': {
    utf8Slice: () => buffer.toString(), asciiSlice: () => buffer.toString('ascii'), latin1Slice: () => buffer.toString('latin1'), hexSlice: () => buffer.toString('hex'),
    base64Slice: () => buffer.toString('base64'), base64urlSlice: () => buffer.toString('base64url'), utf8Write: () => buffer.write(text), latin1Write: () => buffer.write(text, 'latin1'),
    hexWrite: () => buffer.write('61'.repeat(1 << 14), 'hex'), base64Write: () => buffer.write('YWFh'.repeat(1 << 14), 'base64'), utf8Length: () => Buffer.byteLength(text),
    compare: () => buffer.compare(big), indexOf: () => buffer.indexOf('bba'), isUtf8: () => require('node:buffer').isUtf8(buffer), isAscii: () => require('node:buffer').isAscii(buffer),
  },
  'node/internal/fs/core': {
    access: () => fs.accessSync('/tmp/file'), chmod: () => fs.chmodSync('/tmp/file', 0o600), open: () => fs.closeSync(fs.openSync('/tmp/file')), close: () => fs.closeSync(fs.openSync('/tmp/file')),
    copyFile: () => fs.copyFileSync('/tmp/file', '/tmp/copy'), exists: () => fs.existsSync('/tmp/none'), fchmod: () => fs.fchmodSync(descriptor, 0o600), fstat: () => fs.fstatSync(descriptor),
    fsync: () => fs.fsyncSync(descriptor), ftruncate: () => fs.ftruncateSync(descriptor, count++ % 1000), futimes: () => fs.futimesSync(descriptor, 1, 1),
    link: () => { fs.rmSync('/tmp/link', { force: true }); fs.linkSync('/tmp/file', '/tmp/link'); }, makeDir: () => { fs.mkdirSync('/tmp/made'); fs.rmdirSync('/tmp/made'); },
    makeDirs: () => fs.mkdirSync('/tmp/a/b/c', { recursive: true }), read: () => fs.readSync(descriptor, buffer), readDir: () => fs.readdirSync('/tmp', { withFileTypes: true }), readFile: () => fs.readFileSync('/tmp/file'),
    readText: () => fs.readFileSync('/tmp/file', 'utf8'), readLink: () => hard(() => fs.readlinkSync('/tmp/file')), realPath: () => fs.realpathSync.native('/tmp/folder/inner/..'),
    removeDir: () => { fs.mkdirSync('/tmp/made'); fs.rmdirSync('/tmp/made'); }, removeDirAll: () => { fs.mkdirSync('/tmp/t/x/y', { recursive: true }); fs.rmdirSync('/tmp/t', { recursive: true }); },
    rename: () => { fs.renameSync('/tmp/folder', '/tmp/moved'); fs.renameSync('/tmp/moved', '/tmp/folder'); }, stat: () => fs.statSync('/tmp/file'),
    symlink: () => { fs.rmSync('/tmp/symbolic', { force: true }); fs.symlinkSync('/tmp/file', '/tmp/symbolic'); }, unlink: () => { fs.writeFileSync('/tmp/gone', ''); fs.unlinkSync('/tmp/gone'); },
    utimes: () => fs.utimesSync('/tmp/file', 1, 1), write: () => fs.writeSync(descriptor, buffer, 0, 100, 0),
    chown: () => fs.chownSync('/tmp/file', 1, 1), fchown: () => fs.fchownSync(descriptor, 1, 1), fdatasync: () => fs.fdatasyncSync(descriptor), listTree: () => fs.readdirSync('/tmp', { recursive: true }),
    makeTemporary: () => fs.rmdirSync(fs.mkdtempSync('/tmp/made-')), readNames: () => fs.readdirSync('/tmp'), readv: () => fs.readvSync(descriptor, [buffer, buffer], 0),
    remove: () => { fs.mkdirSync('/tmp/r/x/y', { recursive: true }); fs.rmSync('/tmp/r', { recursive: true }); }, statfs: () => fs.statfsSync('/tmp'), truncate: () => fs.truncateSync('/tmp/open', count++ % 1000),
    walkedPath: () => fs.realpathSync('/tmp/folder/inner/..'), writeFile: () => fs.writeFileSync('/tmp/written', text),
    writeText: () => fs.writeSync(descriptor, text, 0), writev: () => fs.writevSync(descriptor, [buffer, buffer], 0),
    openDir: () => fs.opendirSync('/tmp').closeSync(), closeDir: () => fs.opendirSync('/tmp').closeSync(),
    readDirPart: () => { const folder = fs.opendirSync('/tmp'); while (folder.readSync() !== null); folder.closeSync(); },
  },
  'node/internal/fs/later': {
    submit: () => fs.promises.stat('/tmp/file'), wait: () => fs.promises.readFile('/tmp/file'), collect: () => fs.promises.writeFile('/tmp/later', buffer),
  },
  'node/internal/fs/watch_events': {
    watch: () => fs.watch('/tmp').close(), unwatch: () => fs.watch('/tmp/file').close(), wait: () => fs.watch('/tmp/folder').close(), release: () => fs.watch('/tmp/folder').close(),
    collect: () => {
      // There may be as many watches already as a worker can have.
      hard(() => { const watcher = fs.watch('/tmp/file', nobody); setTimeout(() => watcher.close(), 1); });
      fs.writeFileSync('/tmp/file', text);
      return new Promise((resolve) => setTimeout(resolve, 1));
    },
    watchPath: () => { fs.watchFile('/tmp/file', nobody); fs.unwatchFile('/tmp/file', nobody); },
    stat: () => { fs.watchFile('/tmp/none', nobody); fs.unwatchFile('/tmp/none', nobody); },
    rewatch: () => {
      fs.watchFile('/tmp/folder/inner', nobody); fs.renameSync('/tmp/folder', '/tmp/moved'); fs.renameSync('/tmp/moved', '/tmp/folder'); fs.unwatchFile('/tmp/folder/inner', nobody);
    },
  },
  'node/internal/util/types': {
    typeTag: () => util.types.isDate(count), promiseDetails: () => util.inspect(Promise.resolve(1)), proxyDetails: () => util.inspect(new Proxy({}, {}), { showProxy: true }),
    previewEntries: () => util.inspect(new Map([[1, 2]]).entries()),
  },
  'node/internal/cjs': {
    resolve: () => hard(() => require(`./none${count++ % 9}`)), load: () => { const file = `/tmp/load${count++ % 99}.cjs`; fs.writeFileSync(file, 'module.exports = 1'); require(file); },
    text: () => { fs.writeFileSync('/tmp/data.json', '{}'); delete require.cache['/tmp/data.json']; require('/tmp/data.json'); },
    builtin: () => require('node:path'), builtinNames: () => require('node:module').builtinModules,
  },
  'node:net': { family: () => require('node:net').isIP('::1') },
  'node:os': { info: () => os.cpus() },
  'engine/imports': { resolve: () => import.meta.resolve('./natives.mjs'), fileUrl: () => import('./lib/neighbour.mjs') },
  'engine/wasm': { isShared: () => new WebAssembly.Memory({ initial: 0 }), sharesMemory: () => WebAssembly.validate(big) || WebAssembly.validate(module) },
  'engine/stack': { originalPosition: () => new Error('x').stack },
  'web/url': { parse: () => new URL('http://h\u00f6st/a?b#c'), canParse: () => URL.canParse('http://a'), set: () => { new URL('http://a').hash = '#x'; }, domainToAscii: () => nodeUrl.domainToASCII('m\u00e4.de'), domainToUnicode: () => nodeUrl.domainToUnicode('xn--m-0ga.de') },
  'web/url/search_params': { percentDecode: () => new URLSearchParams('a=%20'.repeat(100)) },
  'web/base64': { decode: () => hard(() => atob('YWFh'.repeat(1000) + '?')), encode: () => btoa('a'.repeat(1000)) },
  'web/serve': { failBehind: (request, ctx) => ctx.waitUntil(Promise.reject(1)), retain: (request, ctx) => ctx.waitUntil(1), release: (request, ctx) => ctx.waitUntil(1), headers: (request) => new Headers(request.headers), clientGone: (request) => request.signal },
  'web/timers': { now: () => clearTimeout(setTimeout(() => {}, 1)), schedule: () => clearTimeout(setTimeout(() => {}, 1)), owner: () => clearTimeout(setTimeout(() => {}, 1)) },
  'web/crypto': { fillRandom: () => crypto.getRandomValues(new Uint8Array(1 << 16)) },
  'web/crypto/subtle': {
    digest: () => crypto.subtle.digest('SHA-512', new Uint8Array(100)), digestInBackground: () => crypto.subtle.digest('SHA-512', big),
    hmac: async () => crypto.subtle.sign('HMAC', (await keys)[0], big), verifyHmac: async () => crypto.subtle.verify('HMAC', (await keys)[0], new Uint8Array(32), big),
    fillRandom: () => crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-1' }, true, ['sign']),
  },
  'web/structured-clone': { classify: () => structuredClone({ a: new Map([[1, new Date(0)]]) }), typeTag: () => hard(() => structuredClone(new WeakMap())) },
  'web/performance': { now: () => performance.now(), timeOrigin: () => performance.timeOrigin },
  'web/events': { now: () => new Event('x').timeStamp },
  'web/navigator': { userAgent: () => navigator.userAgent },
  'web/encoding': {
    encode: () => encoder.encode(text), encodeInto: () => encoder.encodeInto(text, big), decodeUtf8: () => new TextDecoder().decode(big), decodeUtf8Part: () => new TextDecoder().decode(big, { stream: true }),
    lookUp: () => new TextDecoder('sjis'), decode: () => new TextDecoder('euc-kr').decode(big), open: () => { const d = new TextDecoder('big5'); d.decode(big, { stream: true }); d.decode(); },
    decodePart: () => { const d = new TextDecoder('gbk'); d.decode(big, { stream: true }); d.decode(); }, close: () => { decoder.decode(big, { stream: true }); decoder.decode(); },
  },
  'web/console': { write: () => console.log(''), now: () => { console.time('x'); console.timeEnd('x'); } },
  'web/fetch': { open: () => void fetch('http://10.0.0.1/').catch(() => {}), start: () => void fetch('http://10.0.0.1/').catch(() => {}), cancel: () => void fetch('http://10.0.0.1/', { signal: AbortSignal.abort() }).catch(() => {}) },
};

export default serve(async (request, env, ctx) => {
  const { search } = new URL(request.url);
  if (search === '?list') return Object.entries(ways).flatMap(([builtin, natives]) => Object.keys(natives).map((native) => `${builtin} ${native}`)).join('\n');
  const [builtin, native] = decodeURIComponent(search.slice(1)).split(' ');
  const use = ways[builtin][native];
  // Every other use is awaited, so that some promises are pending and some are settled when the end comes.
  for (let round = 0; ; round++) {
    const value = use(request, ctx);
    if (value instanceof Promise && round % 2 === 0) {
      await Promise.race([value.catch(() => {}), null]);
    } else if (value instanceof Promise) {
      value.catch(() => {});
    }
  }
});
