// The text side of inspect: quoting, widths, numbers, and fitting entries into lines.
const {
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  MathFloor,
  MathMax,
  MathMin,
  MathRound,
  MathSqrt,
  MathTrunc,
  NumberIsFinite,
  NumberPrototypeToString,
  ObjectIs,
  RegExpPrototypeExec,
  RegExpPrototypeSymbolReplace,
  String,
  StringPrototypeCharCodeAt,
  StringPrototypeCodePointAt,
  StringPrototypeIncludes,
  StringPrototypeIndexOf,
  StringPrototypeNormalize,
  StringPrototypePadEnd,
  StringPrototypePadStart,
  StringPrototypeRepeat,
  StringPrototypeSlice,
  StringPrototypeToUpperCase,
} = primordials;

const SEPARATOR_CHARACTERS = 2; // ", "
const MAX_COLUMNS = 15; // of a grouped array; more is no longer read at a glance (Node's limit)
const CHARACTER_ASPECT = 2.5; // a character is about this much higher than wide
const GROUP_FROM_ENTRIES = 6; // arrays with more entries are set in columns

/** Of an entry list: plain properties, array elements, or elements followed by properties. */
exports.OBJECT = 0;
exports.ELEMENT = 1;
exports.ARRAY = 2;

const NEEDS_ESCAPE =
  /[\x00-\x1f\x27\x5c\x7f-\x9f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const SHORT_ESCAPES = { __proto__: null, 8: '\\b', 9: '\\t', 10: '\\n', 12: '\\f', 13: '\\r', 92: '\\\\' };

function isLoneSurrogate(text, index, code) {
  if (code < 0xd800 || code > 0xdfff) return false;
  if (code < 0xdc00) {
    const next = StringPrototypeCharCodeAt(text, index + 1);
    return !(next >= 0xdc00 && next <= 0xdfff);
  }
  const previous = index > 0 ? StringPrototypeCharCodeAt(text, index - 1) : 0;
  return !(previous >= 0xd800 && previous <= 0xdbff);
}

/** The string as a literal, in the quotes that need the fewest escapes. */
function quote(text) {
  let mark = "'";
  if (StringPrototypeIncludes(text, "'")) {
    if (!StringPrototypeIncludes(text, '"')) mark = '"';
    else if (!StringPrototypeIncludes(text, '`') && !StringPrototypeIncludes(text, '${')) mark = '`';
  }
  return `${mark}${escapeText(text, mark)}${mark}`;
}
exports.quote = quote;

/** Control characters, backslashes, lone surrogates and, inside single quotes, `'` as escapes. */
function escapeText(text, mark) {
  if (RegExpPrototypeExec(NEEDS_ESCAPE, text) === null) return text;
  let result = '';
  let copied = 0;
  for (let index = 0; index < text.length; index++) {
    const code = StringPrototypeCharCodeAt(text, index);
    let escape;
    if (code === 39) {
      if (mark === "'") escape = "\\'";
    } else if (code < 32 || code === 92 || (code >= 127 && code <= 159)) {
      escape =
        SHORT_ESCAPES[code] ??
        `\\x${StringPrototypePadStart(StringPrototypeToUpperCase(NumberPrototypeToString(code, 16)), 2, '0')}`;
    } else if (code >= 0xd800 && code <= 0xdfff) {
      if (isLoneSurrogate(text, index, code)) escape = `\\u${NumberPrototypeToString(code, 16)}`;
      else index++; // the second half of a pair
    }
    if (escape === undefined) continue;
    result += StringPrototypeSlice(text, copied, index) + escape;
    copied = index + 1;
  }
  return result + StringPrototypeSlice(text, copied);
}
exports.escapeText = escapeText;

// CSI and OSC sequences (ECMA-48).
const CONTROL_SEQUENCE =
  /[\u001b\u009b][[\]()#;?]*(?:(?:(?:(?:;[-a-zA-Z\d/#&.:=?%@~_]+)*|[a-zA-Z\d]+(?:;[-a-zA-Z\d/#&.:=?%@~_]*)*)?(?:\u0007|\u001b\u005c|\u009c))|(?:(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PR-TZcf-ntqry=><~]))/g;
const COLOUR = /\u001b\[\d\d?m/g;

function stripControlSequences(text) {
  if (!StringPrototypeIncludes(text, '\u001b') && !StringPrototypeIncludes(text, '\u009b')) return text;
  return RegExpPrototypeSymbolReplace(CONTROL_SEQUENCE, text, '');
}
exports.stripControlSequences = stripControlSequences;

function lengthWithoutColours(text) {
  return RegExpPrototypeSymbolReplace(COLOUR, text, '').length;
}

/** Whether a code point takes two terminal columns (Unicode East Asian Width W and F, and emoji). */
function isWide(code) {
  return (
    code >= 0x1100 &&
    (code <= 0x115f ||
      code === 0x2329 ||
      code === 0x232a ||
      (code >= 0x2e80 && code <= 0x3247 && code !== 0x303f) ||
      (code >= 0x3250 && code <= 0x4dbf) ||
      (code >= 0x4e00 && code <= 0xa4c6) ||
      (code >= 0xa960 && code <= 0xa97c) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) ||
      (code >= 0xfe10 && code <= 0xfe19) ||
      (code >= 0xfe30 && code <= 0xfe6b) ||
      (code >= 0xff01 && code <= 0xff60) ||
      (code >= 0xffe0 && code <= 0xffe6) ||
      (code >= 0x1b000 && code <= 0x1b001) ||
      (code >= 0x1f200 && code <= 0x1f251) ||
      (code >= 0x1f300 && code <= 0x1f64f) ||
      (code >= 0x1f900 && code <= 0x1f9ff) ||
      (code >= 0x20000 && code <= 0x3fffd))
  );
}
function isZeroWidth(code) {
  return (
    code <= 0x1f ||
    (code >= 0x7f && code <= 0x9f) ||
    (code >= 0x300 && code <= 0x36f) ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x20d0 && code <= 0x20ff) ||
    (code >= 0xfe00 && code <= 0xfe0f) ||
    (code >= 0xfe20 && code <= 0xfe2f) ||
    (code >= 0xe0100 && code <= 0xe01ef)
  );
}

/** How many terminal columns the text takes. */
exports.columnsOf = (text, strip = true) => {
  const clean = StringPrototypeNormalize(strip ? stripControlSequences(text) : text, 'NFC');
  let columns = 0;
  for (let index = 0; index < clean.length; index++) {
    const code = StringPrototypeCodePointAt(clean, index);
    if (code > 0xffff) index++;
    if (isWide(code)) columns += 2;
    else if (!isZeroWidth(code)) columns++;
  }
  return columns;
};

function separated(digits) {
  let rest = digits;
  let tail = '';
  const first = StringPrototypeCharCodeAt(rest, 0) === 45 ? 1 : 0;
  while (rest.length >= first + 4) {
    tail = `_${StringPrototypeSlice(rest, -3)}${tail}`;
    rest = StringPrototypeSlice(rest, 0, -3);
  }
  return `${rest}${tail}`;
}
function separatedFraction(digits) {
  let result = '';
  let index = 0;
  for (; index < digits.length - 3; index += 3) result += `${StringPrototypeSlice(digits, index, index + 3)}_`;
  return `${result}${StringPrototypeSlice(digits, index)}`;
}

exports.numberText = (number, separators) => {
  if (ObjectIs(number, -0)) return '-0';
  const text = `${number}`;
  if (!separators || !NumberIsFinite(number)) return text;
  const whole = String(MathTrunc(number));
  if (StringPrototypeIncludes(whole, 'e')) return text;
  if (whole === text) return separated(whole);
  // Of -0.5 the sign is in the whole's text only as "0": keep Node's result.
  const start = StringPrototypeIndexOf(text, '.') + 1;
  return start === 0
    ? text
    : `${separated(StringPrototypeSlice(text, 0, start - 1))}.${separatedFraction(StringPrototypeSlice(text, start))}`;
};
exports.bigintText = (value, separators) => `${separators ? separated(String(value)) : String(value)}n`;

/** "... 3 more items". */
exports.remainingText = (count, noun = 'item') => `... ${count} more ${noun}${count > 1 ? 's' : ''}`;

/** Sets the entries of a long array in columns. */
function inColumns(context, entries, value) {
  let total = 0;
  let widest = 0;
  const cut = context.maxArrayLength < entries.length; // the last entry says how many were left out
  const count = cut ? entries.length - 1 : entries.length;
  const widths = [];
  for (let index = 0; index < count; index++) {
    const width = exports.columnsOf(entries[index], context.colors);
    ArrayPrototypePush(widths, width);
    total += width + SEPARATOR_CHARACTERS;
    if (width > widest) widest = width;
  }
  const cell = widest + SEPARATOR_CHARACTERS;
  if (cell * 3 + context.indentationLvl >= context.breakLength || (total / cell <= 5 && widest > 6)) return entries;
  const bias = MathSqrt(cell - total / entries.length);
  const biased = MathMax(cell - 3 - bias, 1);
  const columns = MathMin(
    MathRound(MathSqrt(CHARACTER_ASPECT * biased * count) / biased),
    MathFloor((context.breakLength - context.indentationLvl) / cell),
    context.compact * 4,
    MAX_COLUMNS,
  );
  if (columns <= 1) return entries;
  const columnWidths = [];
  for (let column = 0; column < columns; column++) {
    let width = 0;
    for (let index = column; index < count; index += columns) if (widths[index] > width) width = widths[index];
    ArrayPrototypePush(columnWidths, width + SEPARATOR_CHARACTERS);
  }
  let pad = StringPrototypePadStart;
  if (value !== undefined) {
    for (let index = 0; index < entries.length; index++) {
      if (typeof value[index] === 'number' || typeof value[index] === 'bigint') continue;
      pad = StringPrototypePadEnd;
      break;
    }
  }
  const lines = [];
  for (let start = 0; start < count; start += columns) {
    const end = MathMin(start + columns, count);
    let line = '';
    let index = start;
    for (; index < end - 1; index++)
      line += pad(`${entries[index]}, `, columnWidths[index - start] + entries[index].length - widths[index], ' ');
    if (pad === StringPrototypePadStart) {
      line += pad(
        entries[index],
        columnWidths[index - start] + entries[index].length - widths[index] - SEPARATOR_CHARACTERS,
        ' ',
      );
    } else {
      line += entries[index];
    }
    ArrayPrototypePush(lines, line);
  }
  if (cut) ArrayPrototypePush(lines, entries[count]);
  return lines;
}

function fitsOneLine(context, entries, start, base) {
  let total = entries.length + start;
  if (total + entries.length > context.breakLength) return false;
  for (let index = 0; index < entries.length; index++) {
    total += context.colors ? lengthWithoutColours(entries[index]) : entries[index].length;
    if (total > context.breakLength) return false;
  }
  return base === '' || !StringPrototypeIncludes(base, '\n');
}

/** Joins the entries of one value: on one line if they fit, else one entry (or one row of columns) per line. */
exports.layOut = (context, allEntries, base, braces, kind, depth, value) => {
  const prefix = base === '' ? '' : `${base} `;
  let entries = allEntries;
  if (context.compact === true) {
    if (fitsOneLine(context, entries, 0, base)) {
      return `${braces[0]}${base === '' ? '' : ` ${base}`} ${ArrayPrototypeJoin(entries, ', ')} ${braces[1]}`;
    }
    const indent = StringPrototypeRepeat(' ', context.indentationLvl);
    const gap = base === '' && braces[0].length === 1 ? ' ' : `${base === '' ? '' : ` ${base}`}\n${indent}  `;
    return `${braces[0]}${gap}${ArrayPrototypeJoin(entries, `,\n${indent}  `)} ${braces[1]}`;
  }
  if (typeof context.compact === 'number' && context.compact >= 1) {
    const count = entries.length;
    if (kind === exports.ARRAY && count > GROUP_FROM_ENTRIES) entries = inColumns(context, entries, value);
    if (context.currentDepth - depth < context.compact && count === entries.length) {
      const start = entries.length + context.indentationLvl + braces[0].length + base.length + 10;
      if (fitsOneLine(context, entries, start, base)) {
        const joined = ArrayPrototypeJoin(entries, ', ');
        if (!StringPrototypeIncludes(joined, '\n')) return `${prefix}${braces[0]} ${joined} ${braces[1]}`;
      }
    }
  }
  const indent = `\n${StringPrototypeRepeat(' ', context.indentationLvl)}`;
  return `${prefix}${braces[0]}${indent}  ${ArrayPrototypeJoin(entries, `,${indent}  `)}${indent}${braces[1]}`;
};
