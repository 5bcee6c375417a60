// node:punycode: RFC 3492, and the names of domains in both forms.
const {
  ArrayPrototypeJoin,
  ArrayPrototypePush,
  ArrayPrototypeSplice,
  MathFloor,
  RangeError,
  ReflectApply,
  RegExpPrototypeExec,
  StringFromCodePoint,
  StringPrototypeCharCodeAt,
  StringPrototypeLastIndexOf,
  StringPrototypeReplaceAll,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
} = primordials;

const BASE = 36;
const T_MIN = 1;
const T_MAX = 26;
const SKEW = 38;
const DAMP = 700;
const INITIAL_BIAS = 72;
const INITIAL_N = 128;
const MAX_INT = 2147483647;
const CODE_POINTS_PER_CALL = 8192; // arguments of one String.fromCodePoint call

function overflow() {
  return new RangeError('Overflow: input needs wider integers to process');
}

function adapt(given, count, first) {
  let delta = first ? MathFloor(given / DAMP) : given >> 1;
  delta += MathFloor(delta / count);
  let k = 0;
  for (; delta > ((BASE - T_MIN) * T_MAX) >> 1; k += BASE) delta = MathFloor(delta / (BASE - T_MIN));
  return MathFloor(k + ((BASE - T_MIN + 1) * delta) / (delta + SKEW));
}

function threshold(k, bias) {
  if (k <= bias) return T_MIN;
  return k >= bias + T_MAX ? T_MAX : k - bias;
}

/** Code points; unmatched surrogates stand for themselves. */
function ucs2decode(text) {
  const points = [];
  for (let index = 0; index < text.length; index++) {
    const code = StringPrototypeCharCodeAt(text, index);
    const next =
      code >= 0xd800 && code < 0xdc00 && index + 1 < text.length ? StringPrototypeCharCodeAt(text, index + 1) : 0;
    if (next >= 0xdc00 && next < 0xe000) {
      ArrayPrototypePush(points, ((code & 0x3ff) << 10) + (next & 0x3ff) + 0x10000);
      index++;
    } else {
      ArrayPrototypePush(points, code);
    }
  }
  return points;
}
function ucs2encode(points) {
  let text = '';
  for (let start = 0; start < points.length; start += CODE_POINTS_PER_CALL) {
    const part = [];
    for (let index = start; index < points.length && index < start + CODE_POINTS_PER_CALL; index++)
      ArrayPrototypePush(part, points[index]);
    text += ReflectApply(StringFromCodePoint, undefined, part);
  }
  return text;
}

function digitOf(code) {
  if (code >= 48 && code < 58) return 26 + code - 48;
  if (code >= 65 && code < 91) return code - 65;
  return code >= 97 && code < 123 ? code - 97 : BASE;
}
function digit(value) {
  return StringFromCodePoint(value < 26 ? value + 97 : value + 22);
}

function decode(input) {
  const output = [];
  let basic = StringPrototypeLastIndexOf(input, '-');
  if (basic < 0) basic = 0;
  for (let index = 0; index < basic; index++) {
    const code = StringPrototypeCharCodeAt(input, index);
    if (code >= 128) throw new RangeError('Illegal input >= 0x80 (not a basic code point)');
    ArrayPrototypePush(output, code);
  }
  let n = INITIAL_N;
  let i = 0;
  let bias = INITIAL_BIAS;
  for (let index = basic > 0 ? basic + 1 : 0; index < input.length;) {
    const before = i;
    for (let weight = 1, k = BASE; ; k += BASE) {
      if (index >= input.length) throw new RangeError('Invalid input');
      const value = digitOf(StringPrototypeCharCodeAt(input, index++));
      if (value >= BASE) throw new RangeError('Invalid input');
      if (value > MathFloor((MAX_INT - i) / weight)) throw overflow();
      i += value * weight;
      const t = threshold(k, bias);
      if (value < t) break;
      if (weight > MathFloor(MAX_INT / (BASE - t))) throw overflow();
      weight *= BASE - t;
    }
    const count = output.length + 1;
    bias = adapt(i - before, count, before === 0);
    if (MathFloor(i / count) > MAX_INT - n) throw overflow();
    n += MathFloor(i / count);
    i %= count;
    ArrayPrototypeSplice(output, i++, 0, n);
  }
  return ucs2encode(output);
}

function encode(text) {
  const points = ucs2decode(text);
  let output = '';
  for (let index = 0; index < points.length; index++)
    if (points[index] < 128) output += StringFromCodePoint(points[index]);
  const basic = output.length;
  let handled = basic;
  if (basic > 0) output += '-';
  let n = INITIAL_N;
  let delta = 0;
  let bias = INITIAL_BIAS;
  while (handled < points.length) {
    let next = MAX_INT;
    for (let index = 0; index < points.length; index++)
      if (points[index] >= n && points[index] < next) next = points[index];
    if (next - n > MathFloor((MAX_INT - delta) / (handled + 1))) throw overflow();
    delta += (next - n) * (handled + 1);
    n = next;
    for (let index = 0; index < points.length; index++) {
      if (points[index] < n && ++delta > MAX_INT) throw overflow();
      if (points[index] !== n) continue;
      let rest = delta;
      for (let k = BASE; ; k += BASE) {
        const t = threshold(k, bias);
        if (rest < t) break;
        output += digit(t + ((rest - t) % (BASE - t)));
        rest = MathFloor((rest - t) / (BASE - t));
      }
      output += digit(rest);
      bias = adapt(delta, handled + 1, handled === basic);
      delta = 0;
      handled++;
    }
    delta++;
    n++;
  }
  return output;
}

const FULL_STOPS = '\u3002\uff0e\uff61'; // what separates labels beside U+002E (RFC 3490, section 3.1)

/** Applies `change` to each label; what stands before an `@` stays. */
function byLabel(domain, change) {
  const at = StringPrototypeLastIndexOf(domain, '@');
  const start = at === -1 ? '' : StringPrototypeSlice(domain, 0, at + 1);
  let name = StringPrototypeSlice(domain, at + 1);
  for (let index = 0; index < FULL_STOPS.length; index++) name = StringPrototypeReplaceAll(name, FULL_STOPS[index], '.');
  const labels = StringPrototypeSplit(name, '.');
  for (let index = 0; index < labels.length; index++) labels[index] = change(labels[index]);
  return start + ArrayPrototypeJoin(labels, '.');
}

exports.default = {
  version: '2.1.0',
  ucs2: { decode: ucs2decode, encode: ucs2encode },
  decode,
  encode,
  toASCII(input) {
    return byLabel(input, (label) =>
      RegExpPrototypeExec(/[^\0-\x7f]/, label) !== null ? `xn--${encode(label)}` : label,
    );
  },
  toUnicode(input) {
    return byLabel(input, (label) =>
      StringPrototypeStartsWith(label, 'xn--')
        ? decode(StringPrototypeToLowerCase(StringPrototypeSlice(label, 4)))
        : label,
    );
  },
};
