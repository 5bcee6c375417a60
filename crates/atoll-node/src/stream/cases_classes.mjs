// Programs that log what the classes of node:stream do, and when. What they log in Node.js is in expected.mjs.
import { attempt, turn, watch } from './cases_tools.mjs';

export const cases = {
  async 'chunks of a flowing stream come at once, the end in a later tick'({ Readable }, log) {
    const readable = watch(
      new Readable({
        read() {
          log('_read');
        },
      }),
      log,
    );
    readable.on('data', (chunk) => log('data', chunk));
    readable.push('a');
    log('pushed');
    process.nextTick(() => log('tick'));
    Promise.resolve().then(() => log('microtask'));
    await turn();
    readable.push('b');
    log('pushed');
    readable.push(null);
    log('ended');
    await turn();
  },
  async 'a stream that is read asks for more below its mark'({ Readable }, log) {
    let left = 4;
    const readable = watch(
      new Readable({
        highWaterMark: 4,
        read(size) {
          log('_read', size);
          this.push(left-- > 0 ? 'abc' : null);
        },
      }),
      log,
    );
    readable.on('readable', () => {
      log('readable', readable.readableLength);
      for (let chunk = readable.read(2); chunk !== null; chunk = readable.read(2)) log('got', chunk);
    });
    await turn(3);
  },
  async 'reads of given sizes'({ Readable }, log) {
    const bytes = new Readable({ read() {} });
    for (const part of ['abc', 'def', 'ghi', 'jkl']) bytes.push(part);
    log(bytes.read(2), bytes.read(5), bytes.read(1), bytes.read(0), bytes.read(100), bytes.read(), bytes.read());
    const objects = new Readable({ read() {}, objectMode: true });
    for (const part of [1, { a: 1 }, undefined, 0, '']) objects.push(part);
    log(
      objects.readableLength,
      objects.read(),
      objects.read(9),
      objects.read(),
      objects.read(),
      objects.read(),
      objects.read(),
    );
  },
  async 'text is decoded across chunks'({ Readable }, log) {
    const readable = watch(new Readable({ read() {} }), log);
    readable.setEncoding('utf8');
    readable.push(Buffer.from([0xe2, 0x82]));
    readable.push(Buffer.from([0xac, 0x41]));
    readable.push('\u00e9', 'latin1');
    readable.on('data', (chunk) => log('data', chunk));
    await turn();
    readable.push(Buffer.from([0xe2]));
    readable.push(null);
    await turn();
    const late = new Readable({ read() {} });
    late.push(Buffer.from([0xe2, 0x82, 0xac]));
    late.push('x');
    late.setEncoding('hex');
    log(late.read(), late.readableEncoding);
    const back = new Readable({ read() {}, encoding: 'utf8' });
    back.push('abc');
    back.unshift('yy');
    back.unshift('6869', 'hex');
    log(back.readableLength, back.read());
  },
  async 'chunks of other types, and after the end'({ Readable }, log) {
    for (const chunk of [1, {}, true]) {
      const readable = watch(new Readable({ read() {} }), log);
      log(readable.push(chunk));
      await turn();
    }
    const ended = watch(new Readable({ read() {} }), log);
    ended.push('a');
    ended.push(null);
    log(ended.push('b'));
    await turn();
    const over = watch(new Readable({ read() {}, autoDestroy: false }), log);
    over.push(null);
    over.resume();
    await turn();
    over.unshift('a');
    await turn();
    const lacking = watch(new Readable(), log);
    lacking.read();
    await turn();
  },
  async 'destroying a readable stream'({ Readable }, log) {
    for (const error of [undefined, new Error('gone')]) {
      const readable = watch(
        new Readable({
          read() {},
          destroy(given, callback) {
            log('_destroy', given);
            callback(given);
          },
        }),
        log,
      );
      readable.push('a');
      readable.destroy(error, (given) => log('callback', given));
      log(
        readable.push('b'),
        readable.read(),
        readable.destroyed,
        readable.closed,
        readable.readableAborted,
        readable.errored,
      );
      readable.destroy(new Error('again'));
      await turn();
      log(readable.closed);
    }
    const replaced = watch(
      new Readable({
        read() {},
        destroy(_, callback) {
          setImmediate(callback, new Error('other'));
        },
      }),
      log,
    );
    replaced.destroy(new Error('first'));
    await turn(2);
    log(replaced.errored);
    const silent = watch(new Readable({ read() {}, emitClose: false }), log);
    silent.destroy();
    await turn();
    log(silent.closed);
  },
  async 'pausing, resuming, and listeners that come and go'({ Readable }, log) {
    const readable = watch(new Readable({ read() {} }), log);
    log(readable.readableFlowing, readable.isPaused());
    readable.pause();
    readable.on('data', (chunk) => log('data', chunk));
    readable.push('a');
    await turn();
    log(readable.readableFlowing, readable.isPaused());
    readable.resume();
    await turn();
    const onReadable = () => log('readable', readable.readableLength);
    readable.on('readable', onReadable);
    log(readable.readableFlowing);
    readable.push('b');
    await turn();
    readable.off('readable', onReadable);
    await turn();
    log(readable.readableFlowing);
  },
  async 'a write that is answered at once, and one that is not'({ Writable }, log) {
    for (const later of [false, true]) {
      const writable = watch(
        new Writable({
          highWaterMark: 3,
          write(chunk, encoding, callback) {
            log('_write', chunk, encoding);
            if (later) setImmediate(callback);
            else callback();
          },
        }),
        log,
      );
      log(
        writable.write('a', () => log('a done')),
        writable.write('bcd', () => log('bcd done')),
        writable.write('e'),
      );
      log(writable.writableLength, writable.writableNeedDrain);
      process.nextTick(() => log('tick'));
      Promise.resolve().then(() => log('microtask'));
      writable.end('z', () => log('end done'));
      log(writable.writableEnded, writable.writableFinished, writable.writable);
      await turn(8);
      log(writable.writableFinished, writable.closed);
    }
  },
  async 'what cannot be written'({ Writable }, log) {
    const writable = new Writable({
      write(chunk, encoding, callback) {
        log(chunk, encoding);
        callback();
      },
    });
    for (const chunk of [null, undefined, 1, {}]) attempt(log, () => writable.write(chunk));
    attempt(log, () => writable.write('a', 'none'));
    attempt(log, () => writable.setDefaultEncoding('none'));
    attempt(log, () => new Writable({ highWaterMark: -1 }));
    attempt(log, () => new Writable({ defaultEncoding: 'none' }));
    writable.write(new Uint8Array([65]));
    writable.write(new DataView(new ArrayBuffer(1)));
    writable.setDefaultEncoding('latin1').write('\u00e9');
  },
  async 'writing after the end and after destruction'({ Writable }, log) {
    const make = () =>
      watch(
        new Writable({
          write(chunk, encoding, callback) {
            callback();
          },
        }),
        log,
      );
    const ended = make();
    ended.end('a');
    log(ended.write('b', (error) => log('write', error)));
    await turn();
    ended.end((error) => log('end', error));
    await turn();
    const finished = make();
    finished.end();
    await turn();
    finished.end((error) => log('end', error));
    await turn();
    const destroyed = make();
    destroyed.destroy();
    await turn();
    destroyed.write('a', (error) => log('write', error));
    destroyed.end((error) => log('end', error));
    await turn();
  },
  async 'corked writes go out together'({ Writable }, log) {
    const writable = watch(
      new Writable({
        writev(chunks, callback) {
          log(
            '_writev',
            chunks.map(({ chunk }) => String(chunk)),
            chunks.allBuffers,
          );
          callback();
        },
      }),
      log,
    );
    writable.cork();
    writable.cork();
    writable.write('a', () => log('a done'));
    writable.write('b', () => log('b done'));
    writable.uncork();
    log(writable.writableCorked, writable.writableLength);
    writable.uncork();
    writable.write('c');
    writable.cork();
    writable.write('d');
    writable.end();
    await turn();
  },
  async 'a write that fails'({ Writable }, log) {
    for (const autoDestroy of [true, false]) {
      const writable = watch(
        new Writable({
          autoDestroy,
          write(chunk, encoding, callback) {
            setImmediate(callback, new Error(`bad ${chunk}`));
          },
        }),
        log,
      );
      log(
        writable.write('a', (error) => log('a', error)),
        writable.write('b', (error) => log('b', error)),
      );
      writable.end((error) => log('end', error));
      await turn(3);
      log(writable.destroyed, writable.errored);
    }
    const twice = watch(
      new Writable({
        write(chunk, encoding, callback) {
          callback();
          callback();
        },
      }),
      log,
    );
    twice.write('a');
    await turn();
  },
  async 'final comes before finish'({ Writable }, log) {
    for (const how of ['at once', 'later', 'error', 'throws', 'twice']) {
      log(how);
      const final = (callback) => {
        log('_final');
        if (how === 'at once') callback();
        else if (how === 'later') setImmediate(callback);
        else if (how === 'error') callback(new Error('final'));
        else if (how === 'throws') throw new Error('thrown');
        else callback(callback());
      };
      const writable = watch(
        new Writable({
          write(chunk, encoding, callback) {
            callback();
          },
          final,
        }),
        log,
      );
      writable.end('a', (error) => log('end', error));
      process.nextTick(() => log('tick'));
      await turn(3);
    }
  },
  async 'construct comes before all else'({ Duplex }, log) {
    for (const how of ['later', 'error']) {
      const duplex = watch(
        new Duplex({
          construct(callback) {
            log('_construct');
            setImmediate(callback, how === 'error' ? new Error('construct') : undefined);
          },
          read() {
            log('_read');
            this.push('x');
            this.push(null);
          },
          write(chunk, encoding, callback) {
            log('_write', chunk);
            callback();
          },
          destroy(error, callback) {
            log('_destroy', error);
            callback(error);
          },
        }),
        log,
      );
      duplex.on('data', (chunk) => log('data', chunk));
      duplex.end('a', (error) => log('end', error));
      await turn(4);
    }
  },
};
