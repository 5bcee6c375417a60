// The url.parse of old: what it makes of a URL is neither RFC 3986 nor the WHATWG standard, but programs depend on it.
const {
  ArrayPrototypeJoin,
  ArrayPrototypePop,
  ArrayPrototypePush,
  ArrayPrototypeShift,
  ArrayPrototypeSplice,
  ArrayPrototypeUnshift,
  NumberPrototypeToString,
  ObjectKeys,
  RegExpPrototypeExec,
  StringPrototypeCharCodeAt,
  StringPrototypeEndsWith,
  StringPrototypeIncludes,
  StringPrototypeIndexOf,
  StringPrototypeLastIndexOf,
  StringPrototypePadStart,
  StringPrototypeReplaceAll,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  StringPrototypeToUpperCase,
  decodeURIComponent,
} = primordials;
const { ERR_INVALID_URL } = use('node/internal/errors');
const { validateString } = use('node/internal/validators');

const SLASHED = {
  __proto__: null,
  'http:': true,
  'https:': true,
  'ftp:': true,
  'gopher:': true,
  'file:': true,
  'ws:': true,
  'wss:': true,
};
const HOSTLESS = 'javascript:'; // the protocol that has no host and is not escaped

const PROTOCOL = /^[a-z0-9.+-]+:/i;
const SIMPLE_PATH = /^(\/\/?(?!\/)[^?\s]*)(\?[^\s]*)?$/;
const HAS_AUTH = /^\/\/[^@/]+@[^@/]+/;
const PORT = /:[0-9]*$/;
const FORBIDDEN_HOST = /[\0\t\n\r #%/:<>?@[\\\]^|]/;
const FORBIDDEN_IPV6 = /[\0\t\n\r #%/<>?@\\^|]/;
const MAX_HOSTNAME_CHARACTERS = 255; // of a domain name (RFC 1035)

function querystring() {
  return use('node:querystring').default;
}
function invalid(url) {
  const error = ERR_INVALID_URL();
  error.input = url;
  return error;
}

function Url() {
  this.protocol = null;
  this.slashes = null;
  this.auth = null;
  this.host = null;
  this.port = null;
  this.hostname = null;
  this.hash = null;
  this.search = null;
  this.query = null;
  this.pathname = null;
  this.path = null;
  this.href = null;
}
exports.Url = Url;

function isSpace(code) {
  return code === 32 || code === 9 || code === 13 || code === 10 || code === 12 || code === 160 || code === 65279;
}

/** Without the spaces around it, and with `/` for `\` up to the query or fragment. */
function cleaned(url) {
  let start = 0;
  let end = url.length;
  while (start < end && isSpace(StringPrototypeCharCodeAt(url, start))) start++;
  while (end > start && isSpace(StringPrototypeCharCodeAt(url, end - 1))) end--;
  const text = StringPrototypeSlice(url, start, end);
  const stop = RegExpPrototypeExec(/[?#]/, text)?.index ?? text.length;
  return StringPrototypeReplaceAll(StringPrototypeSlice(text, 0, stop), '\\', '/') + StringPrototypeSlice(text, stop);
}

// Never valid in a URL: escaped wherever they come.
const UNWISE = {
  __proto__: null,
  9: '%09',
  10: '%0A',
  13: '%0D',
  32: '%20',
  34: '%22',
  39: '%27',
  60: '%3C',
  62: '%3E',
  92: '%5C',
  94: '%5E',
  96: '%60',
  123: '%7B',
  124: '%7C',
  125: '%7D',
};
function escapeUnwise(text) {
  let result = '';
  let copied = 0;
  for (let index = 0; index < text.length; index++) {
    const escape = UNWISE[StringPrototypeCharCodeAt(text, index)];
    if (escape === undefined) continue;
    result += StringPrototypeSlice(text, copied, index) + escape;
    copied = index + 1;
  }
  return copied === 0 ? text : result + StringPrototypeSlice(text, copied);
}

/** Where the host ends: `{ at, end, text }`; tabs and line ends are taken out of the text. */
function findHost(text) {
  let rest = text;
  let at = -1;
  let end = -1;
  for (let index = 0; index < rest.length; index++) {
    const code = StringPrototypeCharCodeAt(rest, index);
    if (code === 9 || code === 10 || code === 13) {
      rest = StringPrototypeSlice(rest, 0, index) + StringPrototypeSlice(rest, index + 1);
      index--;
    } else if (code === 64) {
      at = index; // the last @ before the path ends the credentials
      end = -1;
    } else if (code === 35 || code === 47 || code === 63) {
      if (end === -1) end = index;
      break;
    } else if (end === -1 && UNWISE[code] !== undefined) {
      end = index;
    } else if (end === -1 && (code === 37 || code === 59)) {
      end = index;
    }
  }
  return { at, end, text: rest };
}

/** Takes `hostname` into the URL; from what can't be in a host name it becomes path. */
function takeHostname(url, hostname, rest) {
  for (let index = 0; index < hostname.length; index++) {
    const code = StringPrototypeCharCodeAt(hostname, index);
    if (code === 58 || code === 47 || code === 92 || code === 35 || code === 63) {
      url.hostname = StringPrototypeSlice(hostname, 0, index);
      return `/${StringPrototypeSlice(hostname, index)}${rest}`;
    }
  }
  return rest;
}

function parseHost(url, text, source) {
  const found = findHost(text);
  let start = 0;
  if (found.at !== -1) {
    url.auth = decodeURIComponent(StringPrototypeSlice(found.text, 0, found.at));
    start = found.at + 1;
  }
  let host =
    found.end === -1 ? StringPrototypeSlice(found.text, start) : StringPrototypeSlice(found.text, start, found.end);
  let rest = found.end === -1 ? '' : StringPrototypeSlice(found.text, found.end);
  const port = RegExpPrototypeExec(PORT, host);
  if (port !== null) {
    if (port[0] !== ':') url.port = StringPrototypeSlice(port[0], 1);
    host = StringPrototypeSlice(host, 0, host.length - port[0].length);
  }
  url.hostname = host;
  const isIpv6 = StringPrototypeStartsWith(host, '[') && StringPrototypeEndsWith(host, ']');
  if (!isIpv6) rest = takeHostname(url, host, rest);
  url.hostname = url.hostname.length > MAX_HOSTNAME_CHARACTERS ? '' : StringPrototypeToLowerCase(url.hostname);
  if (url.hostname !== '') {
    if (isIpv6) {
      if (RegExpPrototypeExec(FORBIDDEN_IPV6, url.hostname) !== null) throw invalid(source);
    } else {
      url.hostname = toAscii(url.hostname);
      if (url.hostname === '' || RegExpPrototypeExec(FORBIDDEN_HOST, url.hostname) !== null) throw invalid(source);
    }
  }
  url.host = `${url.hostname}${url.port ? `:${url.port}` : ''}`;
  if (isIpv6) {
    url.hostname = StringPrototypeSlice(url.hostname, 1, -1);
    if (!StringPrototypeStartsWith(rest, '/')) rest = `/${rest}`;
  }
  return rest;
}

/** Punycode for names that are not ASCII; others stay, valid or not. */
function toAscii(hostname) {
  if (RegExpPrototypeExec(/[^\x00-\x7f]/, hostname) === null) return hostname;
  return use('node:url').default.domainToASCII(hostname);
}

function takeQuery(url, search, parseQuery) {
  url.search = search;
  url.query = StringPrototypeSlice(search, 1);
  if (parseQuery) url.query = querystring().parse(url.query);
}

Url.prototype.parse = function parse(source, parseQuery, slashesDenoteHost) {
  validateString(source, 'url');
  let rest = cleaned(source);
  if (!slashesDenoteHost && !StringPrototypeIncludes(rest, '#') && !StringPrototypeIncludes(rest, '@')) {
    const simple = RegExpPrototypeExec(SIMPLE_PATH, rest);
    if (simple !== null) {
      this.path = rest;
      this.href = rest;
      this.pathname = simple[1];
      if (simple[2]) takeQuery(this, simple[2], parseQuery);
      else if (parseQuery) this.query = { __proto__: null };
      return this;
    }
  }
  const protocol = RegExpPrototypeExec(PROTOCOL, rest)?.[0];
  const lowered = protocol === undefined ? undefined : StringPrototypeToLowerCase(protocol);
  if (protocol !== undefined) {
    this.protocol = lowered;
    rest = StringPrototypeSlice(rest, protocol.length);
  }
  let slashes = false;
  if (slashesDenoteHost || protocol !== undefined || RegExpPrototypeExec(HAS_AUTH, rest) !== null) {
    slashes = StringPrototypeStartsWith(rest, '//');
    if (slashes && lowered !== HOSTLESS) {
      rest = StringPrototypeSlice(rest, 2);
      this.slashes = true;
    }
  }
  if (lowered !== HOSTLESS && (slashes || (protocol !== undefined && !SLASHED[lowered])))
    rest = parseHost(this, rest, source);
  if (lowered !== HOSTLESS) rest = escapeUnwise(rest);

  const hash = StringPrototypeIndexOf(rest, '#');
  if (hash !== -1) this.hash = StringPrototypeSlice(rest, hash);
  const beforeHash = hash === -1 ? rest : StringPrototypeSlice(rest, 0, hash);
  const question = StringPrototypeIndexOf(beforeHash, '?');
  if (question !== -1) takeQuery(this, StringPrototypeSlice(beforeHash, question), parseQuery);
  else if (parseQuery) this.query = { __proto__: null };
  const pathname = question === -1 ? beforeHash : StringPrototypeSlice(beforeHash, 0, question);
  if (pathname.length > 0) this.pathname = pathname;
  if (SLASHED[lowered] && this.hostname && !this.pathname) this.pathname = '/';
  setPath(this);
  this.href = this.format();
  return this;
};
function setPath(url) {
  if (url.pathname || url.search) url.path = `${url.pathname || ''}${url.search || ''}`;
}

/** Percent-encodes what may not stand in the credentials before a host. */
function encodeAuth(text) {
  let result = '';
  for (let index = 0; index < text.length; index++) {
    const piece = StringPrototypeSlice(text, index, index + 1);
    if (RegExpPrototypeExec(/[!'()*\-.0-9:A-Z_a-z~]/, piece) !== null) {
      result += piece;
      continue;
    }
    const code = StringPrototypeCharCodeAt(text, index);
    const isPair = code >= 0xd800 && code < 0xdc00 && index + 1 < text.length;
    if (code < 128)
      result += `%${StringPrototypePadStart(StringPrototypeToUpperCase(NumberPrototypeToString(code, 16)), 2, '0')}`;
    else result += querystring().escape(isPair ? StringPrototypeSlice(text, index, ++index + 1) : piece);
  }
  return result;
}

Url.prototype.format = function format() {
  const auth = this.auth ? `${encodeAuth(this.auth)}@` : '';
  let protocol = this.protocol || '';
  let pathname = this.pathname || '';
  let hash = this.hash || '';
  let host = '';
  if (this.host) {
    host = `${auth}${this.host}`;
  } else if (this.hostname) {
    const isBare =
      StringPrototypeIncludes(this.hostname, ':') &&
      !(StringPrototypeStartsWith(this.hostname, '[') && StringPrototypeEndsWith(this.hostname, ']'));
    host = `${auth}${isBare ? `[${this.hostname}]` : this.hostname}`;
    if (this.port) host += `:${this.port}`;
  }
  const query = this.query !== null && typeof this.query === 'object' ? querystring().stringify(this.query) : '';
  let search = this.search || (query && `?${query}`) || '';
  if (protocol && !StringPrototypeEndsWith(protocol, ':')) protocol += ':';
  pathname = StringPrototypeReplaceAll(StringPrototypeReplaceAll(pathname, '#', '%23'), '?', '%3F');
  if (this.slashes || SLASHED[protocol]) {
    if (this.slashes || host) {
      if (pathname && !StringPrototypeStartsWith(pathname, '/')) pathname = `/${pathname}`;
      host = `//${host}`;
    } else if (StringPrototypeStartsWith(protocol, 'file')) {
      host = '//';
    }
  }
  search = StringPrototypeReplaceAll(search, '#', '%23');
  if (hash && !StringPrototypeStartsWith(hash, '#')) hash = `#${hash}`;
  if (search && !StringPrototypeStartsWith(search, '?')) search = `?${search}`;
  return `${protocol}${host}${pathname}${search}${hash}`;
};

Url.prototype.resolve = function resolve(relative) {
  return this.resolveObject(exports.urlParse(relative, false, true)).format();
};

function finish(url) {
  url.href = url.format();
  return url;
}
function copyInto(target, source, withProtocol) {
  const keys = ObjectKeys(source);
  for (let index = 0; index < keys.length; index++)
    if (withProtocol || keys[index] !== 'protocol') target[keys[index]] = source[keys[index]];
}
function splitPath(pathname) {
  return pathname ? StringPrototypeSplit(pathname, '/') : [];
}
/** A first path segment `user@host` in the place of a host. */
function splitAuth(url) {
  if (!url.host || StringPrototypeIndexOf(url.host, '@') <= 0) return;
  const at = StringPrototypeLastIndexOf(url.host, '@');
  url.auth = StringPrototypeSlice(url.host, 0, StringPrototypeIndexOf(url.host, '@'));
  url.host = url.hostname = StringPrototypeSlice(
    url.host,
    StringPrototypeIndexOf(url.host, '@') + 1,
    at > StringPrototypeIndexOf(url.host, '@') ? at : undefined,
  );
}

/** Another protocol: little of the base is left. */
function resolveForeign(result, relative) {
  if (!SLASHED[relative.protocol]) {
    copyInto(result, relative, true);
    return finish(result);
  }
  result.protocol = relative.protocol;
  if (!relative.host && relative.protocol !== 'file:' && relative.protocol !== HOSTLESS) {
    const segments = StringPrototypeSplit(relative.pathname || '', '/');
    while (segments.length > 0 && !(relative.host = ArrayPrototypeShift(segments)));
    relative.host ||= '';
    relative.hostname ||= '';
    if (segments[0] !== '') ArrayPrototypeUnshift(segments, '');
    if (segments.length < 2) ArrayPrototypeUnshift(segments, '');
    result.pathname = ArrayPrototypeJoin(segments, '/');
  } else {
    result.pathname = relative.pathname;
  }
  result.search = relative.search;
  result.query = relative.query;
  result.host = relative.host || '';
  result.auth = relative.auth;
  result.hostname = relative.hostname || relative.host;
  result.port = relative.port;
  setPath(result);
  result.slashes ||= relative.slashes;
  return finish(result);
}

/** Takes `.` and `..` out of the segments; gives back how many `..` found nothing to take away. */
function removeDots(segments) {
  let up = 0;
  for (let index = segments.length - 1; index >= 0; index--) {
    if (segments[index] === '.') {
      ArrayPrototypeSplice(segments, index, 1);
    } else if (segments[index] === '..') {
      ArrayPrototypeSplice(segments, index, 1);
      up++;
    } else if (up > 0) {
      ArrayPrototypeSplice(segments, index, 1);
      up--;
    }
  }
  return up;
}

Url.prototype.resolveObject = function resolveObject(given) {
  const relative = typeof given === 'string' ? new Url().parse(given, false, true) : given;
  const result = new Url();
  copyInto(result, this, true);
  result.hash = relative.hash;
  if (relative.href === '') return finish(result);
  if (relative.slashes && !relative.protocol) {
    copyInto(result, relative, false);
    if (SLASHED[result.protocol] && result.hostname && !result.pathname) result.path = result.pathname = '/';
    return finish(result);
  }
  if (relative.protocol && relative.protocol !== result.protocol) return resolveForeign(result, relative);

  const baseIsRooted = result.pathname && StringPrototypeStartsWith(result.pathname, '/');
  const isRooted = relative.host || (relative.pathname && StringPrototypeStartsWith(relative.pathname, '/'));
  let mustBeRooted = isRooted || baseIsRooted || (result.host && relative.pathname);
  const dropAllDots = mustBeRooted;
  let segments = splitPath(result.pathname);
  const others = splitPath(relative.pathname);
  const unslashed = result.protocol && !SLASHED[result.protocol];
  if (unslashed) {
    // The host counts as the first segment: `mailto:a@b`.
    result.hostname = '';
    result.port = null;
    if (result.host) {
      if (segments[0] === '') segments[0] = result.host;
      else ArrayPrototypeUnshift(segments, result.host);
    }
    result.host = '';
    if (relative.protocol) {
      relative.hostname = null;
      relative.port = null;
      result.auth = null;
      if (relative.host) {
        if (others[0] === '') others[0] = relative.host;
        else ArrayPrototypeUnshift(others, relative.host);
      }
      relative.host = null;
    }
    mustBeRooted &&= others[0] === '' || segments[0] === '';
  }
  if (isRooted) {
    if (relative.host || relative.host === '') {
      if (result.host !== relative.host) result.auth = null;
      result.host = relative.host;
      result.port = relative.port;
    }
    if (relative.hostname || relative.hostname === '') {
      if (result.hostname !== relative.hostname) result.auth = null;
      result.hostname = relative.hostname;
    }
    result.search = relative.search;
    result.query = relative.query;
    segments = others;
  } else if (others.length > 0) {
    ArrayPrototypePop(segments);
    for (let index = 0; index < others.length; index++) ArrayPrototypePush(segments, others[index]);
    result.search = relative.search;
    result.query = relative.query;
  } else if (relative.search !== null && relative.search !== undefined) {
    if (unslashed) {
      result.hostname = result.host = ArrayPrototypeShift(segments);
      splitAuth(result);
    }
    result.search = relative.search;
    result.query = relative.query;
    setPathOrNull(result);
    return finish(result);
  }
  if (segments.length === 0) {
    result.pathname = null;
    result.path = result.search ? `/${result.search}` : null;
    return finish(result);
  }
  const last = segments[segments.length - 1];
  const trailing =
    ((result.host || relative.host || segments.length > 1) && (last === '.' || last === '..')) || last === '';
  let up = removeDots(segments);
  if (!mustBeRooted && !dropAllDots) for (; up > 0; up--) ArrayPrototypeUnshift(segments, '..');
  if (mustBeRooted && segments[0] !== '' && (!segments[0] || !StringPrototypeStartsWith(segments[0], '/')))
    ArrayPrototypeUnshift(segments, '');
  if (trailing && !StringPrototypeEndsWith(ArrayPrototypeJoin(segments, '/'), '/')) ArrayPrototypePush(segments, '');
  const rooted = segments[0] === '' || (segments[0] && StringPrototypeStartsWith(segments[0], '/'));
  if (unslashed) {
    result.hostname = result.host = rooted ? '' : segments.length > 0 ? ArrayPrototypeShift(segments) : '';
    splitAuth(result);
  }
  mustBeRooted ||= result.host && segments.length > 0;
  if (mustBeRooted && !rooted) ArrayPrototypeUnshift(segments, '');
  if (segments.length === 0) {
    result.pathname = null;
    result.path = null;
  } else {
    result.pathname = ArrayPrototypeJoin(segments, '/');
  }
  setPathOrNull(result);
  result.auth = relative.auth || result.auth;
  result.slashes ||= relative.slashes;
  return finish(result);
};
function setPathOrNull(url) {
  if (url.pathname !== null || url.search !== null) url.path = `${url.pathname || ''}${url.search || ''}`;
}

Url.prototype.parseHost = function parseHostMethod() {
  let { host } = this;
  const port = RegExpPrototypeExec(PORT, host);
  if (port !== null) {
    if (port[0] !== ':') this.port = StringPrototypeSlice(port[0], 1);
    host = StringPrototypeSlice(host, 0, host.length - port[0].length);
  }
  if (host) this.hostname = host;
};

exports.urlParse = function urlParse(url, parseQueryString, slashesDenoteHost) {
  if (url instanceof Url) return url;
  return new Url().parse(url, parseQueryString, slashesDenoteHost);
};
