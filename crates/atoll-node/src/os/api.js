// node:os. The machine is virtual: what it says comes from the worker's host, never from the computer under it.
const { ArrayPrototypePush, Error, ObjectDefineProperty, ObjectFreeze, SymbolToPrimitive } = primordials;
const { validateInt32 } = use('node/internal/validators');

const info = native.info();

const SIGNALS = {
  __proto__: null,
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGIOT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGCHLD: 17,
  SIGSTKFLT: 16,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPOLL: 29,
  SIGPWR: 30,
  SIGSYS: 31,
};
const PRIORITIES = {
  __proto__: null,
  PRIORITY_LOW: 19,
  PRIORITY_BELOW_NORMAL: 10,
  PRIORITY_NORMAL: 0,
  PRIORITY_ABOVE_NORMAL: -7,
  PRIORITY_HIGH: -14,
  PRIORITY_HIGHEST: -20,
};

function errnoConstants() {
  const { ERRNO } = use('node/internal/errno');
  const constants = { __proto__: null };
  for (const number in ERRNO) if (+number < 4000) constants[ERRNO[number][0]] = +number;
  constants.EWOULDBLOCK = constants.EAGAIN;
  constants.EOPNOTSUPP = constants.ENOTSUP;
  return ObjectFreeze(constants);
}

/** Functions whose value is also what they convert to, as `${os.EOL}`-style code expects of them. */
function constant(name, value) {
  const read = { [name]: () => value }[name];
  ObjectDefineProperty(read, SymbolToPrimitive, { __proto__: null, value: () => value, configurable: true });
  return read;
}

const os = {
  arch: constant('arch', info.arch),
  availableParallelism: constant('availableParallelism', info.cpus),
  cpus() {
    const list = [];
    for (let index = 0; index < info.cpus; index++)
      ArrayPrototypePush(list, { model: 'virtual', speed: 0, times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } });
    return list;
  },
  endianness: constant('endianness', 'LE'),
  freemem: constant('freemem', info.freeBytes),
  getPriority(pid) {
    if (pid !== undefined) validateInt32(pid, 'pid');
    return 0;
  },
  homedir: constant('homedir', info.home),
  hostname: constant('hostname', info.hostname),
  loadavg: () => [0, 0, 0],
  machine: constant('machine', info.arch === 'x64' ? 'x86_64' : 'aarch64'),
  networkInterfaces: () => ({}),
  platform: constant('platform', 'linux'),
  release: constant('release', info.release),
  tmpdir: constant('tmpdir', info.temporary),
  totalmem: constant('totalmem', info.totalBytes),
  type: constant('type', 'Linux'),
  uptime: constant('uptime', 0),
  userInfo(options) {
    const { Buffer } = use('node:buffer').default;
    const text = options?.encoding === 'buffer' ? (value) => Buffer.from(value) : (value) => value;
    return { uid: info.uid, gid: info.gid, username: text(info.user), homedir: text(info.home), shell: null };
  },
  version: constant('version', info.version),
  EOL: '\n',
  devNull: '/dev/null',
};
os.uptime = function uptime() {
  return use('node:process').default.uptime();
};
os.setPriority = function setPriority(pid, priority) {
  const value = priority === undefined ? pid : priority;
  validateInt32(value, 'priority', PRIORITIES.PRIORITY_HIGHEST, PRIORITIES.PRIORITY_LOW);
  throw use('node/internal/errors').codedError(
    Error,
    'ERR_WORKER_UNSUPPORTED_OPERATION',
    'os.setPriority() is not supported in workers',
    setPriority,
  );
};
let constants;
ObjectDefineProperty(os, 'constants', {
  __proto__: null,
  enumerable: true,
  configurable: false,
  get() {
    constants ??= ObjectFreeze({
      __proto__: null,
      UV_UDP_REUSEADDR: 4,
      dlopen: ObjectFreeze({ __proto__: null }),
      errno: errnoConstants(),
      signals: ObjectFreeze(SIGNALS),
      priority: ObjectFreeze(PRIORITIES),
    });
    return constants;
  },
});
exports.default = os;
