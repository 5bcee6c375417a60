// Response.
const { JSONStringify, RangeError, RegExpPrototypeExec, SymbolFor, TypeError } = primordials;
const { BLOB, BYTES, Body, STRING, defineBodyMixin, extractBody, takeSource } = use('web/body');
const { HeaderList, createHeaders } = use('web/headers');
const { convert, defineEnumerable, defineEnumerableStatic, illegalInvocation, requireArguments, setToStringTag } = use('web/webidl');

/** What HTTP allows as a reason phrase. */
const reasonPhrase = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Blobs up to this size are sent in one piece: copying them costs less than streaming them. */
const MAX_WHOLE_BLOB_BYTES = 1024 * 1024;

const NO_BODY = 0;

/** What a Response is, without its shell. */
class ResponseState {
  status = 200;
  statusText = '';
  type = 'default';
  url = '';
  redirected = false;
  /** A Body or null. */
  body = null;
  headerList;
  immutableHeaders = false;
  #headers = null;

  constructor(headerList) {
    this.headerList = headerList;
  }

  get headers() {
    this.#headers ??= createHeaders(this.headerList, this.immutableHeaders);
    return this.#headers;
  }
}

/** Reads a ResponseInit into a new state. */
function readInit(init, context) {
  const state = new ResponseState(new HeaderList());
  if (init === undefined || init === null) return state;
  if (typeof init !== 'object' && typeof init !== 'function') throw new TypeError(`${context}: parameter 2 is not an object`);
  const { headers } = init;
  if (headers !== undefined) state.headerList.fill(headers, context);
  const { status } = init;
  if (status !== undefined) {
    const code = convert.unsignedShort(status, `${context}: status`);
    if (code < 200 || code > 599) throw new RangeError(`${context}: the status ${code} is outside the range 200 to 599`);
    state.status = code;
  }
  const { statusText } = init;
  if (statusText !== undefined) {
    const text = convert.ByteString(statusText, `${context}: statusText`);
    if (RegExpPrototypeExec(reasonPhrase, text) === null) {
      throw new TypeError(`${context}: the statusText has a character that HTTP does not allow`);
    }
    state.statusText = text;
  }
  return state;
}

/** Adds a body to a fresh state. */
function setBody(state, { body, type }, context) {
  const { status } = state;
  if (status === 204 || status === 205 || status === 304) {
    throw new TypeError(`${context}: a response with the status ${status} can't have a body`);
  }
  state.body = body;
  if (type === null) return;
  const { headerList } = state;
  // Most responses have no other field.
  if (headerList.flat.length === 0) headerList.flat = ['content-type', type];
  else if (!headerList.has('content-type')) headerList.append('content-type', type);
}

const internal = { __proto__: null };
/** The ResponseState of a Response; undefined for anything else. */
let getResponseState;

class Response {
  #state;

  constructor(body = undefined, init = undefined) {
    if (body === internal) {
      this.#state = init;
      return;
    }
    const context = "Failed to construct 'Response'";
    const extracted = body === undefined || body === null ? null : extractBody(body, context);
    this.#state = readInit(init, context);
    if (extracted !== null) setBody(this.#state, extracted, context);
  }

  static error() {
    const state = new ResponseState(new HeaderList());
    state.status = 0;
    state.type = 'error';
    state.immutableHeaders = true;
    return new Response(internal, state);
  }

  static json(data, init = undefined) {
    const context = "Failed to execute 'json' on 'Response'";
    requireArguments(arguments.length, 1, context);
    const text = JSONStringify(data);
    if (text === undefined) throw new TypeError(`${context}: the value has no JSON form`);
    const state = readInit(init, context);
    setBody(state, { body: new Body(STRING, text), type: 'application/json' }, context);
    return new Response(internal, state);
  }

  static redirect(url, status = 302) {
    const context = "Failed to execute 'redirect' on 'Response'";
    requireArguments(arguments.length, 1, context);
    const text = convert.USVString(url);
    const code = convert.unsignedShort(status, `${context}: status`);
    const parts = use('web/url').parseParts(text, undefined);
    if (parts === undefined) throw new TypeError(`${context}: '${text}' is not a valid URL`);
    if (code !== 301 && code !== 302 && code !== 303 && code !== 307 && code !== 308) {
      throw new RangeError(`${context}: ${code} is not a redirect status`);
    }
    const state = new ResponseState(new HeaderList(['location', parts.href]));
    state.status = code;
    state.immutableHeaders = true;
    return new Response(internal, state);
  }

  get type() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.type;
  }

