// FormData (XMLHttpRequest Standard).
const { ArrayPrototypePush, StringPrototypeToWellFormed, SymbolFor, TypeError } = primordials;
const { createFile, fileAttributes, getBlobState, isFile } = use('web/blob');
const { definePairIterable } = use('web/headers/iterable');
const { encodeMultipart, parseMultipart } = use('web/form-data/multipart');
const { convert, defineEnumerable, illegalInvocation, requireArguments, setToStringTag } = use('web/webidl');

const internal = { __proto__: null };
/** The entries of a FormData as a flat list [name, string or File, …]; undefined for anything else. */
let getFormEntries;

class FormData {
  #entries = [];

  constructor(form = undefined) {
    if (form === internal) {
      this.#entries = arguments[1];
      return;
    }
    if (form !== undefined) throw new TypeError("Failed to construct 'FormData': there are no HTML forms here");
  }

  append(name, value, filename = undefined) {
    if (!(#entries in this)) throw illegalInvocation();
    requireArguments(arguments.length, 2, "Failed to execute 'append' on 'FormData'");
    const key = convert.USVString(name);
    ArrayPrototypePush(this.#entries, key, entryValue(arguments.length, value, filename, "Failed to execute 'append' on 'FormData'"));
  }

  delete(name) {
    if (!(#entries in this)) throw illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'delete' on 'FormData'");
    removeFrom(this.#entries, 0, convert.USVString(name));
  }

  get(name) {
    if (!(#entries in this)) throw illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'get' on 'FormData'");
    const index = find(this.#entries, convert.USVString(name));
    return index === -1 ? null : this.#entries[index + 1];
  }

  getAll(name) {
    if (!(#entries in this)) throw illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'getAll' on 'FormData'");
    const wanted = convert.USVString(name);
    const values = [];
    const entries = this.#entries;
    for (let index = 0; index < entries.length; index += 2) {
      if (entries[index] === wanted) ArrayPrototypePush(values, entries[index + 1]);
    }
    return values;
  }

  has(name) {
    if (!(#entries in this)) throw illegalInvocation();
    requireArguments(arguments.length, 1, "Failed to execute 'has' on 'FormData'");
    return find(this.#entries, convert.USVString(name)) !== -1;
  }

  set(name, value, filename = undefined) {
    if (!(#entries in this)) throw illegalInvocation();
    requireArguments(arguments.length, 2, "Failed to execute 'set' on 'FormData'");
    const key = convert.USVString(name);
    const entry = entryValue(arguments.length, value, filename, "Failed to execute 'set' on 'FormData'");
    const index = find(this.#entries, key);
    if (index === -1) {
      ArrayPrototypePush(this.#entries, key, entry);
    } else {
      this.#entries[index + 1] = entry;
      removeFrom(this.#entries, index + 2, key);
    }
  }

  [SymbolFor('nodejs.util.inspect.custom')](depth, options, inspect) {
    const entries = getFormEntries(this);
    if (entries === undefined) return 'FormData';
    const shown = [];
    for (let index = 0; index < entries.length; index += 2) ArrayPrototypePush(shown, [entries[index], entries[index + 1]]);
    return `FormData ${inspect(shown, options)}`;
  }

  static {
    getFormEntries = (form) => (typeof form === 'object' && form !== null && #entries in form ? form.#entries : undefined);
  }
}
defineEnumerable(FormData, ['append', 'delete', 'get', 'getAll', 'has', 'set']);
definePairIterable(FormData, 'FormData', getFormEntries);
setToStringTag(FormData, 'FormData');

/** Index of the name's first entry; -1 when there is none. */
function find(entries, name) {
  for (let index = 0; index < entries.length; index += 2) {
    if (entries[index] === name) return index;
  }
  return -1;
}

function removeFrom(entries, start, name) {
  let kept = start;
  for (let index = start; index < entries.length; index += 2) {
    if (entries[index] === name) continue;
    entries[kept] = entries[index];
    entries[kept + 1] = entries[index + 1];
    kept += 2;
  }
  entries.length = kept;
}

/** The value of the standard's "create an entry", after the overload's conversions. */
function entryValue(count, value, filename, context) {
  const blob = getBlobState(value);
  if (blob === undefined) {
    if (count > 2) throw new TypeError(`${context}: parameter 2 is not a Blob`);
    return convert.USVString(value);
  }
  const attributes = isFile(value) ? fileAttributes(value) : null;
  if (count > 2 && filename !== undefined) {
    return createFile(blob, StringPrototypeToWellFormed(convert.DOMString(filename)), attributes?.lastModified);
  }
  return attributes === null ? createFile(blob, 'blob') : value;
}

/** A FormData with these entries. */
function createFormData(entries) {
  return new FormData(internal, entries);
}

exports.FormData = FormData;
exports.createFormData = createFormData;
exports.encodeMultipart = encodeMultipart;
exports.getFormEntries = getFormEntries;
exports.parseMultipart = parseMultipart;
