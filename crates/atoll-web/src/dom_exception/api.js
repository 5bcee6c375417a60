// DOMException: https://webidl.spec.whatwg.org/#idl-DOMException

const {
  Error,
  ErrorPrototype,
  ObjectDefineProperty,
  ObjectSetPrototypeOf,
  RangeError,
  SyntaxError,
  TypeError,
} = primordials;
const { convert, defineConstants, defineEnumerable, illegalInvocation, setToStringTag } = use('web/webidl');

// Names that had a number before they had a name, in the order of their codes; the gaps are names that are gone.
const LEGACY_CODES = {
  __proto__: null,
  IndexSizeError: 1,
  HierarchyRequestError: 3,
  WrongDocumentError: 4,
  InvalidCharacterError: 5,
  NoModificationAllowedError: 7,
  NotFoundError: 8,
  NotSupportedError: 9,
  InUseAttributeError: 10,
  InvalidStateError: 11,
  SyntaxError: 12,
  InvalidModificationError: 13,
  NamespaceError: 14,
  InvalidAccessError: 15,
  TypeMismatchError: 17,
  SecurityError: 18,
  NetworkError: 19,
  AbortError: 20,
  URLMismatchError: 21,
  QuotaExceededError: 22,
  TimeoutError: 23,
  InvalidNodeTypeError: 24,
  DataCloneError: 25,
};

const CONSTANTS = {
  __proto__: null,
  INDEX_SIZE_ERR: 1,
  DOMSTRING_SIZE_ERR: 2,
  HIERARCHY_REQUEST_ERR: 3,
  WRONG_DOCUMENT_ERR: 4,
  INVALID_CHARACTER_ERR: 5,
  NO_DATA_ALLOWED_ERR: 6,
  NO_MODIFICATION_ALLOWED_ERR: 7,
  NOT_FOUND_ERR: 8,
  NOT_SUPPORTED_ERR: 9,
  INUSE_ATTRIBUTE_ERR: 10,
  INVALID_STATE_ERR: 11,
  SYNTAX_ERR: 12,
  INVALID_MODIFICATION_ERR: 13,
  NAMESPACE_ERR: 14,
  INVALID_ACCESS_ERR: 15,
  VALIDATION_ERR: 16,
  TYPE_MISMATCH_ERR: 17,
  SECURITY_ERR: 18,
  NETWORK_ERR: 19,
  ABORT_ERR: 20,
  URL_MISMATCH_ERR: 21,
  QUOTA_EXCEEDED_ERR: 22,
  TIMEOUT_ERR: 23,
  INVALID_NODE_TYPE_ERR: 24,
  DATA_CLONE_ERR: 25,
};

function identity(object) {
  return object;
}

// A DOMException must be a real error object (Error.isError, a captured stack), yet its class does not extend Error.
// So its constructor makes an Error, and this stamps the private state onto it.
class State extends identity {
  #message;
  #name;

  constructor(error, message, name) {
    super(error);
    this.#message = message;
    this.#name = name;
  }

  static is(value) {
    return #name in value;
  }

  static message(error) {
    return error !== null && typeof error === 'object' && #name in error ? error.#message : illegalInvocation();
  }

  static exceptionName(error) {
    return error !== null && typeof error === 'object' && #name in error ? error.#name : illegalInvocation();
  }
}

class DOMException {
  constructor(message = '', options = 'Error') {
    const text = convert.DOMString(message);
    let name = 'Error';
    let cause;
    let hasCause = false;
    if (typeof options === 'object' && options !== null) {
      // Node's extension: { name, cause }.
      if (options.name !== undefined) name = convert.DOMString(options.name);
      hasCause = 'cause' in options;
      if (hasCause) cause = options.cause;
    } else {
      name = convert.DOMString(options);
    }
    // Captures the stack; its text, which begins with name and message, is made when somebody reads it.
    const error = new Error();
    ObjectSetPrototypeOf(error, new.target.prototype);
    new State(error, text, name);
    if (hasCause) {
      ObjectDefineProperty(error, 'cause', { __proto__: null, value: cause, configurable: true, writable: true, enumerable: false });
    }
    return error;
  }

  get name() {
    return State.exceptionName(this);
  }

  get message() {
    return State.message(this);
  }

  get code() {
    return LEGACY_CODES[State.exceptionName(this)] ?? 0;
  }
}

ObjectSetPrototypeOf(DOMException.prototype, ErrorPrototype);
ObjectDefineProperty(DOMException, 'length', { __proto__: null, value: 0, configurable: true });
defineEnumerable(DOMException, ['name', 'message', 'code']);
defineConstants(DOMException, CONSTANTS);
setToStringTag(DOMException, 'DOMException');

exports.DOMException = DOMException;

/** Whether a value is a DOMException, whatever was done to its prototype. */
exports.isDOMException = (value) => typeof value === 'object' && value !== null && State.is(value);

/**
 * Makes an error: `kind` is 'Error', 'TypeError', 'RangeError', 'SyntaxError' for those classes, or any name of a
 * DOMException. (The DOMException of the name SyntaxError is made with `new DOMException`.)
 */
exports.createError = (kind, message) => {
  switch (kind) {
    case 'Error':
      return new Error(message);
    case 'TypeError':
      return new TypeError(message);
    case 'RangeError':
      return new RangeError(message);
    case 'SyntaxError':
      return new SyntaxError(message);
    default:
      return new DOMException(message, kind);
  }
};
