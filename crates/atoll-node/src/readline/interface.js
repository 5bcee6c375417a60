// The readline interface: lines out of a stream, as events or by an async iterator.
const {
  ArrayIsArray,
  ArrayPrototypeSlice,
  AsyncIteratorPrototype,
  DateNow,
  FunctionPrototypeCall,
  ObjectDefineProperties,
  ObjectSetPrototypeOf,
  PromisePrototypeThen,
  RegExpPrototypeExec,
  StringPrototypeEndsWith,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  SymbolAsyncIterator,
  SymbolDispose,
} = primordials;
const { ERR_FEATURE_UNAVAILABLE_ON_PLATFORM, ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_USE_AFTER_CLOSE } =
  use('node/internal/errors');
const { validateAbortSignal, validateArray, validateNumber, validateString, validateUint32 } =
  use('node/internal/validators');
const { onAbort } = use('node/internal/stream/abort');
const EventEmitter = use('node:events').default;
const { on } = EventEmitter;
const { StringDecoder } = use('node:string_decoder').default;
const process = use('node:process').default;

const MIN_CRLF_DELAY_MS = 100; // between \r and \n of one line end (Node's number)
const HISTORY_LINES = 30; // Node's default; without a terminal nothing is added to the history
const MAX_WAITING_LINES = 1024; // that the async iterator keeps before the input is paused (Node's number)
const LINE_END = /\r\n|[\r\n]/g;

/** `(options)` or `(input, output, completer, terminal)`. */
function Interface(inputOrOptions, givenOutput, givenCompleter, givenTerminal) {
  FunctionPrototypeCall(EventEmitter, this);
  const options = inputOrOptions?.input
    ? inputOrOptions
    : {
        __proto__: null,
        input: inputOrOptions,
        output: givenOutput,
        completer: givenCompleter,
        terminal: givenTerminal,
      };
  const { input, output, completer, history, historySize, signal, prompt, crlfDelay, tabSize, terminal } = options;
  if (signal !== undefined) validateAbortSignal(signal, 'options.signal');
  if (completer !== undefined && typeof completer !== 'function') throw ERR_INVALID_ARG_VALUE('completer', completer);
  if (history !== undefined) validateArray(history, 'history');
  if (historySize !== undefined) validateNumber(historySize, 'historySize', 0);
  if (tabSize !== undefined) validateUint32(tabSize, 'tabSize', true);
  if (terminal) throw ERR_FEATURE_UNAVAILABLE_ON_PLATFORM('readline with a terminal');
  if (typeof input?.on !== 'function') throw ERR_INVALID_ARG_TYPE('input', 'Stream', input);

  this.terminal = false;
  this.line = '';
  this.cursor = 0;
  this.input = input;
  this.output = output;
  this.completer = completer;
  this.history = ArrayIsArray(history) ? ArrayPrototypeSlice(history) : [];
  this.historySize = historySize ?? HISTORY_LINES;
  this.crlfDelay = crlfDelay > MIN_CRLF_DELAY_MS ? crlfDelay : MIN_CRLF_DELAY_MS;
  this.closed = false;
  this.paused = false;
  this._prompt = prompt ?? '> ';
  this._oldPrompt = undefined; // while a question is asked
  this._questionCallback = null;
  this._decoder = new StringDecoder('utf8');
  this._line_buffer = ''; // the beginning of a line
  this._sawReturnAt = 0;
  listenTo(this, input);
  if (signal) closeOnAbort(this, signal);
  input.resume();
}
ObjectSetPrototypeOf(Interface.prototype, EventEmitter.prototype);
ObjectSetPrototypeOf(Interface, EventEmitter);

function listenTo(lines, input) {
  const onData = (data) => lines._normalWrite(data);
  const onError = (error) => lines.emit('error', error);
  const onEnd = () => {
    if (lines._line_buffer !== '') lines.emit('line', lines._line_buffer);
    lines.close();
  };
  input.on('error', onError);
  input.on('data', onData);
  input.on('end', onEnd);
  lines.once('close', () => {
    input.removeListener('data', onData);
    input.removeListener('error', onError);
    input.removeListener('end', onEnd);
  });
}

function closeOnAbort(lines, signal) {
  if (signal.aborted) process.nextTick(() => lines.close());
  else
    lines.once(
      'close',
      onAbort(signal, () => lines.close()),
    );
}

const { prototype } = Interface;

