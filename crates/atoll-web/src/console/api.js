// console: https://console.spec.whatwg.org/, formatted as Node.js does.

const {
  ArrayIsArray,
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  Error,
  ErrorCaptureStackTrace,
  MapPrototypeForEach,
  MapPrototypeGetSize,
  MathFloor,
  MathMax,
  MathMin,
  Number,
  NumberPrototypeToFixed,
  ObjectAssign,
  ObjectDefineProperty,
  ObjectKeys,
  ObjectPrototype,
  ObjectPrototypeHasOwnProperty,
  ObjectIs,
  ReflectApply,
  SafeMap,
  SetPrototypeForEach,
  SetPrototypeGetSize,
  StringPrototypeCodePointAt,
  StringPrototypeIndexOf,
  StringPrototypePadStart,
  StringPrototypeRepeat,
  StringPrototypeSlice,
  SymbolPrototypeToString,
  SymbolToStringTag,
} = primordials;
const { isObject } = use('web/webidl');

const DEBUG = 0;
const LOG = 1;
const INFO = 2;
const WARN = 3;
const ERROR = 4;

const INDENTATION = 2; // columns per group
const MAX_INDENTATION = 1000; // columns: deeper groups look the same

let indentation = '';
const counts = new SafeMap();
const timers = new SafeMap();

// --- Formatting ------------------------------------------------------------------------------------------------------

/** Text of a primitive as console.log shows it; undefined for objects. */
function formatPrimitive(value) {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
      return ObjectIs(value, -0) ? '-0' : `${value}`;
    case 'bigint':
      return `${value}n`;
    case 'boolean':
    case 'undefined':
      return `${value}`;
    case 'symbol':
      return SymbolPrototypeToString(value);
    default:
      return value === null ? 'null' : undefined;
  }
}

function format(args) {
  const first = args[0];
  if (args.length === 1) {
    const text = formatPrimitive(first);
    if (text !== undefined) return text;
  } else if (typeof first !== 'string' || StringPrototypeIndexOf(first, '%') === -1) {
    let text = '';
    let index = 0;
    for (; index < args.length; index++) {
      const part = formatPrimitive(args[index]);
      if (part === undefined) break;
      text += index === 0 ? part : ` ${part}`;
    }
    if (index === args.length) return text;
  }
  return ReflectApply(use('node:util').default.format, undefined, args);
}

function write(level, text) {
  if (indentation === '') {
    native.write(level, text);
    return;
  }
  const indented = StringPrototypeIndexOf(text, '\n') === -1 ? text : indentLines(text);
  native.write(level, indentation + indented);
}

function indentLines(text) {
  let indented = '';
  let start = 0;
  for (;;) {
    const end = StringPrototypeIndexOf(text, '\n', start);
    if (end === -1) return indented + StringPrototypeSlice(text, start);
    indented += StringPrototypeSlice(text, start, end + 1) + indentation;
    start = end + 1;
  }
}

function print(level, args) {
  if (args.length > 0) write(level, format(args));
  else write(level, '');
}

// --- Tables ----------------------------------------------------------------------------------------------------------

function width(text) {
  let columns = 0;
  for (let index = 0; index < text.length; index++) {
    if (StringPrototypeCodePointAt(text, index) > 0xffff) index++;
    columns++;
  }
  return columns;
}

function renderTable(head, columns) {
  const widths = [];
  let rows = 0;
  for (let column = 0; column < head.length; column++) {
    let widest = width(head[column]);
    for (let row = 0; row < columns[column].length; row++) widest = MathMax(widest, width(columns[column][row] ?? ''));
    ArrayPrototypePush(widths, widest + 2);
    rows = MathMax(rows, columns[column].length);
  }
  // The box is drawn with U+2500 and what follows it.
  const rule = (left, middle, right) => {
    let text = left;
    for (let column = 0; column < widths.length; column++) {
      text += StringPrototypeRepeat('\u2500', widths[column]) + (column === widths.length - 1 ? right : middle);
    }
    return text;
  };
  const line = (cellOf) => {
    let text = '\u2502';
    for (let column = 0; column < widths.length; column++) {
      const cell = cellOf(column) ?? '';
      text += ` ${cell}${StringPrototypeRepeat(' ', widths[column] - width(cell) - 1)}\u2502`;
    }
    return text;
  };
  const lines = [rule('\u250c', '\u252c', '\u2510'), line((column) => head[column]), rule('\u251c', '\u253c', '\u2524')];
  for (let row = 0; row < rows; row++) ArrayPrototypePush(lines, line((column) => columns[column][row]));
  ArrayPrototypePush(lines, rule('\u2514', '\u2534', '\u2518'));
  return ArrayPrototypeJoin(lines, '\n');
}

