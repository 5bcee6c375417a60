// The options of util.inspect: their defaults, colours and styles, and the state of one call.
const { ArrayPrototypeIncludes, ObjectDefineProperty, ObjectKeys, ObjectPrototypeHasOwnProperty } = primordials;

// util.inspect.defaultOptions; guests may set single members too.
const DEFAULTS = {
  showHidden: false,
  depth: 2,
  colors: false,
  customInspect: true,
  showProxy: false,
  maxArrayLength: 100,
  maxStringLength: 10000,
  breakLength: 80,
  compact: 3,
  sorted: false,
  getters: false,
  numericSeparator: false,
};
const OPTIONS = ObjectKeys(DEFAULTS);
exports.OPTIONS = OPTIONS;

const colors = {
  __proto__: null,
  reset: [0, 0],
  bold: [1, 22],
  dim: [2, 22],
  italic: [3, 23],
  underline: [4, 24],
  blink: [5, 25],
  inverse: [7, 27],
  hidden: [8, 28],
  strikethrough: [9, 29],
  doubleunderline: [21, 24],
  black: [30, 39],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
  white: [37, 39],
  bgBlack: [40, 49],
  bgRed: [41, 49],
  bgGreen: [42, 49],
  bgYellow: [43, 49],
  bgBlue: [44, 49],
  bgMagenta: [45, 49],
  bgCyan: [46, 49],
  bgWhite: [47, 49],
  framed: [51, 54],
  overlined: [53, 55],
  gray: [90, 39],
  redBright: [91, 39],
  greenBright: [92, 39],
  yellowBright: [93, 39],
  blueBright: [94, 39],
  magentaBright: [95, 39],
  cyanBright: [96, 39],
  whiteBright: [97, 39],
  bgGray: [100, 49],
  bgRedBright: [101, 49],
  bgGreenBright: [102, 49],
  bgYellowBright: [103, 49],
  bgBlueBright: [104, 49],
  bgMagentaBright: [105, 49],
  bgCyanBright: [106, 49],
  bgWhiteBright: [107, 49],
};
function alias(name, target) {
  ObjectDefineProperty(colors, name, {
    __proto__: null,
    get() {
      return this[target];
    },
    set(value) {
      this[target] = value;
    },
    configurable: true,
    enumerable: false,
  });
}
alias('grey', 'gray');
alias('blackBright', 'gray');
alias('bgGrey', 'bgGray');
alias('bgBlackBright', 'bgGray');
alias('faint', 'dim');
alias('crossedout', 'strikethrough');
alias('strikeThrough', 'strikethrough');
alias('crossedOut', 'strikethrough');
alias('conceal', 'hidden');
alias('swapColors', 'inverse');
alias('swapcolors', 'inverse');
alias('doubleUnderline', 'doubleunderline');
const styles = {
  __proto__: null,
  special: 'cyan',
  number: 'yellow',
  bigint: 'yellow',
  boolean: 'yellow',
  undefined: 'grey',
  null: 'bold',
  string: 'green',
  symbol: 'green',
  date: 'magenta',
  regexp: 'red',
  module: 'underline',
};

let given; // the function, whose tables guests may replace

function plain(text) {
  return text;
}
function coloured(text, style) {
  const name = given.styles[style];
  const pair = name === undefined ? undefined : given.colors[name];
  return pair === undefined ? text : `\u001b[${pair[0]}m${text}\u001b[${pair[1]}m`;
}

/** The state of one call of inspect. A class, so that all of them have one shape. */
class Context {
  showHidden = DEFAULTS.showHidden;
  depth = DEFAULTS.depth;
  colors = DEFAULTS.colors;
  customInspect = DEFAULTS.customInspect;
  showProxy = DEFAULTS.showProxy;
  maxArrayLength = DEFAULTS.maxArrayLength;
  maxStringLength = DEFAULTS.maxStringLength;
  breakLength = DEFAULTS.breakLength;
  compact = DEFAULTS.compact;
  sorted = DEFAULTS.sorted;
  getters = DEFAULTS.getters;
  numericSeparator = DEFAULTS.numericSeparator;
  stylize = plain;
  budget = { __proto__: null }; // characters written, by indentation
  indentationLvl = 0;
  currentDepth = 0;
  seen = []; // from the root to the value at hand
  circular = undefined; // of values that contain themselves: value → number
  userOptions = undefined;
}

function contextFrom(options) {
  const context = new Context();
  if (options !== undefined && options !== null) {
    const keys = ObjectKeys(options);
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index];
      if (key === 'stylize' || ArrayPrototypeIncludes(OPTIONS, key)) context[key] = options[key];
      else context.userOptions ??= options;
    }
  }
  return context;
}

/** Gives `inspect` the properties through which guests set defaults, colours and styles. */
exports.attachOptions = (inspect) => {
  given = inspect;
  inspect.colors = colors;
  inspect.styles = styles;
  ObjectDefineProperty(inspect, 'defaultOptions', {
    __proto__: null,
    get() {
      return DEFAULTS;
    },
    set(options) {
      if (options === null || typeof options !== 'object')
        throw use('node/internal/errors').ERR_INVALID_ARG_TYPE('options', 'Object', options);
      for (let index = 0; index < OPTIONS.length; index++) {
        const key = OPTIONS[index];
        if (ObjectPrototypeHasOwnProperty(options, key)) DEFAULTS[key] = options[key];
      }
    },
  });
};
exports.plain = plain;
exports.coloured = coloured;
exports.contextFrom = contextFrom;
