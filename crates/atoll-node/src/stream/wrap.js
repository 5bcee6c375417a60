// Readable.prototype.wrap: streams that only have events, read as those that are asked.
const { ObjectKeys, ReflectApply } = primordials;
const { Readable } = use('node/internal/stream/readable');
const { destroyAny, errorOrDestroy } = use('node/internal/stream/lifecycle');

exports.wrapInto = (readable, source) => {
  let paused = false;
  source.on('data', (chunk) => {
    if (!readable.push(chunk) && source.pause) {
      paused = true;
      source.pause();
    }
  });
  source.on('end', () => readable.push(null));
  source.on('error', (error) => errorOrDestroy(readable, error));
  source.on('close', () => readable.destroy());
  source.on('destroy', () => readable.destroy());
  readable._read = () => {
    if (paused && source.resume) {
      paused = false;
      source.resume();
    }
  };
  // Whatever else it can do is done by it.
  const names = ObjectKeys(source);
  for (let index = 0; index < names.length; index++) {
    const name = names[index];
    if (readable[name] === undefined && typeof source[name] === 'function') {
      readable[name] = (...values) => ReflectApply(source[name], source, values);
    }
  }
  return readable;
};

/** A new readable stream over `source`, which is destroyed with it. */
exports.wrap = (source, options) =>
  new Readable({
    __proto__: null,
    objectMode: source.readableObjectMode ?? source.objectMode ?? true,
    ...options,
    destroy(error, callback) {
      destroyAny(source, error);
      callback(error);
    },
  }).wrap(source);
