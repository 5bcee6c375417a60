// Event classes that carry data: https://dom.spec.whatwg.org/#interface-customevent,
// https://html.spec.whatwg.org/#the-errorevent-interface, #the-messageevent-interface, #the-promiserejectionevent-interface

const { ObjectDefineProperty, ObjectFreeze, TypeError } = primordials;
const webidl = use('web/webidl');
const { convert, defineEnumerable, illegalInvocation, isObject, member, nullable } = webidl;
const { requireArguments, setToStringTag } = webidl;
const { Event, initializeEvent } = use('web/events');

let isErrorEvent;

class CustomEvent extends Event {
  #detail;

  constructor(type, init = undefined) {
    requireArguments(arguments.length, 1, "Failed to construct 'CustomEvent'");
    super(type, init);
    this.#detail = init?.detail ?? null;
  }

  get detail() {
    return #detail in this ? this.#detail : illegalInvocation();
  }

  initCustomEvent(type, bubbles = false, cancelable = false, detail = null) {
    if (!(#detail in this)) illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'initCustomEvent' on 'CustomEvent'");
    if (initializeEvent(this, type, bubbles, cancelable)) this.#detail = detail;
  }
}

class ErrorEvent extends Event {
  #message;
  #filename;
  #lineno;
  #colno;
  #error;

  static {
    isErrorEvent = (event) => #error in event;
  }

  constructor(type, init = undefined) {
    requireArguments(arguments.length, 1, "Failed to construct 'ErrorEvent'");
    super(type, init);
    this.#message = member(init, 'message', convert.DOMString, '');
    this.#filename = member(init, 'filename', convert.USVString, '');
    this.#lineno = member(init, 'lineno', convert.unsignedLong, 0);
    this.#colno = member(init, 'colno', convert.unsignedLong, 0);
    this.#error = init?.error;
  }

  get message() {
    return #message in this ? this.#message : illegalInvocation();
  }

  get filename() {
    return #filename in this ? this.#filename : illegalInvocation();
  }

  get lineno() {
    return #lineno in this ? this.#lineno : illegalInvocation();
  }

  get colno() {
    return #colno in this ? this.#colno : illegalInvocation();
  }

  get error() {
    return #error in this ? this.#error : illegalInvocation();
  }
}

class MessageEvent extends Event {
  #data;
  #origin;
  #lastEventId;
  #source;
  #ports;

  constructor(type, init = undefined) {
    requireArguments(arguments.length, 1, "Failed to construct 'MessageEvent'");
    super(type, init);
    this.#data = init?.data ?? null;
    this.#origin = member(init, 'origin', convert.USVString, '');
    this.#lastEventId = member(init, 'lastEventId', convert.DOMString, '');
    this.#source = member(init, 'source', nullable(convert.object), null);
    this.#ports = ObjectFreeze(member(init, 'ports', convert.sequence, []));
  }

  get data() {
    return #data in this ? this.#data : illegalInvocation();
  }

  get origin() {
    return #origin in this ? this.#origin : illegalInvocation();
  }

  get lastEventId() {
    return #lastEventId in this ? this.#lastEventId : illegalInvocation();
  }

  get source() {
    return #source in this ? this.#source : illegalInvocation();
  }

  get ports() {
    return #ports in this ? this.#ports : illegalInvocation();
  }
}

class PromiseRejectionEvent extends Event {
  #promise;
  #reason;

  constructor(type, init) {
    requireArguments(arguments.length, 2, "Failed to construct 'PromiseRejectionEvent'");
    super(type, init);
    if (!isObject(init?.promise)) {
      throw new TypeError("Failed to construct 'PromiseRejectionEvent': the member 'promise' is required.");
    }
    this.#promise = init.promise;
    this.#reason = init.reason;
  }

  get promise() {
    return #promise in this ? this.#promise : illegalInvocation();
  }

  get reason() {
    return #reason in this ? this.#reason : illegalInvocation();
  }
}

function finish(Class, name, members, length) {
  ObjectDefineProperty(Class, 'length', { __proto__: null, value: length, configurable: true });
  defineEnumerable(Class, members);
  setToStringTag(Class, name);
}

finish(CustomEvent, 'CustomEvent', ['detail', 'initCustomEvent'], 1);
finish(ErrorEvent, 'ErrorEvent', ['message', 'filename', 'lineno', 'colno', 'error'], 1);
finish(MessageEvent, 'MessageEvent', ['data', 'origin', 'lastEventId', 'source', 'ports'], 1);
finish(PromiseRejectionEvent, 'PromiseRejectionEvent', ['promise', 'reason'], 2);

exports.CustomEvent = CustomEvent;
exports.ErrorEvent = ErrorEvent;
exports.MessageEvent = MessageEvent;
exports.PromiseRejectionEvent = PromiseRejectionEvent;
exports.isErrorEvent = isErrorEvent;
