// fetch(): the Fetch Standard's steps for a client without pages, caches, cookies and CORS. Natives carry one hop; redirects are here.
const {
  ArrayPrototypePush, FinalizationRegistry, FinalizationRegistryPrototypeRegister, ObjectDefineProperty, Promise,
  PromisePrototypeThen, PromiseReject, PromiseResolve, StringPrototypeIndexOf, StringPrototypeSlice, TypeError,
} = primordials;
const { abortReason, addAbortAlgorithm, isAborted, removeAbortAlgorithm } = use('web/abort');
const { BLOB, BYTES, Body, NATIVE, STREAM, STRING, takeSource } = use('web/body');
const { blobBytes } = use('web/blob');
const { encodeUtf8 } = use('web/encoding');
const { readDataUrl } = use('web/fetch/data_url');
const { makeState } = use('web/request');
const { createFetchResponse } = use('web/response');
const { parseParts } = use('web/url');
const { requireArguments } = use('web/webidl');

/** Redirects followed in one fetch; the standard's number. */
const MAX_REDIRECTS = 20;

/** Blobs up to this size are uploaded in one piece. */
const MAX_WHOLE_BLOB_BYTES = 1024 * 1024;

// Made with the first fetch: ends the exchange of a response that was dropped with its body unread.
let abandoned = null;

function fetch(input, init = undefined) {
  let request;
  try {
    requireArguments(arguments.length, 1, "Failed to execute 'fetch'");
    request = makeState(input, init, "Failed to execute 'fetch'");
  } catch (error) {
    return PromiseReject(error);
  }
  const signal = request.abortSignal;
  if (signal !== null && isAborted(signal)) {
    const reason = abortReason(signal);
    if (request.body !== null) ignore(request.body.cancel(reason));
    return PromiseReject(reason);
  }
  return new Promise((resolve, reject) => new Fetch(request, signal, resolve, reject).run());
}

function ignore(promise) {
  PromisePrototypeThen(promise, undefined, () => {});
}

function failure(cause) {
  // The message is the one that libraries look for to tell network errors from others.
  const error = new TypeError('fetch failed');
  ObjectDefineProperty(error, 'cause', { __proto__: null, value: cause, writable: true, enumerable: false, configurable: true });
  return error;
}

/** One fetch, from its first hop to the end of its response's body. */
class Fetch {
  #signal;
  #resolve;
  #reject;
  #method;
  #url;
  #headers;
  #redirect;
  #mode;
  #body;
  /** The body as bytes, when it can be sent again; null for none and for streams. */
  #bytes = null;
  #redirects = 0;
  /** The exchange of the hop under way; 0 for none. */
  #id = 0;
  #upload = null;
  #uploadError = null;
  #source = null;
  #abort = null;

  constructor(request, signal, resolve, reject) {
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#method = request.method;
    this.#url = request.url;
    this.#headers = request.headerList.clone();
    this.#redirect = request.redirect;
    this.#mode = request.mode;
    this.#body = request.body;
  }

