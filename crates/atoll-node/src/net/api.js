// node:net: what many packages want of it, whether a text is an IP address. A program has no sockets; the functions that
// would make them are there because packages take them when they are loaded, and throw what Node's permission model throws.
const { ObjectDefineProperty } = primordials;
const { ERR_ACCESS_DENIED } = use('node/internal/errors');
const { validateBoolean, validateInt32 } = use('node/internal/validators');
const EventEmitter = use('node:events').default;

const isIP = (input) => native.family(`${input}`);

const MIN_ATTEMPT_MS = 10; // Node raises lower ones to it
let autoSelectFamily = true;
let attemptTimeoutMs = 250;

function refuse() {
  throw ERR_ACCESS_DENIED('A program has no sockets; fetch() sends requests.', 'Net', '');
}

class Socket extends EventEmitter {
  constructor() {
    super();
    refuse();
  }
}

class Server extends EventEmitter {
  constructor() {
    super();
    refuse();
  }
}

const net = {
  isIP,
  isIPv4: (input) => isIP(input) === 4,
  isIPv6: (input) => isIP(input) === 6,
  getDefaultAutoSelectFamily: () => autoSelectFamily,
  setDefaultAutoSelectFamily(value) {
    validateBoolean(value, 'value');
    autoSelectFamily = value;
  },
  getDefaultAutoSelectFamilyAttemptTimeout: () => attemptTimeoutMs,
  setDefaultAutoSelectFamilyAttemptTimeout(value) {
    validateInt32(value, 'value', 1);
    attemptTimeoutMs = value < MIN_ATTEMPT_MS ? MIN_ATTEMPT_MS : value;
  },
  Server,
  Socket,
  Stream: Socket,
};
const REFUSED = ['connect', 'createConnection', 'createServer'];
for (let index = 0; index < REFUSED.length; index++) {
  const open = () => refuse();
  ObjectDefineProperty(open, 'name', { __proto__: null, value: REFUSED[index], configurable: true });
  net[REFUSED[index]] = open;
}

exports.default = net;
