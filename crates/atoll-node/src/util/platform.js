// How inspect shows objects of the web platform: by the attributes that say most.
const { ArrayFrom, ObjectDefineProperty } = primordials;
const { addPlatformKind, inspect } = use('node/internal/util/inspect');

function nameOf(value, Class) {
  const { constructor } = value;
  return typeof constructor === 'function' && constructor.name ? constructor.name : Class.name;
}

/** `Class { attribute: value, … }`. */
function byAttributes(Class, attributes) {
  addPlatformKind(Class, (value, depth, options) => {
    const name = nameOf(value, Class);
    if (depth !== null && depth < 0) return options.stylize(`[${name}]`, 'special');
    const shown = {};
    for (let index = 0; index < attributes.length; index++) shown[attributes[index]] = value[attributes[index]];
    return `${name} ${inspect(shown, { ...options, depth })}`;
  });
}

byAttributes(use('web/blob').Blob, ['size', 'type']);
byAttributes(use('web/blob').File, ['size', 'type', 'name', 'lastModified']);
byAttributes(use('web/abort').AbortSignal, ['aborted']);
byAttributes(use('web/abort').AbortController, ['signal']);
byAttributes(use('web/request').Request, ['method', 'url', 'headers', 'redirect', 'signal', 'bodyUsed']);
byAttributes(use('web/response').Response, [
  'status',
  'statusText',
  'headers',
  'body',
  'bodyUsed',
  'ok',
  'redirected',
  'type',
  'url',
]);
addPlatformKind(use('web/headers').Headers, (value, depth, options) => {
  if (depth !== null && depth < 0) return options.stylize('[Headers]', 'special');
  const shown = {};
  const entries = ArrayFrom(value);
  for (let index = 0; index < entries.length; index++) {
    const { 0: key, 1: text } = entries[index];
    ObjectDefineProperty(shown, key, {
      __proto__: null,
      value: shown[key] === undefined ? text : `${shown[key]}, ${text}`,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return `Headers ${inspect(shown, { ...options, depth })}`;
});