  get url() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.url;
  }

  get redirected() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.redirected;
  }

  get status() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.status;
  }

  get ok() {
    if (!(#state in this)) throw illegalInvocation();
    const { status } = this.#state;
    return status >= 200 && status <= 299;
  }

  get statusText() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.statusText;
  }

  get headers() {
    if (!(#state in this)) throw illegalInvocation();
    return this.#state.headers;
  }

  clone() {
    if (!(#state in this)) throw illegalInvocation();
    const state = this.#state;
    if (state.body !== null && state.body.unusable) {
      throw new TypeError("Failed to execute 'clone' on 'Response': the body has already been read, or is locked");
    }
    const copy = new ResponseState(state.headerList.clone());
    copy.status = state.status;
    copy.statusText = state.statusText;
    copy.type = state.type;
    copy.url = state.url;
    copy.redirected = state.redirected;
    copy.immutableHeaders = state.immutableHeaders;
    if (state.body !== null) copy.body = state.body.clone();
    return new Response(internal, copy);
  }

  [SymbolFor('nodejs.util.inspect.custom')](depth, options, inspect) {
    const state = getResponseState(this);
    if (state === undefined) return 'Response';
    const { status, statusText, headers, redirected, type, url, body } = state;
    // Without the body itself: to look at it would make it a stream.
    const shown = { status, statusText, headers, bodyUsed: body !== null && body.used, redirected, type, url };
    return typeof depth === 'number' && depth < 0 ? `[Response ${status}]` : `Response ${inspect(shown, options)}`;
  }

  static {
    getResponseState = (response) => {
      return typeof response === 'object' && response !== null && #state in response ? response.#state : undefined;
    };
  }
}
defineBodyMixin(Response, getResponseState);
defineEnumerable(Response, ['clone', 'headers', 'ok', 'redirected', 'status', 'statusText', 'type', 'url']);
defineEnumerableStatic(Response, ['error', 'json', 'redirect']);
setToStringTag(Response, 'Response');

/** A Response to an outgoing request. `flat` is [lower-case name, value, …]; `body` a Body or null. */
function createFetchResponse({ status, statusText, flat, url, redirected, body }) {
  const state = new ResponseState(new HeaderList(flat));
  state.status = status;
  state.statusText = statusText;
  state.type = 'basic';
  state.url = url;
  state.redirected = redirected;
  state.body = body;
  state.immutableHeaders = true;
  return new Response(internal, state);
}

/**
 * Takes a Response apart to send it, which uses up its body: `{ status, headers: [lower-case name, value, …], kind, data }`. `kind` says
 * what `data` is: 0 nothing, 1 a string, 2 a Uint8Array, 3 a source: `{ getReader() }`, whose reader has read(), a promise of
 * `{ done, value: Uint8Array }`, and cancel(reason). TypeError unless it is a Response with a usable body; Response.error() is none.
 */
function inspectResponse(response) {
  const state = getResponseState(response);
  if (state === undefined) throw new TypeError('The handler did not return a Response');
  if (state.type === 'error') throw new TypeError('The handler returned a network error (Response.error())');
  const { status, body } = state;
  const headers = state.headerList.flat;
  if (body === null) return { status, headers, kind: NO_BODY, data: null };
  if (body.unusable) throw new TypeError('The body of the returned Response has already been read, or is locked');
  switch (body.kind) {
    case STRING:
    case BYTES:
      body.use();
      return { status, headers, kind: body.kind, data: body.data };
    case BLOB:
      if (body.data.size <= MAX_WHOLE_BLOB_BYTES) {
        body.use();
        return { status, headers, kind: BYTES, data: use('web/blob').blobBytes(body.data) };
      }
      break;
    default:
  }
  return { status, headers, kind: 3, data: takeSource(body) };
}

exports.Response = Response;
exports.createFetchResponse = createFetchResponse;
exports.getResponseState = getResponseState;
exports.inspectResponse = inspectResponse;
