// URL: https://url.spec.whatwg.org/#url-class

const { ObjectDefineProperty, StringPrototypeSlice, SymbolFor, TypeError, Uint32Array } = primordials;
const webidl = use('web/webidl');
const { convert, defineEnumerable, defineEnumerableStatic, illegalInvocation, isObject } = webidl;
const { requireArguments, setToStringTag } = webidl;
const { createLinked, replaceList, serializeParams } = use('web/url/search_params');

// Natives leave the offsets of the URL that they return here: OFFSETS in mod.rs.
const offsets = new Uint32Array(9);

/** A URL, taken apart. */
class Parts {
  constructor(href) {
    this.href = href;
    this.schemeEnd = offsets[0];
    this.usernameEnd = offsets[1];
    this.passwordEnd = offsets[2];
    this.hostStart = offsets[3];
    this.hostEnd = offsets[4];
    this.portEnd = offsets[5];
    this.pathStart = offsets[6];
    this.pathEnd = offsets[7];
    this.queryEnd = offsets[8];
  }
}

class URLState {
  params = undefined;

  constructor(parts) {
    this.parts = parts;
  }
}

function parse(input, base) {
  const href = native.parse(input, base, offsets);
  return href === undefined ? undefined : new Parts(href === true ? input : href);
}

function parseOrThrow(input, base) {
  const parts = parse(input, base);
  if (parts !== undefined) return parts;
  const error = new TypeError('Invalid URL');
  const define = (name, value) => {
    ObjectDefineProperty(error, name, { __proto__: null, value, configurable: true, enumerable: true, writable: true });
  };
  define('code', 'ERR_INVALID_URL');
  define('input', input);
  if (base !== undefined) define('base', base);
  throw error;
}

let stateOf;
let isURL;

const FROM_PARTS = {}; // marks the internal constructor call

class URL {
  #state;