  run() {
    if (this.#signal !== null) {
      this.#abort = () => this.#aborted();
      addAbortAlgorithm(this.#signal, this.#abort);
    }
    this.#takeWholeBody();
    if (!this.#headers.has('accept')) this.#headers.append('accept', '*/*');
    if (!this.#headers.has('accept-language')) this.#headers.append('accept-language', '*');
    this.#hop();
  }

  /** A body that is in memory is sent in one piece, and can be sent again. */
  #takeWholeBody() {
    const body = this.#body;
    if (body === null) return;
    if (body.kind === STRING) this.#bytes = encodeUtf8(body.data);
    else if (body.kind === BYTES) this.#bytes = body.data;
    else if (body.kind === BLOB && body.data.size <= MAX_WHOLE_BLOB_BYTES) this.#bytes = blobBytes(body.data);
    else return;
    body.use();
  }

  #hop() {
    const scheme = StringPrototypeSlice(this.#url, 0, StringPrototypeIndexOf(this.#url, ':'));
    if (scheme === 'data') {
      this.#answerDataUrl();
      return;
    }
    if (scheme !== 'http' && scheme !== 'https') {
      this.#fail(new TypeError(`The URL scheme '${scheme}' is not supported`));
      return;
    }
    const streamed = this.#body !== null && this.#bytes === null;
    let response;
    try {
      this.#id = native.open(streamed);
      const body = this.#body === null ? null : streamed ? true : this.#bytes;
      response = native.start(this.#id, this.#method, withoutFragment(this.#url), this.#headers.flat, body);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (streamed) this.#pump(this.#id);
    PromisePrototypeThen(response, (answer) => this.#answered(answer), (error) => this.#fail(this.#uploadError ?? error));
  }

  /** Uploads the body's stream, one chunk at a time. */
  #pump(id) {
    const reader = takeSource(this.#body).getReader();
    this.#upload = reader;
    const stop = (error) => {
      // The stream's own error is the fetch's, not what the broken upload looks like from the other side.
      this.#uploadError ??= error;
      this.#upload = null;
      native.cancel(id);
    };
    const step = () => PromisePrototypeThen(reader.read(), send, stop);
    const send = ({ done, value }) => {
      if (this.#upload === null) return;
      if (done) {
        this.#upload = null;
        native.endBody(id);
        return;
      }
      PromisePrototypeThen(native.writeBody(id, value), (taken) => {
        if (taken) {
          step();
        } else if (this.#upload !== null) {
          this.#upload = null;
          ignore(reader.cancel(new TypeError('The server did not read all of the body')));
        }
      }, stop);
    };
    step();
  }

  #answered({ status, statusText, headers, hasBody }) {
    if (this.#id === 0) return; // aborted meanwhile
    const isRedirect = status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
    if (isRedirect && this.#redirect !== 'manual') {
      if (this.#redirect === 'error') {
        this.#fail(new TypeError(`The server redirects with status ${status}, which this request does not allow`));
        return;
      }
      const location = findHeader(headers, 'location');
      if (location !== null) {
        this.#follow(status, location);
        return;
      }
    }
    let body = null;
    const id = this.#id;
    if (hasBody && this.#method !== 'HEAD') {
      this.#source = new ResponseSource(id, () => this.#finished());
      body = new Body(NATIVE, this.#source);
      this.#source.body = body;
    } else {
      if (hasBody) native.cancel(id);
      this.#finished();
    }
    const url = withoutFragment(this.#url);
    const response = createFetchResponse({ status, statusText, flat: headers, url, redirected: this.#redirects > 0, body });
    if (body !== null) {
      abandoned ??= new FinalizationRegistry((unread) => native.cancel(unread));
      FinalizationRegistryPrototypeRegister(abandoned, body, id);
    }
    this.#resolve(response);
  }

  /** The standard's "HTTP-redirect fetch". */
  #follow(status, location) {
    native.cancel(this.#id);
    this.#id = 0;
    const current = parseParts(this.#url, undefined);
    const target = parseParts(location, this.#url);
    if (target === undefined) {
      this.#fail(new TypeError(`The server redirects to '${location}', which is not a valid URL`));
      return;
    }
    const scheme = StringPrototypeSlice(target.href, 0, target.schemeEnd);
    if (scheme !== 'http' && scheme !== 'https') {
      this.#fail(new TypeError(`The server redirects to a URL with the scheme '${scheme}'`));
      return;
    }
    this.#redirects++;
    if (this.#redirects > MAX_REDIRECTS) {
      this.#fail(new TypeError(`The server redirects more than ${MAX_REDIRECTS} times`));
      return;
    }
    const crossOrigin = originOf(target) !== originOf(current);
    const hasCredentials = target.usernameEnd > target.schemeEnd + 3 || target.passwordEnd > target.usernameEnd;
    if (crossOrigin && hasCredentials && this.#mode === 'cors') {
      this.#fail(new TypeError('The server redirects to a URL of another origin with credentials'));
      return;
    }
    if (status !== 303 && this.#body !== null && this.#bytes === null) {
      this.#fail(new TypeError('The server redirects a request whose body is a stream, which can not be sent again'));
      return;
    }
    const becomesGet =
      ((status === 301 || status === 302) && this.#method === 'POST') ||
      (status === 303 && this.#method !== 'GET' && this.#method !== 'HEAD');
    if (becomesGet) {
      this.#method = 'GET';
      this.#dropBody();
    }
    if (crossOrigin) {
      const headers = this.#headers;
      headers.delete('authorization');
      headers.delete('proxy-authorization');
      headers.delete('cookie');
      headers.delete('host');
    }
    const fragment = StringPrototypeSlice(current.href, current.queryEnd);
    this.#url = target.queryEnd === target.href.length ? target.href + fragment : target.href;
    this.#hop();
  }

  #dropBody() {
    if (this.#upload !== null) {
      const reader = this.#upload;
      this.#upload = null;
      ignore(reader.cancel(new TypeError('The server redirected without reading all of the body')));
    }
    this.#body = null;
    this.#bytes = null;
    const headers = this.#headers;
    headers.delete('content-encoding');
    headers.delete('content-language');
    headers.delete('content-length');
    headers.delete('content-location');
    headers.delete('content-type');
  }

  #answerDataUrl() {
    const url = withoutFragment(this.#url);
    const data = readDataUrl(url);
    if (data === null) {
      this.#fail(new TypeError('The data: URL is malformed'));
      return;
    }
    this.#finished();
    const flat = [];
    ArrayPrototypePush(flat, 'content-type', data.type);
    this.#resolve(createFetchResponse({ status: 200, statusText: 'OK', flat, url, redirected: false, body: new Body(BYTES, data.bytes) }));
  }

  #fail(cause) {
    const id = this.#id;
    const upload = this.#upload;
    this.#upload = null;
    this.#finished();
    if (id !== 0) native.cancel(id);
    const error = failure(cause);
    if (upload !== null) ignore(upload.cancel(error));
    else if (this.#body !== null && this.#body.kind === STREAM && !this.#body.unusable) ignore(this.#body.cancel(error));
    this.#reject(error);
  }

  #aborted() {
    const reason = abortReason(this.#signal);
    const id = this.#id;
    const upload = this.#upload;
    this.#id = 0;
    this.#upload = null;
    if (id !== 0) native.cancel(id);
    if (upload !== null) ignore(upload.cancel(reason));
    if (this.#source !== null) this.#source.abort(reason);
    this.#reject(reason);
  }

  /** Nothing is left to abort. */
  #finished() {
    this.#id = 0;
    if (this.#abort !== null) removeAbortAlgorithm(this.#signal, this.#abort);
    this.#abort = null;
  }
}

/** A response's body: what a Body of kind NATIVE reads from. */
class ResponseSource {
  /** The Body, whose stream, if it has one, fails when the fetch is aborted. */
  body = null;
  #id;
  #finished;
  #aborted = null;

  constructor(id, finished) {
    this.#id = id;
    this.#finished = finished;
  }

  read() {
    if (this.#aborted !== null) return PromiseReject(this.#aborted.reason);
    return PromisePrototypeThen(
      native.readBody(this.#id),
      (chunk) => {
        if (this.#aborted !== null) throw this.#aborted.reason;
        if (chunk === null) this.#end();
        return chunk;
      },
      (error) => {
        if (this.#aborted !== null) throw this.#aborted.reason;
        this.#end();
        throw terminated(error);
      },
    );
  }

  cancel() {
    native.cancel(this.#id);
    this.#end();
    return PromiseResolve(undefined);
  }

  abort(reason) {
    this.#aborted = { reason };
    const stream = this.body?.stream ?? null;
    if (stream !== null) stream.controller.error(reason);
    this.body = null;
  }

  #end() {
    this.body = null;
    const finished = this.#finished;
    finished();
  }
}

function terminated(cause) {
  const error = new TypeError('terminated');
  ObjectDefineProperty(error, 'cause', { __proto__: null, value: cause, writable: true, enumerable: false, configurable: true });
  return error;
}

function findHeader(flat, name) {
  for (let index = 0; index < flat.length; index += 2) {
    if (flat[index] === name) return flat[index + 1];
  }
  return null;
}

function withoutFragment(url) {
  const hash = StringPrototypeIndexOf(url, '#');
  return hash === -1 ? url : StringPrototypeSlice(url, 0, hash);
}

/** Of an HTTP URL's parts. */
function originOf({ href, schemeEnd, hostStart, portEnd }) {
  return `${StringPrototypeSlice(href, 0, schemeEnd)}://${StringPrototypeSlice(href, hostStart, portEnd)}`;
}

exports.fetch = fetch;
