// The same of what works on streams: pipes, iterators, pipelines, operators and the others.
import { attempt, attempted, turn, watch } from './cases_tools.mjs';

export const cases = {
  async 'pipes wait for the slowest, and end what they fill'({ Readable, Writable }, log) {
    const readable = watch(new Readable({ read() {} }), log, 'source ');
    const sink = (name, later) =>
      watch(
        new Writable({
          highWaterMark: 2,
          write(chunk, encoding, callback) {
            log(name, chunk);
            if (later) setImmediate(callback);
            else callback();
          },
        }),
        log,
        `${name} `,
      );
    const slow = sink('slow', true);
    const fast = sink('fast', false);
    readable.pipe(slow);
    readable.pipe(fast, { end: false });
    for (const chunk of ['one', 'two']) readable.push(chunk);
    await turn(4);
    readable.unpipe(fast);
    readable.push('three');
    readable.push(null);
    await turn(4);
    log(slow.writableFinished, fast.writableEnded);
  },
  async 'errors at either end of a pipe'({ Readable, Writable }, log) {
    const failing = watch(
      new Writable({
        write(chunk, encoding, callback) {
          callback(new Error('sink'));
        },
      }),
      log,
      'sink ',
    );
    const source = watch(new Readable({ read() {} }), log, 'source ');
    source.pipe(failing);
    source.push('a');
    await turn();
    log(source.destroyed, source.readableFlowing);
    const open = watch(
      new Writable({
        write(chunk, encoding, callback) {
          callback();
        },
      }),
      log,
      'open ',
    );
    const broken = watch(new Readable({ read() {} }), log, 'broken ');
    broken.pipe(open);
    broken.destroy(new Error('source'));
    await turn();
    log(open.destroyed);
    const wrong = watch(new Writable(), log, 'wrong ');
    wrong.pipe(open);
    await turn();
  },
  async iterating({ Readable }, log) {
    for await (const chunk of Readable.from(['a', 'b'])) log(chunk);
    const left = watch(Readable.from([1, 2, 3]), log);
    for await (const chunk of left) {
      log(chunk);
      break;
    }
    log(left.destroyed);
    const kept = Readable.from([1, 2, 3]);
    for await (const chunk of kept.iterator({ destroyOnReturn: false })) {
      log(chunk);
      break;
    }
    log(kept.destroyed);
    for await (const chunk of kept) log(chunk);
    for (const error of [undefined, new Error('middle')]) {
      const readable = new Readable({ read() {} });
      readable.push('a');
      setImmediate(() => readable.destroy(error));
      await attempted(log, async () => {
        for await (const chunk of readable) log(chunk);
      });
    }
  },
  async 'streams from iterables'({ Readable }, log) {
    for (const source of [
      'text',
      [1, 2],
      new Set([3]),
      (async function* () {
        yield 5;
      })(),
      [Promise.resolve(6)],
    ])
      log(await Readable.from(source).toArray());
    for (const source of [1, null, {}]) attempt(log, () => Readable.from(source));
    const withNull = watch(Readable.from([1, null, 2]), log);
    withNull.on('data', (chunk) => log(chunk));
    await turn(3);
    const generator = (function* () {
      try {
        yield 1;
        yield 2;
      } catch (error) {
        log('caught', error);
      } finally {
        log('finally');
      }
    })();
    const stopped = watch(Readable.from(generator), log);
    stopped.on('data', () => stopped.destroy(new Error('stop')));
    await turn(3);
  },
  async transforms({ Transform }, log) {
    for (const how of ['at once', 'later', 'error', 'nothing']) {
      log(how);
      const transform = (chunk, encoding, callback) => {
        log('_transform', chunk);
        if (how === 'at once') callback(null, String(chunk).toUpperCase());
        else if (how === 'later') setImmediate(callback, null, chunk);
        else callback(how === 'error' ? new Error('transform') : null);
      };
      const stream = watch(
        new Transform({
          transform,
          flush(callback) {
            log('_flush');
            callback(null, 'tail');
          },
        }),
        log,
      );
      stream.on('data', (chunk) => log('data', chunk));
      stream.write('a', (error) => log('a', error));
      stream.end('b', (error) => log('end', error));
      await turn(5);
    }
  },
  async 'a transform waits until its output is read'({ Transform }, log) {
    const stream = new Transform({
      highWaterMark: 2,
      transform(chunk, encoding, callback) {
        log('_transform', chunk);
        callback(null, chunk);
      },
    });
    log(
      stream.write('abc', () => log('abc done')),
      stream.write('def', () => log('def done')),
      stream.write('ghi'),
    );
    await turn(2);
    log(stream.read());
    await turn(2);
    log(stream.read(), stream.readableLength, stream.writableLength);
  },
  async 'halves of a duplex stream'({ Duplex, duplexPair }, log) {
    for (const allowHalfOpen of [true, false]) {
      const duplex = watch(
        new Duplex({
          allowHalfOpen,
          read() {},
          write(chunk, encoding, callback) {
            callback();
          },
        }),
        log,
      );
      duplex.resume();
      duplex.push(null);
      await turn(2);
      log(duplex.writableEnded, duplex.destroyed);
    }
    const [one, other] = duplexPair();
    other.on('data', (chunk) => log('other side', chunk));
    one.write('hello', () => log('hello done'));
    await turn(2);
  },
  async finished({ Readable, Writable, Duplex, finished }, log) {
    const make = [
      () => new Readable({ read() {} }),
      () =>
        new Writable({
          write(chunk, encoding, callback) {
            callback();
          },
        }),
      () =>
        new Duplex({
          read() {},
          write(chunk, encoding, callback) {
            callback();
          },
        }),
    ];
    for (let kind = 0; kind < make.length; kind++) {
      for (const end of ['end', 'destroy', 'error']) {
        const stream = make[kind]();
        stream.on('error', () => {});
        finished(stream, (...values) => log(kind, end, ...values));
        stream.resume?.();
        if (end === 'end') {
          stream.push?.(null);
          stream.end?.();
        } else stream.destroy(end === 'error' ? new Error('broken') : undefined);
        await turn(2);
        finished(stream, (...values) => log('afterwards', ...values));
        await turn();
      }
    }
    for (const values of [[], [1, () => {}], [make[0](), 5], [make[0](), { signal: 1 }, () => {}]])
      attempt(log, () => finished(...values));
    const controller = new AbortController();
    const open = make[0]();
    finished(open, { signal: controller.signal }, (error) => log(error));
    controller.abort();
    log(open.destroyed, open.listenerCount('error'));
  },
  async 'pipelines of all kinds of parts'({ Readable, Transform, Writable, pipeline, promises }, log) {
    const upper = () =>
      new Transform({
        transform(chunk, encoding, callback) {
          callback(null, String(chunk).toUpperCase());
        },
      });
    const sink = () =>
      watch(
        new Writable({
          write(chunk, encoding, callback) {
            log('sink', chunk);
            callback();
          },
        }),
        log,
      );
    const run = (...parts) =>
      new Promise((resolve) =>
        attempt(log, () => {
          pipeline(...parts, (...values) => {
            log('done', ...values);
            resolve();
          });
        }),
      );
    await run(Readable.from(['a', 'b']), upper(), sink());
    await run(
      ['a'],
      async function* (source) {
        for await (const chunk of source) yield `${chunk}!`;
      },
      sink(),
    );
    await run(['a', 'b'], async (source) => {
      let all = '';
      for await (const chunk of source) all += chunk;
      return all;
    });
    await run(
      new Readable({
        read() {
          this.destroy(new Error('source'));
        },
      }),
      upper(),
      sink(),
    );
    await run(['a'], async () => {
      throw new Error('function');
    });
    const failing = new Writable({
      write(chunk, encoding, callback) {
        callback(new Error('sink'));
      },
    });
    await run(Readable.from(['a']), upper(), failing);
    const closing = new Readable({ read() {} });
    setImmediate(() => closing.destroy());
    await run(closing, sink());
    attempt(log, () => pipeline());
    attempt(log, () => pipeline(Readable.from([])));
    await attempted(log, () => promises.pipeline(['a', 'b'], sink(), { end: false }));
    const controller = new AbortController();
    setImmediate(() => controller.abort());
    await attempted(log, () => promises.pipeline(new Readable({ read() {} }), sink(), { signal: controller.signal }));
  },
  async operators({ Readable }, log) {
    const numbers = () => Readable.from([1, 2, 3, 4]);
    log(
      await numbers()
        .map(async (x) => x * 2, { concurrency: 2 })
        .toArray(),
      await numbers()
        .filter((x) => x % 2)
        .toArray(),
    );
    log(
      await numbers()
        .flatMap((x) => [x, x])
        .toArray(),
      await numbers().drop(2).toArray(),
      await numbers().take(2).toArray(),
    );
    log(await numbers().some((x) => x > 2), await numbers().every((x) => x > 2), await numbers().find((x) => x > 2));
    log(await numbers().reduce((a, b) => a + b), await numbers().reduce((a, b) => a + b, 10));
    await attempted(log, () => Readable.from([]).reduce(() => 1));
    await attempted(log, () => numbers().forEach((x) => log('each', x)));
    for (const wrong of [
      () => numbers().map(1),
      () => numbers().drop(-1),
      () => numbers().map((x) => x, { concurrency: 0 }),
    ])
      attempt(log, wrong);
    await attempted(log, () =>
      numbers()
        .map((x) => {
          throw new Error(`at ${x}`);
        })
        .toArray(),
    );
    await attempted(log, () => numbers().toArray({ signal: AbortSignal.abort() }));
    let running = 0;
    let most = 0;
    const slow = async (x) => {
      most = Math.max(most, ++running);
      await turn();
      running--;
      return x;
    };
    log(await Readable.from([1, 2, 3, 4, 5, 6, 7, 8]).map(slow, { concurrency: 3 }).toArray(), most);
  },
  async 'composed streams, and duplex streams of other things'(
    { Duplex, PassThrough, Readable, Transform, Writable, compose },
    log,
  ) {
    const upper = () =>
      new Transform({
        transform(chunk, encoding, callback) {
          callback(null, String(chunk).toUpperCase());
        },
      });
    const show = async (stream) => {
      watch(stream, log);
      stream.on('data', (chunk) => log('data', chunk));
      await turn(6);
    };
    const composed = compose(upper(), async function* (source) {
      for await (const chunk of source) yield `${chunk}!`;
    });
    composed.end('a');
    await show(composed);
    attempt(log, () => compose());
    await show(Duplex.from(['a', 'b']));
    await show(Duplex.from(Promise.resolve('later')));
    const ofFunction = Duplex.from(async function* (source) {
      for await (const chunk of source) yield String(chunk) + '?';
    });
    ofFunction.end('a');
    await show(ofFunction);
    const pair = Duplex.from({
      readable: Readable.from(['out']),
      writable: new Writable({
        write(chunk, encoding, callback) {
          log('in', chunk);
          callback();
        },
      }),
    });
    pair.end('x');
    await show(pair);
    attempt(log, () => Duplex.from(1));
    log(Duplex.from(new PassThrough()) instanceof PassThrough);
  },
  async aborting({ Readable, Writable, addAbortSignal }, log) {
    const controller = new AbortController();
    const readable = watch(addAbortSignal(controller.signal, new Readable({ read() {} })), log);
    const writable = watch(
      new Writable({
        signal: controller.signal,
        write(chunk, encoding, callback) {
          setImmediate(callback);
        },
      }),
      log,
    );
    writable.write('a', (error) => log('a', error));
    controller.abort(new Error('why'));
    await turn(2);
    log(readable.errored.cause, writable.destroyed);
    attempt(log, () => addAbortSignal(1, readable));
    attempt(log, () => addAbortSignal(controller.signal, {}));
  },
  async 'the class of all'(Stream, log) {
    const { Readable, Writable, Duplex, PassThrough } = Stream;
    log(
      new Duplex() instanceof Writable,
      new Readable() instanceof Writable,
      PassThrough() instanceof Stream,
      Stream.Stream === Stream,
    );
    const source = new Stream();
    const target = new Stream();
    target.writable = true;
    target.write = (chunk) => log('write', chunk);
    target.end = () => log('end');
    source.pipe(target);
    source.emit('data', 'a');
    source.emit('end');
    attempt(log, () => source.emit('error', new Error('unheard')));
    const { EventEmitter } = await import('node:events');
    const old = new EventEmitter();
    const wrapped = watch(new Readable({ objectMode: true }).wrap(old), log);
    wrapped.on('data', (chunk) => log('data', chunk));
    old.emit('data', 1);
    old.emit('end');
    await turn();
    const { inherits } = await import('node:util');
    function Old() {
      Readable.call(this);
    }
    inherits(Old, Readable);
    Old.prototype._read = function () {
      this.push(null);
    };
    log((await new Old().toArray()).length);
  },
};