  static {
    isURL = (value) => isObject(value) && #state in value;
    stateOf = (url) => (isObject(url) && #state in url ? url.#state : illegalInvocation());
  }

  constructor(url, base = undefined) {
    if (base === FROM_PARTS) {
      this.#state = new URLState(url);
      return;
    }
    requireArguments(arguments.length, 1, "Failed to construct 'URL'");
    const input = convert.DOMString(url); // Natives replace lone surrogates.
    const baseText = base === undefined ? undefined : convert.DOMString(base);
    this.#state = new URLState(parseOrThrow(input, baseText));
  }

  static parse(url, base = undefined) {
    requireArguments(arguments.length, 1, "Failed to execute 'parse' on 'URL'");
    const input = convert.DOMString(url);
    const parts = parse(input, base === undefined ? undefined : convert.DOMString(base));
    return parts === undefined ? null : new URL(parts, FROM_PARTS);
  }

  static canParse(url, base = undefined) {
    requireArguments(arguments.length, 1, "Failed to execute 'canParse' on 'URL'");
    const input = convert.DOMString(url);
    return native.canParse(input, base === undefined ? undefined : convert.DOMString(base));
  }

  get href() {
    return stateOf(this).parts.href;
  }

  set href(value) {
    const state = stateOf(this);
    state.parts = parseOrThrow(convert.DOMString(value), undefined);
    refreshParams(state);
  }

  get origin() {
    return originOf(stateOf(this).parts);
  }

  get protocol() {
    const { parts } = stateOf(this);
    return StringPrototypeSlice(parts.href, 0, parts.schemeEnd + 1);
  }

  set protocol(value) {
    setComponent(stateOf(this), 'protocol', value);
  }

  get username() {
    const { parts } = stateOf(this);
    return StringPrototypeSlice(parts.href, parts.schemeEnd + 3, parts.usernameEnd);
  }

  set username(value) {
    setComponent(stateOf(this), 'username', value);
  }

  get password() {
    const { parts } = stateOf(this);
    return StringPrototypeSlice(parts.href, parts.usernameEnd + 1, parts.passwordEnd);
  }

  set password(value) {
    setComponent(stateOf(this), 'password', value);
  }

  get host() {
    const { parts } = stateOf(this);
    return StringPrototypeSlice(parts.href, parts.hostStart, parts.portEnd);
  }

  set host(value) {
    setComponent(stateOf(this), 'host', value);
  }

  get hostname() {
    const { parts } = stateOf(this);
    return StringPrototypeSlice(parts.href, parts.hostStart, parts.hostEnd);
  }

  set hostname(value) {
    setComponent(stateOf(this), 'hostname', value);
  }

  get port() {
    const { parts } = stateOf(this);
    return StringPrototypeSlice(parts.href, parts.hostEnd + 1, parts.portEnd);
  }

  set port(value) {
    setComponent(stateOf(this), 'port', value);
  }

  get pathname() {
    const { parts } = stateOf(this);
    return StringPrototypeSlice(parts.href, parts.pathStart, parts.pathEnd);
  }

  set pathname(value) {
    setComponent(stateOf(this), 'pathname', value);
  }

  get search() {
    const { parts } = stateOf(this);
    return parts.queryEnd - parts.pathEnd > 1 ? StringPrototypeSlice(parts.href, parts.pathEnd, parts.queryEnd) : '';
  }

  set search(value) {
    const state = stateOf(this);
    setComponent(state, 'search', value);
    refreshParams(state);
  }

  get searchParams() {
    const state = stateOf(this);
    if (state.params === undefined) {
      const params = createLinked(queryOf(state.parts), () => {
        setComponent(state, 'search', serializeParams(params));
      });
      state.params = params;
    }
    return state.params;
  }

  get hash() {
    const { parts } = stateOf(this);
    return parts.href.length - parts.queryEnd > 1 ? StringPrototypeSlice(parts.href, parts.queryEnd) : '';
  }

  set hash(value) {
    setComponent(stateOf(this), 'hash', value);
  }

  toString() {
    return stateOf(this).parts.href;
  }

  toJSON() {
    return stateOf(this).parts.href;
  }

  [SymbolFor('nodejs.util.inspect.custom')](depth, options, inspect) {
    const { parts } = stateOf(this);
    if (typeof depth === 'number' && depth < 0) return `[${parts.href}]`;
    const { href, origin, protocol, username, password, host, hostname, port, pathname, search, searchParams, hash } = this;
    const shown = {
      href, origin, protocol, username, password, host, hostname, port, pathname, search, searchParams, hash,
    };
    return `URL ${inspect(shown, options)}`;
  }
}

function setComponent(state, name, value) {
  const href = native.set(name, state.parts.href, convert.DOMString(value), offsets);
  if (href !== undefined) state.parts = new Parts(href);
}

function queryOf(parts) {
  return parts.queryEnd - parts.pathEnd > 1 ? StringPrototypeSlice(parts.href, parts.pathEnd + 1, parts.queryEnd) : '';
}

function refreshParams(state) {
  if (state.params !== undefined) replaceList(state.params, queryOf(state.parts));
}

function originOf(parts) {
  const { href, schemeEnd } = parts;
  switch (StringPrototypeSlice(href, 0, schemeEnd)) {
    case 'http':
    case 'https':
    case 'ws':
    case 'wss':
    case 'ftp':
      return `${StringPrototypeSlice(href, 0, schemeEnd)}://${StringPrototypeSlice(href, parts.hostStart, parts.portEnd)}`;
    case 'blob': {
      // The URL inside, if it is one that a document can have come from.
      const inner = parse(StringPrototypeSlice(href, parts.pathStart, parts.pathEnd), undefined);
      if (inner === undefined) return 'null';
      const scheme = StringPrototypeSlice(inner.href, 0, inner.schemeEnd);
      return scheme === 'http' || scheme === 'https' ? originOf(inner) : 'null';
    }
    default:
      return 'null';
  }
}

ObjectDefineProperty(URL, 'length', { __proto__: null, value: 1, configurable: true });
defineEnumerable(URL, [
  'href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'searchParams',
  'hash', 'toString', 'toJSON',
]);
defineEnumerableStatic(URL, ['parse', 'canParse']);
setToStringTag(URL, 'URL');

exports.URL = URL;

/** Whether a value is a URL object, whatever was done to its prototype. */
exports.isURL = isURL;

/** The href of a URL object, without going through its prototype. */
exports.hrefOf = (url) => stateOf(url).parts.href;

/**
 * Parses without making a URL object: undefined, or the href and where its components end (`schemeEnd`, `usernameEnd`,
 * `passwordEnd`, `hostStart`, `hostEnd`, `portEnd`, `pathStart`, `pathEnd`, `queryEnd`).
 */
exports.parseParts = (input, base) => parse(input, base);

exports.domainToASCII = (domain) => native.domainToAscii(domain);
exports.domainToUnicode = (domain) => native.domainToUnicode(domain);
