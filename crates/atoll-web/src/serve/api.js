// From a request that the host received to the guest's handler and back. The host calls `configure` once, and
// `dispatch` for each request; everything a request needs only perhaps (URL, headers, body, signal) is made when asked for.
const { ObjectDefineProperty, ObjectFreeze, PromisePrototypeThen, PromiseResolve, ReflectApply, String, TypeError } = primordials;
const { createIncomingRequest } = use('web/request');
const { inspectResponse } = use('web/response');

let handler;
let receiver;
let env;

/**
 * Takes the app's module namespace and its environment, [name, value, …]. Returns '' or says what the module lacks: an app is
 * `export default { fetch }`, or any object with a `fetch` method.
 */
exports.configure = (namespace, variables) => {
  const app = namespace.default;
  if (app === undefined) return 'it has no default export';
  if (app === null || (typeof app !== 'object' && typeof app !== 'function')) return 'its default export is not an object';
  const method = app.fetch;
  if (typeof method !== 'function') return 'its default export has no fetch method';
  handler = method;
  receiver = app;
  env = {};
  for (let index = 0; index < variables.length; index += 2) {
    const value = variables[index + 1];
    ObjectDefineProperty(env, variables[index], { __proto__: null, value, enumerable: true });
  }
  ObjectFreeze(env);
  return '';
};

/** Text for the log: never throws, whatever was thrown. */
function describe(error) {
  try {
    const { inspect } = use('node:util').default;
    return inspect(error);
  } catch {
    try {
      return String(error);
    } catch {
      return 'an exception that can not be described';
    }
  }
}

/** `ctx`, the third argument of the handler. */
class ExecutionContext {
  #id;

  constructor(id) {
    this.#id = id;
  }

  /** Keeps the worker at work for this request until the promise settles, beyond the response. */
  waitUntil(promise) {
    const id = this.#id;
    native.retain(id);
    PromisePrototypeThen(
      PromiseResolve(promise),
      () => native.release(id),
      (error) => {
        native.failBehind(describe(error));
        native.release(id);
      },
    );
  }
}

/** Methods by the number that the host gives them; others it is asked for. */
const methods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'];

/** What createIncomingRequest asks for, when the guest does. */
class Incoming {
  #id;

  constructor(id) {
    this.#id = id;
  }

  url() {
    return native.url(this.#id);
  }

  headers() {
    return native.headers(this.#id);
  }

  signal() {
    return createSignal(this.#id);
  }

  read() {
    return native.readBody(this.#id);
  }

  text() {
    return native.bodyText(this.#id);
  }

  bytes() {
    return native.bodyBytes(this.#id);
  }

  cancel() {
    native.cancelBody(this.#id);
  }
}

/** The number by which the host knows the header lists that most responses have; others are passed as they are. */
function headerCode(headers) {
  if (headers.length === 0) return 0;
  if (headers.length === 2 && headers[0] === 'content-type') {
    if (headers[1] === 'text/plain;charset=UTF-8') return 1;
    if (headers[1] === 'application/json') return 2;
  }
  return headers;
}

function createSignal(id) {
  const { AbortController } = use('web/abort');
  const controller = new AbortController();
  const gone = native.clientGone(id);
  if (gone !== false) {
    PromisePrototypeThen(gone, (left) => {
      if (left) controller.abort(clientLeft());
    });
  }
  return controller.signal;
}

/**
 * Calls the handler for exchange `id`. `method` is a position in `methods`, or −1; `body` says what there is of it: 0 nothing, 1
 * chunks to come, 2 all of it.
 */
exports.dispatch = (id, method, body) => {
  const name = method < 0 ? native.method(id) : methods[method];
  const request = createIncomingRequest(name, new Incoming(id), body);
  let answer;
  try {
    answer = ReflectApply(handler, receiver, [request, env, new ExecutionContext(id)]);
    if (typeof answer === 'object' && answer !== null && typeof answer.then === 'function') {
      PromisePrototypeThen(
        PromiseResolve(answer),
        (response) => respond(id, response),
        (error) => native.fail(id, describe(error)),
      );
      return;
    }
  } catch (error) {
    native.fail(id, describe(error));
    return;
  }
  respond(id, answer);
};

function respond(id, response) {
  try {
    const { status, headers, kind, data } = inspectResponse(response);
    if (kind === 3) sendStream(id, status, headers, data);
    else native.respond(id, status, headerCode(headers), kind === 0 ? null : data);
  } catch (error) {
    const returned = error instanceof TypeError && typeof response !== 'object';
    native.fail(id, returned ? `the handler returned ${typeof response}, not a Response` : describe(error));
  }
}

/** Sends what `reader`, the stream's `{ read(): Promise<{ done, value }>, cancel(reason) }`, gives. */
async function sendStream(id, status, headers, stream) {
  const reader = stream.getReader();
  try {
    if (!native.respondStream(id, status, headers)) {
      await cancel(reader);
      return;
    }
  } catch (error) {
    native.fail(id, describe(error));
    await cancel(reader, error);
    return;
  }
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const taken = native.writeBody(id, value);
      if (!(taken === true || (await taken))) {
        await cancel(reader);
        break;
      }
    }
    native.endBody(id);
  } catch (error) {
    native.abortBody(id, describe(error));
    await cancel(reader, error);
  }
}

/** Why a request's signal is aborted, and its response's stream cancelled. */
function clientLeft() {
  const { DOMException } = use('web/dom-exception');
  return new DOMException('The client closed the connection', 'AbortError');
}

async function cancel(reader, reason = clientLeft()) {
  try {
    await reader.cancel(reason);
  } catch {
    // The stream is the guest's; that it fails to stop concerns nobody any more.
  }
}
