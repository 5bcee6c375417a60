// Request.
const {
  RegExpPrototypeExec, StringPrototypeToUpperCase, StringPrototypeToWellFormed, SymbolFor, TypeError,
} = primordials;
const { Body, NATIVE, STREAM, WHOLE, defineBodyMixin, extractBody } = use('web/body');
const { HeaderList, createHeaders } = use('web/headers');
const { convert, defineEnumerable, enumeration, illegalInvocation, requireArguments, setToStringTag } = use('web/webidl');

// Most requests of a server have nothing to do with these.
const createDependentSignal = (signals) => use('web/abort').createDependentSignal(signals);
const createSignal = () => use('web/abort').createSignal();
const isAbortSignal = (value) => use('web/abort').isAbortSignal(value);
const parseParts = (url, base) => use('web/url').parseParts(url, base);

const caches = enumeration('RequestCache', ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached']);
const credentialModes = enumeration('RequestCredentials', ['omit', 'same-origin', 'include']);
const duplexes = enumeration('RequestDuplex', ['half']);
const modes = enumeration('RequestMode', ['navigate', 'same-origin', 'no-cors', 'cors']);
const priorities = enumeration('RequestPriority', ['high', 'low', 'auto']);
const redirects = enumeration('RequestRedirect', ['follow', 'error', 'manual']);
const referrerPolicies = enumeration('ReferrerPolicy', [
  '', 'no-referrer', 'no-referrer-when-downgrade', 'same-origin', 'origin', 'strict-origin', 'origin-when-cross-origin',
  'strict-origin-when-cross-origin', 'unsafe-url',
]);

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** URLs that are their own serialisation, as nearly all are that a server receives; others are parsed. */
const normalized =
  /^https?:\/\/(?:(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*|127\.0\.0\.1)(?::(?!80\/|443\/)(?:[1-5]\d{4}|[1-9]\d{0,3}))?\/(?!\.|.*\/\.|.*%2[eE])[\w\-.~!$&()*+,;=:@%/]*(?:\?[\w\-.~!$&()*+,;=:@%/?]*)?$/;

/** Methods that are normalised to upper case; others keep their case. */
const knownMethods = { __proto__: null, DELETE: 1, GET: 1, HEAD: 1, OPTIONS: 1, POST: 1, PUT: 1 };

/** What a Request is, without its shell. Members that cost something are made when asked for. */
class RequestState {
  method = 'GET';
  cache = 'default';
  credentials = 'same-origin';
  integrity = '';
  keepalive = false;
  mode = 'cors';
  redirect = 'follow';
  referrer = 'about:client';
  referrerPolicy = '';
  /** A Body or null. */
  body = null;
  immutableHeaders = false;
  #url;
  #urlIsNormalized;
  #headerList = null;
  /** The host's request, or null. */
  #headerSource = null;
  #headers = null;
  #signal = null;
  /** An AbortSignal to follow, a function returning the signal, the host's request, or null. */
  #signalSource = null;

  constructor(url, urlIsNormalized) {
    this.#url = url;
    this.#urlIsNormalized = urlIsNormalized;
  }

  get url() {
    if (!this.#urlIsNormalized) {
      this.#urlIsNormalized = true;
      if (typeof this.#url !== 'string') this.#url = this.#url.url();
      if (RegExpPrototypeExec(normalized, this.#url) === null) this.#url = parseParts(this.#url, undefined)?.href ?? this.#url;
    }
    return this.#url;
  }

  get headerList() {
    if (this.#headerList === null) {
      const source = this.#headerSource;
      this.#headerList = new HeaderList(source === null ? [] : source.headers());
      this.#headerSource = null;
    }
    return this.#headerList;
  }

  set headerList(list) {
    this.#headerList = list;
  }

  get headers() {
    this.#headers ??= createHeaders(this.headerList, this.immutableHeaders);
    return this.#headers;
  }

  get signal() {
    if (this.#signal === null) {
      const source = this.#signalSource;
      if (source === null) this.#signal = createSignal();
      else if (typeof source === 'function') this.#signal = source();
      else this.#signal = isAbortSignal(source) ? createDependentSignal([source]) : source.signal();
      this.#signalSource = null;
    }
    return this.#signal;
  }

  set signalSource(source) {
    this.#signalSource = source;
  }

  /** Lets headers and signal come from the host's request. */
  receive(host) {
    this.#headerSource = host;
    this.#signalSource = host;
  }

  /** The signal that matters to whoever carries out the request; null when it can't be aborted. */
  get abortSignal() {
    if (this.#signal === null && (this.#signalSource === null || isAbortSignal(this.#signalSource))) return this.#signalSource;
    return this.signal;
  }

  /** A copy without body, headers and signal. */
  copy() {
    const state = new RequestState(this.url, true);
    state.method = this.method;
    state.cache = this.cache;
    state.credentials = this.credentials;
    state.integrity = this.integrity;
    state.keepalive = this.keepalive;
    state.mode = this.mode;
    state.redirect = this.redirect;
    state.referrer = this.referrer;
    state.referrerPolicy = this.referrerPolicy;
    return state;
  }
}

/** Reads a RequestInit in the standard's order; absent members stay undefined. */
function readInit(init, context) {
  const dictionary = convert.dictionary(init, `${context}: parameter 2`);
  if (dictionary === undefined) return null;
  const read = { __proto__: null };
  const { body } = dictionary;
  if (body !== undefined) read.body = body === null ? null : extractBody(body, context);
  const enumerated = (name, converter) => {
    const value = dictionary[name];
    if (value !== undefined) read[name] = converter(value, `${context}: ${name}`);
  };
  enumerated('cache', caches);
  enumerated('credentials', credentialModes);
  enumerated('duplex', duplexes);
  const { headers } = dictionary;
  if (headers !== undefined) {
    read.headers = new HeaderList();
    read.headers.fill(headers, context);
  }
  enumerated('integrity', convert.DOMString);
  enumerated('keepalive', convert.boolean);
  const { method } = dictionary;
  if (method !== undefined) read.method = normalizeMethod(method, context);
  enumerated('mode', modes);
  enumerated('priority', priorities);
  enumerated('redirect', redirects);
  enumerated('referrer', convert.USVString);
  enumerated('referrerPolicy', referrerPolicies);
  const { signal } = dictionary;
  if (signal !== undefined) {
    if (signal !== null && !isAbortSignal(signal)) throw new TypeError(`${context}: signal is not an AbortSignal`);
    read.signal = signal;
  }
  const { window } = dictionary;
  if (window !== undefined && window !== null) throw new TypeError(`${context}: window can only be null`);
  return read;
}

function normalizeMethod(method, context) {
  if (typeof method === 'string' && knownMethods[method] !== undefined) return method;
  const text = `${method}`;
  if (RegExpPrototypeExec(token, text) === null) throw new TypeError(`${context}: '${text}' is not a valid HTTP method`);
  const upper = StringPrototypeToUpperCase(text);
  if (upper === 'CONNECT' || upper === 'TRACE' || upper === 'TRACK') throw new TypeError(`${context}: the method ${upper} is not allowed`);
  return knownMethods[upper] === undefined ? text : upper;
}

/** The Request constructor's steps; also what fetch(input, init) begins with. */
function makeState(input, init, context) {
  const source = getRequestState(input);
  // A string is converted before the dictionary is read.
  const text = source === undefined ? StringPrototypeToWellFormed(typeof input === 'string' ? input : `${input}`) : undefined;
  const read = readInit(init, context);
  let state;
  let inputBody = null;
  if (source === undefined) {
    const parts = parseParts(text, undefined);
    if (parts === undefined) throw new TypeError(`${context}: '${text}' is not a valid URL`);
    if (parts.usernameEnd > parts.schemeEnd + 3 || parts.passwordEnd > parts.usernameEnd) {
      throw new TypeError(`${context}: the URL '${text}' includes credentials`);
    }
    state = new RequestState(parts.href, true);
  } else {
    state = source.copy();
    inputBody = source.body;
    if (read?.headers === undefined) state.headerList = source.headerList.clone();
    state.signalSource = () => createDependentSignal([source.signal]);
  }
  if (read !== null) applyInit(state, read, context);
  const initBody = read?.body ?? null;
  if ((initBody !== null || inputBody !== null) && (state.method === 'GET' || state.method === 'HEAD')) {
    throw new TypeError(`${context}: a request with the method ${state.method} can't have a body`);
  }
  if (initBody !== null) {
    if (initBody.body.kind === STREAM && read.duplex === undefined) {
      throw new TypeError(`${context}: duplex: 'half' is required when the body is a stream`);
    }
    if (initBody.type !== null && !state.headerList.has('content-type')) state.headerList.append('content-type', initBody.type);
    state.body = initBody.body;
  } else if (inputBody !== null) {
    if (inputBody.unusable) throw new TypeError(`${context}: the body of the given Request has already been read, or is locked`);
    state.body = inputBody.transfer();
  }
  return state;
}

function applyInit(state, read, context) {
  if (read.mode === 'navigate') throw new TypeError(`${context}: the mode can't be navigate`);
  if (read.referrer !== undefined) state.referrer = parseReferrer(read.referrer, context);
  if (read.referrerPolicy !== undefined) state.referrerPolicy = read.referrerPolicy;
  if (read.mode !== undefined) state.mode = read.mode;
  if (read.credentials !== undefined) state.credentials = read.credentials;
  if (read.cache !== undefined) state.cache = read.cache;
  if (state.cache === 'only-if-cached' && state.mode !== 'same-origin') {
    throw new TypeError(`${context}: the cache mode only-if-cached requires the mode same-origin`);
  }
  if (read.redirect !== undefined) state.redirect = read.redirect;
  if (read.integrity !== undefined) state.integrity = read.integrity;
  if (read.keepalive !== undefined) state.keepalive = read.keepalive;
  if (read.method !== undefined) state.method = read.method;
  if (read.signal !== undefined) state.signalSource = read.signal;
  if (read.headers !== undefined) state.headerList = read.headers;
}

function parseReferrer(referrer, context) {
  if (referrer === '') return '';
  const parts = parseParts(referrer, undefined);
  if (parts === undefined) throw new TypeError(`${context}: '${referrer}' is not a valid referrer URL`);
  // There is no page whose origin a referrer could share.
  return 'about:client';
}

const internal = { __proto__: null };
/** The RequestState of a Request; undefined for anything else. */
let getRequestState;

class Request {
  #state;

  constructor(input, init = undefined) {
    if (input === internal) {
      this.#state = init;
      return;
    }
    requireArguments(arguments.length, 1, "Failed to construct 'Request'");
    this.#state = makeState(input, init, "Failed to construct 'Request'");
  }

  get method() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.method;
  }

  get url() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.url;
  }

  get headers() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.headers;
  }

  get destination() {
    if (!(#state in this)) throw illegalInvocation();
    return '';
  }

  get referrer() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.referrer;
  }

  get referrerPolicy() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.referrerPolicy;
  }

  get mode() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.mode;
  }

  get credentials() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.credentials;
  }

  get cache() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.cache;
  }

  get redirect() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.redirect;
  }

  get integrity() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.integrity;
  }

  get keepalive() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.keepalive;
  }

  get isReloadNavigation() {
    if (!(#state in this)) throw illegalInvocation();
    return false;
  }

  get isHistoryNavigation() {
    if (!(#state in this)) throw illegalInvocation();
    return false;
  }

  get signal() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.signal;
  }

  get duplex() {
    if (!(#state in this)) throw illegalInvocation();
    return 'half';
  }

  clone() {
    if (!(#state in this)) throw illegalInvocation();
    const state = this.#state;
    if (state.body !== null && state.body.unusable) {
      throw new TypeError("Failed to execute 'clone' on 'Request': the body has already been read, or is locked");
    }
    const copy = state.copy();
    copy.immutableHeaders = state.immutableHeaders;
    copy.headerList = state.headerList.clone();
    copy.signalSource = () => createDependentSignal([state.signal]);
    if (state.body !== null) copy.body = state.body.clone();
    return new Request(internal, copy);
  }

  [SymbolFor('nodejs.util.inspect.custom')](depth, options, inspect) {
    const state = getRequestState(this);
    if (state === undefined) return 'Request';
    const { method, url, headers, redirect, body } = state;
    // Without body and signal themselves: to look at them would make them.
    const shown = { method, url, headers, redirect, bodyUsed: body !== null && body.used };
    return typeof depth === 'number' && depth < 0 ? `[Request ${method} ${url}]` : `Request ${inspect(shown, options)}`;
  }

  static {
    getRequestState = (request) => {
      return typeof request === 'object' && request !== null && #state in request ? request.#state : undefined;
    };
  }
}
defineBodyMixin(Request, getRequestState);
defineEnumerable(Request, [
  'cache', 'clone', 'credentials', 'destination', 'duplex', 'headers', 'integrity', 'isHistoryNavigation', 'isReloadNavigation', 'keepalive',
  'method', 'mode', 'redirect', 'referrer', 'referrerPolicy', 'signal', 'url',
]);
setToStringTag(Request, 'Request');

/**
 * A Request that the host received: `{ url(): string, headers(): [lower-case name, value, …], signal(): AbortSignal,
 * read(): Promise<Uint8Array | null>, text(): string, bytes(): Uint8Array, cancel(reason) }`. Each is asked for only when the guest
 * asks; the arrays are given away. `body` says what the host has of it: 0 that there is none, 1 chunks, 2 all of it.
 */
function createIncomingRequest(method, host, body) {
  const state = new RequestState(host, false);
  state.method = method;
  state.immutableHeaders = true;
  state.receive(host);
  if (body !== 0) state.body = new Body(body === 1 ? NATIVE : WHOLE, host);
  return new Request(internal, state);
}

exports.Request = Request;
exports.createIncomingRequest = createIncomingRequest;
exports.getRequestState = getRequestState;
exports.makeState = makeState;