function formatCell(value) {
  const text = typeof value === 'string' ? undefined : formatPrimitive(value);
  if (text !== undefined) return text;
  const deep = isObject(value) && !ArrayIsArray(value) && ObjectKeys(value).length > 2;
  const options = { __proto__: null, maxArrayLength: 3, breakLength: Infinity, depth: deep ? -1 : 0 };
  return use('node:util').default.inspect(value, options);
}

/** Rows of what console.table shows: [[index, value], …] and the heading of the index; undefined when it is no table. */
function tableRows(data) {
  const rows = [];
  let count = 0;
  try {
    MapPrototypeGetSize(data);
    MapPrototypeForEach(data, (value, key) => ArrayPrototypePush(rows, { index: `${count++}`, key, value }));
    return { heading: '(iteration index)', keyed: true, rows };
  } catch {
    // Not a Map.
  }
  try {
    SetPrototypeGetSize(data);
    SetPrototypeForEach(data, (value) => ArrayPrototypePush(rows, { index: `${count++}`, value }));
    return { heading: '(iteration index)', keyed: false, rows };
  } catch {
    // Not a Set.
  }
  const keys = ObjectKeys(data);
  for (let index = 0; index < keys.length; index++) ArrayPrototypePush(rows, { index: keys[index], value: data[keys[index]] });
  return { heading: '(index)', keyed: false, rows };
}

function formatTable(data, properties) {
  const { heading, keyed, rows } = tableRows(data);
  const indexes = [];
  const keyCells = [];
  const valueCells = [];
  let hasValues = false;
  const names = [];
  const cells = { __proto__: null };
  if (properties !== undefined) {
    for (let index = 0; index < properties.length; index++) addColumn(names, cells, `${properties[index]}`);
  }
  for (let row = 0; row < rows.length; row++) {
    const { index, key, value } = rows[row];
    indexes[row] = index;
    if (keyed) keyCells[row] = formatCell(key);
    if (!isObject(value) || keyed) {
      hasValues = true;
      valueCells[row] = formatCell(value);
      continue;
    }
    const keys = properties === undefined ? ObjectKeys(value) : names;
    for (let position = 0; position < keys.length; position++) {
      const name = keys[position];
      if (!ObjectPrototypeHasOwnProperty(value, name)) continue;
      addColumn(names, cells, name);
      cells[name][row] = formatCell(value[name]);
    }
  }
  const head = [heading];
  const columns = [indexes];
  if (keyed) {
    ArrayPrototypePush(head, 'Key');
    ArrayPrototypePush(columns, keyCells);
  }
  for (let index = 0; index < names.length; index++) {
    ArrayPrototypePush(head, names[index]);
    ArrayPrototypePush(columns, cells[names[index]]);
  }
  if (hasValues) {
    ArrayPrototypePush(head, 'Values');
    ArrayPrototypePush(columns, valueCells);
  }
  return renderTable(head, columns);
}

function addColumn(names, cells, name) {
  if (name in cells) return;
  cells[name] = [];
  ArrayPrototypePush(names, name);
}

// --- Timers ----------------------------------------------------------------------------------------------------------

function formatDuration(milliseconds) {
  if (milliseconds < 1000) return `${Number(NumberPrototypeToFixed(milliseconds, 3))}ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${NumberPrototypeToFixed(seconds, 3)}s`;
  const pad = (number) => StringPrototypePadStart(`${number}`, 2, '0');
  const rest = pad(MathFloor(seconds % 60));
  const minutes = MathFloor(seconds / 60);
  if (minutes < 60) return `${minutes}:${rest} (m:ss)`;
  return `${MathFloor(minutes / 60)}:${pad(minutes % 60)}:${rest} (h:mm:ss)`;
}

