// node:child_process: a program starts no processes. Packages ask for these functions when they are loaded, whether they
// ever call one or not; and many that do go on without what they wanted to start. So a call comes to what it comes to in
// Node.js where the system refuses to execute the file: EACCES, thrown, passed to a callback, or as event.
const { ArrayIsArray, ArrayPrototypeJoin, ArrayPrototypeSlice, Error, ObjectAssign, ObjectDefineProperty, Promise, SymbolFor } = primordials;
const EventEmitter = use('node:events').default;
const { validateArray, validateFunction, validateObject, validateString } = use('node/internal/validators');
const process = use('node:process').default;

const EACCES = 13;
const PROMISIFY = SymbolFor('nodejs.util.promisify.custom');

function refusal(syscall, file, values) {
  const error = new Error(`${syscall} ${file} EACCES`);
  error.errno = -EACCES;
  error.code = 'EACCES';
  error.syscall = `${syscall} ${file}`;
  error.path = file;
  error.spawnargs = values;
  return error;
}

/** `(file, arguments, options, callback)`, of which all but the first may be missing. */
function parse(name, file, rest) {
  validateString(file, name);
  let index = 0;
  let values = [];
  if (ArrayIsArray(rest[0])) values = ArrayPrototypeSlice(rest[index++], 0);
  else if (rest[0] === undefined || rest[0] === null) index++;
  const options = typeof rest[index] === 'object' || rest[index] === undefined ? rest[index++] ?? {} : {};
  if (typeof options !== 'object') validateObject(options, 'options');
  return { file, values, options, callback: rest[index] };
}

/** What a process would be: it has failed to start. */
class ChildProcess extends EventEmitter {
  pid = undefined;
  stdin = null;
  stdout = null;
  stderr = null;
  connected = false;
  killed = false;
  exitCode = null;
  signalCode = null;
  spawnfile = null;
  spawnargs = [];

  spawn(options) {
    validateObject(options, 'options');
    validateString(options.file, 'options.file');
    if (options.args !== undefined) validateArray(options.args, 'options.args');
    this.spawnfile = options.file;
    this.spawnargs = options.args ?? [];
    this.#addStreams(options.stdio);
    process.nextTick(() => {
      this.exitCode = -EACCES;
      this.emit('error', refusal('spawn', this.spawnfile, ArrayPrototypeSlice(this.spawnargs, 1)));
      this.stdin?.destroy();
      this.stdout?.push(null);
      this.stderr?.push(null);
      this.emit('close', -EACCES, null);
    });
    return -EACCES;
  }

  /** Streams that take nothing and give nothing. */
  #addStreams(stdio = 'pipe') {
    const { Readable, Writable } = use('node:stream').default;
    const isPipe = (index) => (ArrayIsArray(stdio) ? stdio[index] ?? 'pipe' : stdio) === 'pipe';
    const readable = () => new Readable({ __proto__: null, read() {} });
    this.stdin = isPipe(0) ? new Writable({ __proto__: null, write: (chunk, encoding, done) => done() }) : null;
    this.stdout = isPipe(1) ? readable() : null;
    this.stderr = isPipe(2) ? readable() : null;
    this.stdio = [this.stdin, this.stdout, this.stderr];
  }

  kill() {
    return false;
  }

  ref() {}
  unref() {}
}

function start(file, values, options) {
  const child = new ChildProcess();
  child.spawn({ __proto__: null, file, args: [file, ...values], stdio: options.stdio });
  return child;
}

/** A child whose failure is told to the callback. */
function startFor(file, values, command, callback, options) {
  if (callback !== undefined && callback !== null) validateFunction(callback, 'callback');
  const child = start(file, values, { ...options, stdio: 'pipe' });
  child.on('error', (error) => {
    error.cmd = command;
    if (callback) callback(error, '', '');
  });
  return child;
}

function spawn(file, ...rest) {
  const { values, options } = parse('file', file, rest);
  return start(file, values, options);
}

function execFile(file, ...rest) {
  const { values, options, callback } = parse('file', file, rest);
  return startFor(file, values, ArrayPrototypeJoin([file, ...values], ' '), callback, options);
}

function exec(command, ...rest) {
  validateString(command, 'command');
  const hasOptions = typeof rest[0] === 'object';
  return startFor('/bin/sh', ['-c', command], command, hasOptions || rest[0] === undefined ? rest[1] : rest[0], rest[0]);
}

function fork(modulePath, ...rest) {
  validateString(modulePath, 'modulePath');
  const { values, options } = parse('modulePath', modulePath, rest);
  return start(process.execPath, [modulePath, ...values], options);
}

function failedSync(file, values) {
  const error = refusal('spawnSync', file, values);
  return { error, status: null, signal: null, output: null, pid: 0, stdout: null, stderr: null };
}

function spawnSync(file, ...rest) {
  const { values } = parse('file', file, rest);
  return failedSync(file, values);
}

function execFileSync(file, ...rest) {
  const { values } = parse('file', file, rest);
  const failed = failedSync(file, values);
  throw ObjectAssign(failed.error, failed);
}

function execSync(command) {
  validateString(command, 'command');
  const failed = failedSync('/bin/sh', ['-c', command]);
  throw ObjectAssign(failed.error, failed);
}

/** For `util.promisify`: what was written comes with the error. */
function definePromised(run) {
  const promised = (...values) =>
    new Promise((resolve, reject) => {
      run(...values, (error, stdout, stderr) => reject(ObjectAssign(error, { stdout, stderr })));
    });
  ObjectDefineProperty(run, PROMISIFY, { __proto__: null, value: promised, enumerable: false });
}
definePromised(exec);
definePromised(execFile);

exports.default = { ChildProcess, exec, execFile, execFileSync, execSync, fork, spawn, spawnSync };
