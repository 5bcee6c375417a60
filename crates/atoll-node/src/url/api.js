// node:url: the URL classes of the platform, file URLs, and the legacy functions of legacy.js.
const {
  Boolean,
  FunctionPrototypeCall,
  Number,
  ObjectDefineProperty,
  ObjectKeys,
  RegExpPrototypeExec,
  StringPrototypeCharCodeAt,
  StringPrototypeEndsWith,
  StringPrototypeReplaceAll,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  decodeURIComponent,
} = primordials;
const {
  ERR_INVALID_ARG_TYPE,
  ERR_INVALID_ARG_VALUE,
  ERR_INVALID_FILE_URL_HOST,
  ERR_INVALID_FILE_URL_PATH,
  ERR_INVALID_URL_SCHEME,
} = use('node/internal/errors');
const { validateObject, validateString } = use('node/internal/validators');
const platform = use('web/url');
const { URL } = platform;
const { URLSearchParams } = use('web/url/search_params');
const { Url, urlParse } = use('node/internal/url/legacy');

/** Whether a value is a URL object, of whatever implementation, and not a legacy one. */
function isURL(value) {
  return Boolean(value?.href && value.protocol && value.auth === undefined && value.path === undefined);
}

function pathOfWindows(url) {
  let { hostname, pathname } = url;
  if (RegExpPrototypeExec(/%2f|%5c/i, pathname) !== null)
    throw ERR_INVALID_FILE_URL_PATH('must not include encoded \\ or / characters');
  pathname = decodeURIComponent(StringPrototypeReplaceAll(pathname, '/', '\\'));
  if (hostname !== '') return `\\\\${domainToUnicode(hostname)}${pathname}`;
  const letter = StringPrototypeCharCodeAt(pathname, 1) | 32;
  if (letter < 97 || letter > 122 || pathname[2] !== ':') throw ERR_INVALID_FILE_URL_PATH('must be absolute');
  return StringPrototypeSlice(pathname, 1);
}

function fileURLToPath(path, options = undefined) {
  const url = typeof path === 'string' ? new URL(path) : path;
  if (!isURL(url)) throw ERR_INVALID_ARG_TYPE('path', ['string', 'URL'], path);
  if (url.protocol !== 'file:') throw ERR_INVALID_URL_SCHEME('file');
  if (options?.windows) return pathOfWindows(url);
  if (url.hostname !== '') throw ERR_INVALID_FILE_URL_HOST('linux');
  if (RegExpPrototypeExec(/%2f/i, url.pathname) !== null)
    throw ERR_INVALID_FILE_URL_PATH('must not include encoded / characters');
  return decodeURIComponent(url.pathname);
}

const ESCAPED = {
  __proto__: null,
  ' ': '%20',
  '\t': '%09',
  '\n': '%0A',
  '\r': '%0D',
  '#': '%23',
  '%': '%25',
  '?': '%3F',
  '[': '%5B',
  '\\': '%5C',
  ']': '%5D',
  '^': '%5E',
  '|': '%7C',
};
/** Escapes what the URL parser would take for something else than a path, or leave as it is though Node does not. */
function escapePath(path, backslash) {
  let result = '';
  for (let index = 0; index < path.length; index++) {
    const character = path[index];
    result += character === '\\' && !backslash ? character : (ESCAPED[character] ?? character);
  }
  return result;
}

function pathToFileURL(path, options = undefined) {
  const paths = use('node:path').default;
  validateString(path, 'path');
  if (options?.windows && StringPrototypeStartsWith(path, '\\\\')) {
    const isLong = StringPrototypeStartsWith(path, '\\\\?\\UNC\\');
    const share = StringPrototypeSlice(path, isLong ? 8 : 2);
    const match = RegExpPrototypeExec(/^([^\\]*)\\(.*)$/s, share);
    if (match === null) throw ERR_INVALID_ARG_VALUE('path', path, 'Missing UNC resource path');
    if (match[1] === '') throw ERR_INVALID_ARG_VALUE('path', path, 'Empty UNC servername');
    const url = new URL('file://');
    url.hostname = domainToASCII(match[1]);
    url.pathname = escapePath(StringPrototypeReplaceAll(`\\${match[2]}`, '\\', '/'), false);
    return url;
  }
  const { resolve, sep } = options?.windows ? paths.win32 : paths;
  let full = resolve(path);
  const last = StringPrototypeCharCodeAt(path, path.length - 1);
  if ((last === 47 || (options?.windows && last === 92)) && !StringPrototypeEndsWith(full, sep)) full += '/';
  return new URL(
    `file://${options?.windows ? '/' : ''}${escapePath(options?.windows ? StringPrototypeReplaceAll(full, '\\', '/') : full, !options?.windows)}`,
  );
}

function domainToASCII(domain) {
  return platform.domainToASCII(`${domain}`);
}
function domainToUnicode(domain) {
  return platform.domainToUnicode(`${domain}`);
}

/** As `http.request` takes it. */
function urlToHttpOptions(url) {
  const { hostname, pathname, port, username, password, search } = url;
  const options = { __proto__: null };
  const keys = ObjectKeys(url);
  for (let index = 0; index < keys.length; index++) options[keys[index]] = url[keys[index]];
  options.protocol = url.protocol;
  options.hostname =
    hostname && StringPrototypeStartsWith(hostname, '[') ? StringPrototypeSlice(hostname, 1, -1) : hostname;
  options.hash = url.hash;
  options.search = search;
  options.pathname = pathname;
  options.path = `${pathname || ''}${search || ''}`;
  options.href = url.href;
  if (port !== '') options.port = Number(port);
  if (username || password) options.auth = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return options;
}

function format(urlObject, options = undefined) {
  if (typeof urlObject === 'string') return urlParse(urlObject).format();
  if (typeof urlObject !== 'object' || urlObject === null)
    throw ERR_INVALID_ARG_TYPE('urlObject', ['Object', 'string'], urlObject);
  if (!isURL(urlObject)) return FunctionPrototypeCall(Url.prototype.format, urlObject);
  let fragment = true;
  let unicode = false;
  let search = true;
  let auth = true;
  if (options) {
    validateObject(options, 'options');
    if (options.fragment != null) fragment = Boolean(options.fragment);
    if (options.unicode != null) unicode = Boolean(options.unicode);
    if (options.search != null) search = Boolean(options.search);
    if (options.auth != null) auth = Boolean(options.auth);
  }
  const url = new URL(urlObject.href);
  if (!fragment) url.hash = '';
  if (!search) url.search = '';
  if (!auth) {
    url.username = '';
    url.password = '';
  }
  if (!unicode || url.hostname === '') return url.href;
  const name = domainToUnicode(url.hostname);
  if (name === url.hostname) return url.href;
  const credentials = url.username || url.password ? `${url.username}${url.password ? `:${url.password}` : ''}@` : '';
  return `${url.protocol}//${credentials}${name}${url.port ? `:${url.port}` : ''}${url.pathname}${url.search}${url.hash}`;
}

function resolve(from, to) {
  return urlParse(from, false, true).resolve(to);
}
function resolveObject(from, to) {
  return from ? urlParse(from, false, true).resolveObject(to) : to;
}

exports.default = {
  Url,
  parse: ObjectDefineProperty(urlParse, 'name', { __proto__: null, value: 'urlParse', configurable: true }),
  resolve,
  resolveObject,
  format,
  URL,
  URLSearchParams,
  domainToASCII,
  domainToUnicode,
  pathToFileURL,
  fileURLToPath,
  urlToHttpOptions,
};