/** Prints a timer's time; false when there is no such timer. */
function printTimer(method, label, args) {
  const start = timers.get(label);
  if (start === undefined) {
    write(WARN, `Warning: No such label '${label}' for console.${method}()`);
    return false;
  }
  const text = `${label}: ${formatDuration(native.now() - start)}`;
  write(LOG, args.length === 0 ? text : `${text} ${format(args)}`);
  return true;
}

// --- The object ------------------------------------------------------------------------------------------------------

// Its prototype is an object of its own, empty, as the standard asks of this one namespace.
const console = { __proto__: { __proto__: ObjectPrototype } };

ObjectAssign(console, {
  log(...args) {
    print(LOG, args);
  },

  info(...args) {
    print(INFO, args);
  },

  debug(...args) {
    print(DEBUG, args);
  },

  warn(...args) {
    print(WARN, args);
  },

  error(...args) {
    print(ERROR, args);
  },

  trace(...args) {
    const holder = { __proto__: null, name: 'Trace', message: args.length > 0 ? format(args) : '' };
    const error = new Error();
    ErrorCaptureStackTrace(error, console.trace);
    const { stack } = error;
    const frames = typeof stack === 'string' ? StringPrototypeIndexOf(stack, '\n    at ') : -1;
    const title = holder.message === '' ? holder.name : `${holder.name}: ${holder.message}`;
    write(ERROR, frames === -1 ? title : title + StringPrototypeSlice(stack, frames));
  },

  assert(condition = false, ...args) {
    if (condition) return;
    if (typeof args[0] === 'string') {
      args[0] = `Assertion failed: ${args[0]}`;
      write(WARN, format(args));
    } else {
      write(WARN, args.length === 0 ? 'Assertion failed' : `Assertion failed ${format(args)}`);
    }
  },

  dir(item = undefined, options = undefined) {
    const inspectOptions = { __proto__: null, customInspect: false };
    if (isObject(options)) ObjectAssign(inspectOptions, options);
    write(LOG, use('node:util').default.inspect(item, inspectOptions));
  },

  dirxml(...args) {
    print(LOG, args);
  },

  table(data = undefined, properties = undefined) {
    if (!isObject(data)) {
      print(LOG, [data]);
      return;
    }
    const columns = properties === undefined || !ArrayIsArray(properties) ? undefined : properties;
    write(LOG, formatTable(data, columns));
  },

  count(label = 'default') {
    const name = `${label}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    write(LOG, `${name}: ${count}`);
  },

  countReset(label = 'default') {
    const name = `${label}`;
    if (!counts.delete(name)) write(WARN, `Warning: Count for '${name}' does not exist`);
  },

  group(...args) {
    if (args.length > 0) print(LOG, args);
    const columns = MathMin(indentation.length + INDENTATION, MAX_INDENTATION);
    indentation = StringPrototypeRepeat(' ', columns);
  },

  groupCollapsed(...args) {
    if (args.length > 0) print(LOG, args);
    const columns = MathMin(indentation.length + INDENTATION, MAX_INDENTATION);
    indentation = StringPrototypeRepeat(' ', columns);
  },

  groupEnd() {
    indentation = StringPrototypeSlice(indentation, INDENTATION);
  },

  time(label = 'default') {
    const name = `${label}`;
    if (timers.has(name)) write(WARN, `Warning: Label '${name}' already exists for console.time()`);
    else timers.set(name, native.now());
  },

  timeLog(label = 'default', ...args) {
    printTimer('timeLog', `${label}`, args);
  },

  timeEnd(label = 'default') {
    const name = `${label}`;
    if (printTimer('timeEnd', name, [])) timers.delete(name);
  },

  // There is no terminal to clear, and no inspector to profile for or mark.
  clear() {},
  profile() {},
  profileEnd() {},
  timeStamp() {},
});

ObjectDefineProperty(console, SymbolToStringTag, {
  __proto__: null, value: 'console', configurable: true, enumerable: false, writable: false,
});

exports.console = console;
