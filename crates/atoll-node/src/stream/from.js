// Readable.from: a stream of what an iterable gives.
const { PromisePrototypeThen, SymbolAsyncIterator, SymbolIterator } = primordials;
const { ERR_INVALID_ARG_TYPE, ERR_STREAM_NULL_VALUES } = use('node/internal/errors');
const { Buffer } = use('node:buffer').default;
const process = use('node:process').default;

/** A stream of class `Class`, in object mode unless the options say otherwise. Text and Buffers are one chunk. */
exports.readableFrom = (Class, iterable, options) => {
  if (typeof iterable === 'string' || iterable instanceof Buffer) {
    return new Class({
      __proto__: null,
      objectMode: true,
      ...options,
      read() {
        this.push(iterable);
        this.push(null);
      },
    });
  }
  const isAsync = typeof iterable?.[SymbolAsyncIterator] === 'function';
  if (!isAsync && typeof iterable?.[SymbolIterator] !== 'function') {
    throw ERR_INVALID_ARG_TYPE('iterable', ['Iterable'], iterable);
  }
  const iterator = isAsync ? iterable[SymbolAsyncIterator]() : iterable[SymbolIterator]();
  const readable = new Class({ __proto__: null, objectMode: true, highWaterMark: 1, ...options });
  let reading = false; // the iterator may take its time, and is asked once at a time

  readable._read = () => {
    if (reading) return;
    reading = true;
    fill();
  };
  readable._destroy = (error, callback) => {
    PromisePrototypeThen(
      stop(error),
      () => process.nextTick(callback, error),
      (failure) => process.nextTick(callback, failure || error),
    );
  };

  async function stop(error) {
    const hadError = error !== undefined && error !== null;
    if (hadError && typeof iterator.throw === 'function') {
      const { value, done } = await iterator.throw(error);
      await value;
      if (done) return;
    }
    if (typeof iterator.return === 'function') {
      const { value } = await iterator.return();
      await value;
    }
  }

  async function fill() {
    for (;;) {
      try {
        const { value, done } = isAsync ? await iterator.next() : iterator.next();
        if (done) {
          readable.push(null);
          return;
        }
        const chunk = value && typeof value.then === 'function' ? await value : value;
        if (chunk === null) {
          reading = false;
          throw ERR_STREAM_NULL_VALUES();
        }
        if (readable.push(chunk)) continue;
        reading = false;
      } catch (error) {
        readable.destroy(error);
      }
      return;
    }
  }
  return readable;
};
