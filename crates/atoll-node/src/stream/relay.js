// One stream in front of another: writes to the first go to the second, and what that gives is read from the first.
const { PromisePrototypeThen } = primordials;
const { isNodeStream, isTransformStream } = use('node/internal/stream/state');

const nothing = () => {};

/** A callback that waits to be called, at most one. */
class Waiting {
  #callback = null;

  set(callback) {
    this.#callback = callback;
  }

  call(value = undefined) {
    const callback = this.#callback;
    this.#callback = null;
    if (callback !== null) callback(value);
  }

  forget() {
    this.#callback = null;
  }
}
exports.Waiting = Waiting;

/** Gives `front` what it needs to be written to; `finished` waits until the caller says that all has arrived. */
exports.relayWrites = (front, target, drained, finished) => {
  if (isNodeStream(target)) {
    front._write = (chunk, encoding, callback) => {
      if (target.write(chunk, encoding)) callback();
      else drained.set(callback);
    };
    front._final = (callback) => {
      target.end();
      finished.set(callback);
    };
    target.on('drain', () => drained.call());
    return;
  }
  const writer = (isTransformStream(target) ? target.writable : target).getWriter();
  front._write = async (chunk, encoding, callback) => {
    try {
      await writer.ready;
      PromisePrototypeThen(writer.write(chunk), undefined, nothing);
      callback();
    } catch (error) {
      callback(error);
    }
  };
  front._final = async (callback) => {
    try {
      await writer.ready;
      PromisePrototypeThen(writer.close(), undefined, nothing);
      finished.set(callback);
    } catch (error) {
      callback(error);
    }
  };
};

/** Gives `front` what it needs to be read from. */
exports.relayReads = (front, source, arrived) => {
  if (isNodeStream(source)) {
    source.on('readable', () => arrived.call());
    source.on('end', () => front.push(null));
    front._read = () => {
      for (;;) {
        const chunk = source.read();
        if (chunk === null) {
          arrived.set(() => front._read());
          return;
        }
        if (!front.push(chunk)) return;
      }
    };
    return;
  }
  const reader = (isTransformStream(source) ? source.readable : source).getReader();
  front._read = async () => {
    for (;;) {
      try {
        const { value, done } = await reader.read();
        if (done) {
          front.push(null);
          return;
        }
        if (!front.push(value)) return;
      } catch {
        return; // who watches the source tells of it
      }
    }
  };
};
