// performance: https://w3c.github.io/hr-time/, https://w3c.github.io/user-timing/

const { ArrayPrototypePush, ArrayPrototypeShift, ArrayPrototypeSort, ObjectDefineProperty, TypeError } = primordials;
const webidl = use('web/webidl');
const { convert, defineEnumerable, illegalConstructor, illegalInvocation, isObject, requireArguments, setToStringTag } = webidl;
const { EventTarget } = use('web/events');
const { DOMException } = use('web/dom-exception');

const MAKE = {}; // Only this file can construct entries and the performance object.
const MAX_ENTRIES = 10_000; // of marks, and of measures: a server that marks each request must not grow for ever

let entryOf;

class PerformanceEntry {
  #entry;

  static {
    entryOf = (value) => (isObject(value) && #entry in value ? value.#entry : illegalInvocation());
  }

  constructor(key = undefined, entry = undefined) {
    if (key !== MAKE) illegalConstructor();
    this.#entry = entry;
  }

  get name() {
    return entryOf(this).name;
  }

  get entryType() {
    return entryOf(this).entryType;
  }

  get startTime() {
    return entryOf(this).startTime;
  }

  get duration() {
    return entryOf(this).duration;
  }

  toJSON() {
    const { name, entryType, startTime, duration, detail } = entryOf(this);
    return { name, entryType, startTime, duration, detail };
  }
}

class PerformanceMark extends PerformanceEntry {
  constructor(name, options = undefined) {
    requireArguments(arguments.length, 1, "Failed to construct 'PerformanceMark'");
    const text = convert.DOMString(name);
    const dictionary = convert.dictionary(options, "Failed to construct 'PerformanceMark': the second argument");
    const detail = dictionary?.detail;
    const given = dictionary?.startTime;
    const startTime = given === undefined ? native.now() : convert.double(given, 'The startTime');
    if (startTime < 0) throw new TypeError('The startTime of a mark must not be negative');
    super(MAKE, { __proto__: null, name: text, entryType: 'mark', startTime, duration: 0, detail: cloneDetail(detail) });
  }

  get detail() {
    return entryOf(this).detail;
  }
}

class PerformanceMeasure extends PerformanceEntry {
  get detail() {
    return entryOf(this).detail;
  }
}

function cloneDetail(detail) {
  if (detail === undefined || detail === null) return null;
  return isObject(detail) ? use('web/structured-clone').structuredClone(detail) : detail;
}

const marks = [];
const measures = [];

function record(list, entry) {
  if (list.length >= MAX_ENTRIES) ArrayPrototypeShift(list);
  ArrayPrototypePush(list, entry);
}

function timeOf(mark) {
  if (typeof mark === 'number') {
    if (mark < 0) throw new TypeError('A time must not be negative');
    return convert.double(mark, 'The time');
  }
  const name = convert.DOMString(mark);
  for (let index = marks.length - 1; index >= 0; index--) {
    const entry = entryOf(marks[index]);
    if (entry.name === name) return entry.startTime;
  }
  throw new DOMException(`The mark '${name}' does not exist.`, 'SyntaxError');
}

function select(lists, name, type) {
  const found = [];
  for (let position = 0; position < lists.length; position++) {
    const list = lists[position];
    for (let index = 0; index < list.length; index++) {
      const entry = entryOf(list[index]);
      if ((name === undefined || entry.name === name) && (type === undefined || entry.entryType === type)) {
        ArrayPrototypePush(found, list[index]);
      }
    }
  }
  return ArrayPrototypeSort(found, (a, b) => entryOf(a).startTime - entryOf(b).startTime);
}

function clearList(list, name) {
  let kept = 0;
  for (let index = 0; index < list.length; index++) {
    if (name !== undefined && entryOf(list[index]).name !== name) list[kept++] = list[index];
  }
  list.length = kept;
}

class Performance extends EventTarget {
  #brand;

  constructor(key = undefined) {
    if (key !== MAKE) illegalConstructor();
    super();
  }