/** Takes in a piece of the input. */
prototype._normalWrite = function _normalWrite(data) {
  if (data === undefined) return;
  let text = this._decoder.write(data);
  if (this._sawReturnAt > 0 && DateNow() - this._sawReturnAt <= this.crlfDelay) {
    if (StringPrototypeStartsWith(text, '\n')) text = StringPrototypeSlice(text, 1); // the rest of a \r\n
    if (text !== '') this._sawReturnAt = 0;
  }
  LINE_END.lastIndex = 0;
  if (RegExpPrototypeExec(LINE_END, text) === null) {
    this._line_buffer += text;
    return;
  }
  this._sawReturnAt = StringPrototypeEndsWith(text, '\r') ? DateNow() : 0;
  const whole = this._line_buffer + text;
  const ends = []; // where each line ends, and where the next begins
  LINE_END.lastIndex = 0;
  for (let found = RegExpPrototypeExec(LINE_END, whole); found !== null; found = RegExpPrototypeExec(LINE_END, whole)) {
    ends[ends.length] = found.index;
    ends[ends.length] = LINE_END.lastIndex;
  }
  this._line_buffer = StringPrototypeSlice(whole, ends[ends.length - 1]);
  for (let index = 0, start = 0; index < ends.length; start = ends[index + 1], index += 2) {
    this._onLine(StringPrototypeSlice(whole, start, ends[index]));
  }
};

prototype._onLine = function _onLine(line) {
  const callback = this._questionCallback;
  if (callback === null) {
    this.emit('line', line);
    return;
  }
  this._questionCallback = null;
  this.setPrompt(this._oldPrompt);
  callback(line);
};

prototype._writeToOutput = function _writeToOutput(text) {
  validateString(text, 'stringToWrite');
  if (this.output !== null && this.output !== undefined) this.output.write(text);
};

/** Takes text as if it had come from the input. */
prototype.write = function write(data) {
  if (this.paused) this.resume();
  this._normalWrite(data);
};

prototype.setPrompt = function setPrompt(prompt) {
  this._prompt = prompt;
};
prototype.getPrompt = function getPrompt() {
  return this._prompt;
};
prototype.prompt = function prompt() {
  if (this.paused) this.resume();
  this._writeToOutput(this._prompt);
};

/** Writes `query`; the next line is for `callback`. */
exports.ask = (lines, query, callback) => {
  if (lines.closed) throw ERR_USE_AFTER_CLOSE('readline');
  if (lines._questionCallback === null) {
    lines._oldPrompt = lines._prompt;
    lines.setPrompt(query);
    lines._questionCallback = callback;
  }
  lines.prompt();
};

/** The question is asked no more. */
exports.cancelQuestion = (lines) => {
  if (lines._questionCallback === null) return;
  lines._questionCallback = null;
  lines.setPrompt(lines._oldPrompt);
  lines._writeToOutput('\r\n');
  lines.line = '';
  lines.cursor = 0;
};

prototype.close = function close() {
  if (this.closed) return;
  this.pause();
  this.closed = true;
  this.emit('close');
};

prototype.pause = function pause() {
  if (this.paused) return this;
  this.input.pause();
  this.paused = true;
  this.emit('pause');
  return this;
};
prototype.resume = function resume() {
  if (!this.paused) return this;
  this.input.resume();
  this.paused = false;
  this.emit('resume');
  return this;
};

prototype.getCursorPos = function getCursorPos() {
  return { cols: this._prompt.length + this.cursor, rows: 0 };
};

/** The lines, until the input ends; leaving the loop does not close the interface. */
prototype[SymbolAsyncIterator] = function asyncIterator() {
  const events = on(this, 'line', { __proto__: null, close: ['close'], highWaterMark: MAX_WAITING_LINES });
  const firstOf = (result) => (result.done ? result : { value: result.value[0], done: false });
  const iterator = {
    next: () => PromisePrototypeThen(events.next(), firstOf),
    return: () => events.return(),
    throw: (error) => events.throw(error),
    [SymbolAsyncIterator]() {
      return this;
    },
  };
  return ObjectSetPrototypeOf(iterator, AsyncIteratorPrototype);
};

prototype[SymbolDispose] = function dispose() {
  this.close();
};

ObjectDefineProperties(prototype, {
  __proto__: null,
  columns: {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      return this.output?.columns ?? Infinity;
    },
  },
});

exports.Interface = Interface;
