// node:worker_threads: what a program can know of itself, which is its only thread. It starts no others, and there is nobody
// to exchange messages with.
const { SafeMap, SymbolFor } = primordials;
const EventEmitter = use('node:events').default;
const { ERR_ACCESS_DENIED } = use('node/internal/errors');

/** What another thread would be: making one is what Node's permission model refuses. */
class Worker extends EventEmitter {
  constructor(filename) {
    super();
    throw ERR_ACCESS_DENIED('A program has one thread.', 'WorkerThreads', `${filename}`);
  }
}

const data = new SafeMap();

exports.default = {
  isMainThread: true,
  parentPort: null,
  resourceLimits: {},
  SHARE_ENV: SymbolFor('nodejs.worker_threads.SHARE_ENV'),
  threadId: 0,
  Worker,
  workerData: null,
  getEnvironmentData: (key) => data.get(key),
  setEnvironmentData: (key, value) => {
    if (value === undefined) data.delete(key);
    else data.set(key, value);
  },
};