  now() {
    if (!(#brand in this)) illegalInvocation();
    return native.now();
  }

  get timeOrigin() {
    if (!(#brand in this)) illegalInvocation();
    return native.timeOrigin();
  }

  mark(name, options = undefined) {
    if (!(#brand in this)) illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'mark' on 'Performance'");
    const mark = new PerformanceMark(name, options);
    record(marks, mark);
    return mark;
  }

  measure(name, startOrOptions = undefined, endMark = undefined) {
    if (!(#brand in this)) illegalInvocation();
    const context = "Failed to execute 'measure' on 'Performance'";
    requireArguments(arguments.length, 1, context);
    const text = convert.DOMString(name);
    let startMark = startOrOptions;
    let end = endMark;
    let duration;
    let detail;
    if (isObject(startOrOptions)) {
      ({ detail, duration, end, start: startMark } = startOrOptions);
      const given = startMark !== undefined || end !== undefined || duration !== undefined || detail !== undefined;
      if (given) {
        if (endMark !== undefined) throw new TypeError(`${context}: options and an end mark exclude each other.`);
        if (startMark === undefined && end === undefined) throw new TypeError(`${context}: 'start' or 'end' is needed.`);
        if (startMark !== undefined && end !== undefined && duration !== undefined) {
          throw new TypeError(`${context}: only two of 'start', 'end' and 'duration' can be given.`);
        }
      } else {
        end = endMark;
      }
    }
    const length = duration === undefined ? undefined : convert.double(duration, `${context}: 'duration'`);
    let endTime;
    if (end !== undefined) endTime = timeOf(end);
    else if (startMark !== undefined && length !== undefined) endTime = timeOf(startMark) + length;
    else endTime = native.now();
    let startTime = 0;
    if (startMark !== undefined) startTime = timeOf(startMark);
    else if (length !== undefined && end !== undefined) startTime = endTime - length;
    const measure = new PerformanceMeasure(MAKE, {
      __proto__: null,
      name: text,
      entryType: 'measure',
      startTime,
      duration: endTime - startTime,
      detail: cloneDetail(detail),
    });
    record(measures, measure);
    return measure;
  }

  clearMarks(name = undefined) {
    if (!(#brand in this)) illegalInvocation();
    clearList(marks, name === undefined ? undefined : convert.DOMString(name));
  }

  clearMeasures(name = undefined) {
    if (!(#brand in this)) illegalInvocation();
    clearList(measures, name === undefined ? undefined : convert.DOMString(name));
  }

  getEntries() {
    if (!(#brand in this)) illegalInvocation();
    return select([marks, measures], undefined, undefined);
  }

  getEntriesByName(name, type = undefined) {
    if (!(#brand in this)) illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'getEntriesByName' on 'Performance'");
    return select([marks, measures], convert.DOMString(name), type === undefined ? undefined : convert.DOMString(type));
  }

  getEntriesByType(type) {
    if (!(#brand in this)) illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'getEntriesByType' on 'Performance'");
    return select([marks, measures], undefined, convert.DOMString(type));
  }

  toJSON() {
    if (!(#brand in this)) illegalInvocation();
    return { timeOrigin: native.timeOrigin() };
  }
}

ObjectDefineProperty(PerformanceEntry, 'length', { __proto__: null, value: 0, configurable: true });
ObjectDefineProperty(Performance, 'length', { __proto__: null, value: 0, configurable: true });
defineEnumerable(PerformanceEntry, ['name', 'entryType', 'startTime', 'duration', 'toJSON']);
defineEnumerable(PerformanceMark, ['detail']);
defineEnumerable(PerformanceMeasure, ['detail']);
defineEnumerable(Performance, [
  'now', 'timeOrigin', 'mark', 'measure', 'clearMarks', 'clearMeasures', 'getEntries', 'getEntriesByName',
  'getEntriesByType', 'toJSON',
]);
setToStringTag(PerformanceEntry, 'PerformanceEntry');
setToStringTag(PerformanceMark, 'PerformanceMark');
setToStringTag(PerformanceMeasure, 'PerformanceMeasure');
setToStringTag(Performance, 'Performance');

exports.Performance = Performance;
exports.PerformanceEntry = PerformanceEntry;
exports.PerformanceMark = PerformanceMark;
exports.PerformanceMeasure = PerformanceMeasure;
exports.performance = new Performance(MAKE);

/** Milliseconds since the worker's origin, coarse: the clock of performance.now(). */
exports.now = () => native.now();
