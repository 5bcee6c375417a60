// Cases of fs.watch, fs.watchFile and fs.promises.watch whose events come in one order only. It runs under Atoll and under
// Node.js, with the directory to work in as its argument, and prints what each case came to, a line of JSON for each.
import fs from 'node:fs';

const root = `${process.argv[2]}/work`;
fs.mkdirSync(`${root}/fences`, { recursive: true });
const promises = fs.promises;

let here = '';
const place = (value) => (typeof value === 'string' ? value.replaceAll(here, '<here>') : value);
const named = (name) => (Buffer.isBuffer(name) ? `buffer ${name.toString('latin1')}` : name);

function describe(error) {
  const shown = { name: error.name, message: place(error.message) };
  for (const key of ['code', 'errno', 'syscall', 'path', 'filename']) if (error[key] !== undefined) shown[key] = named(place(error[key]));
  shown.keys = Object.keys(error).sort();
  return shown;
}
const attempt = (work) => {
  try {
    return work();
  } catch (error) {
    return describe(error);
  }
};

/** Puts a file in its place, whole: who looks now and then must not see it half written. */
function put(file, content) {
  fs.writeFileSync(`${here}/.new`, content);
  fs.renameSync(`${here}/.new`, file);
}

/** Waits until what has been done so far has been told. */
let fences = 0;
async function told() {
  const name = `${fences++}`;
  await new Promise((resolve) => {
    const watcher = fs.watch(`${root}/fences`, (_, found) => {
      if (found === name) resolve(watcher.close());
    });
    fs.mkdirSync(`${root}/fences/${name}`);
  });
}

/** What is told of `act()` to watchers of the directory and of what is in it. */
async function events(act, watched = ['', 'a', 'b', 'd', 'e'], options = undefined) {
  const log = [];
  const watchers = watched.map((name) =>
    fs.watch(name === '' ? here : `${here}/${name}`, options, (type, found) => log.push(`${name || '.'}: ${type} ${named(found)}`)),
  );
  act();
  await told();
  watchers.forEach((watcher) => watcher.close());
  return log;
}

function scene() {
  for (const directory of ['d', 'e']) fs.mkdirSync(`${here}/${directory}`);
  for (const file of ['a', 'b']) fs.writeFileSync(`${here}/${file}`, 'content');
}

const acts = {
  'a new file': () => fs.writeFileSync(`${here}/new`, 'x'),
  'an empty file': () => fs.writeFileSync(`${here}/new`, ''),
  'new content': () => fs.writeFileSync(`${here}/a`, 'x'),
  'a longer content': () => fs.appendFileSync(`${here}/a`, 'x'),
  'the same twice': () => [1, 2].forEach(() => fs.utimesSync(`${here}/b`, 1, 1)),
  truncation: () => fs.truncateSync(`${here}/a`, 1),
  'nothing written': () => fs.closeSync(fs.openSync(`${here}/a`, 'r+')),
  permissions: () => fs.chmodSync(`${here}/a`, 0o600),
  'permissions of a directory': () => fs.chmodSync(`${here}/d`, 0o700),
  'permissions of the directory': () => fs.chmodSync(here, 0o755),
  times: () => fs.utimesSync(`${here}/a`, 1, 1),
  'an open file': () => {
    const fd = fs.openSync(`${here}/a`, 'r+');
    fs.writeSync(fd, 'x');
    fs.fchmodSync(fd, 0o600);
    fs.ftruncateSync(fd, 0);
    fs.futimesSync(fd, 1, 1);
    fs.closeSync(fd);
  },
  removal: () => fs.unlinkSync(`${here}/a`),
  'removal of an open file': () => {
    const fd = fs.openSync(`${here}/a`, 'r+');
    fs.unlinkSync(`${here}/a`);
    fs.writeSync(fd, 'x');
    fs.closeSync(fd);
  },
  'a hard link': () => {
    fs.linkSync(`${here}/a`, `${here}/d/l`);
    fs.writeFileSync(`${here}/d/l`, '');
    fs.writeFileSync(`${here}/a`, '');
    fs.unlinkSync(`${here}/d/l`);
  },
  'a symbolic link': () => {
    fs.symlinkSync('a', `${here}/s`);
    fs.writeFileSync(`${here}/s`, '');
    fs.unlinkSync(`${here}/s`);
  },
  directories: () => {
    fs.mkdirSync(`${here}/new`);
    fs.rmdirSync(`${here}/new`);
    fs.rmdirSync(`${here}/d`);
  },
  renaming: () => fs.renameSync(`${here}/a`, `${here}/d/moved`),
  'renaming over a file': () => fs.renameSync(`${here}/a`, `${here}/b`),
  'renaming over a directory': () => fs.renameSync(`${here}/d`, `${here}/e`),
  'renaming an open file': () => {
    const fd = fs.openSync(`${here}/a`, 'r+');
    fs.renameSync(`${here}/a`, `${here}/moved`);
    fs.writeSync(fd, 'x');
    fs.closeSync(fd);
  },
  'a tree': () => {
    fs.mkdirSync(`${here}/d/x/y`, { recursive: true });
    fs.rmSync(`${here}/d`, { recursive: true });
  },
  'what fails': () => {
    attempt(() => fs.mkdirSync(`${here}/d`));
    attempt(() => fs.unlinkSync(`${here}/none`));
    attempt(() => fs.writeFileSync(`${here}/a`, '', { flag: 'wx' }));
  },
};

const cases = {};
for (const [name, act] of Object.entries(acts)) {
  cases[`watch: ${name}`] = () => (scene(), events(act));
  cases[`watch: ${name}, the directory alone`] = () => (scene(), events(act, ['']));
  cases[`watch: ${name}, a file alone`] = () => (scene(), events(act, ['a']));
}
Object.assign(cases, {
  'watch: two on one': () => (scene(), events(() => fs.writeFileSync(`${here}/a`, ''), ['a', 'a'])),
  'watch: through a link': () => (scene(), fs.symlinkSync('d', `${here}/s`), events(() => fs.mkdirSync(`${here}/d/x`), ['s'])),
  'watch: with a slash': () => (scene(), events(() => fs.chmodSync(`${here}/d`, 0o700), ['d/'])),
  'watch: with dots': () => (scene(), events(() => fs.writeFileSync(`${here}/a`, ''), ['d/../a', './a'])),
  async 'watch: encodings'() {
    const log = [];
    for (const options of ['utf8', 'buffer', 'hex', 'latin1', 'base64', { encoding: 'buffer' }, { encoding: null }, {}, null, undefined]) {
      log.push(...(await events(() => fs.mkdirSync(`${here}/ü${log.length}`), [''], options)));
    }
    return log;
  },
  async 'watch: a name that is no UTF-8'() {
    const name = Buffer.concat([Buffer.from(`${here}/`), Buffer.from([0x61, 0xff])]);
    return [
      ...(await events(() => fs.mkdirSync(name), [''], 'buffer')),
      ...(await events(() => fs.rmdirSync(name), [''])),
    ];
  },
  async 'watch: paths of all kinds'() {
    scene();
    const log = [];
    const watchers = [Buffer.from(`${here}/a`), new URL(`file://${here}/a`)].map((path) => fs.watch(path, (type, name) => log.push([type, named(name)])));
    fs.writeFileSync(`${here}/a`, '');
    await told();
    watchers.forEach((watcher) => watcher.close());
    return log;
  },
  'watch: what is not there': () => [
    attempt(() => fs.watch(`${here}/none`)),
    attempt(() => fs.watch(`${here}/none/deeper`, { recursive: true })),
    (scene(), attempt(() => fs.watch(`${here}/a/b`))),
    (fs.symlinkSync('none', `${here}/s`), attempt(() => fs.watch(`${here}/s`))),
    attempt(() => fs.watch(`${here}/a/`)),
    attempt(() => fs.watch('')),
  ],
  'watch: arguments': () => [
    attempt(() => fs.watch()),
    attempt(() => fs.watch(1)),
    attempt(() => fs.watch('a\0b')),
    attempt(() => fs.watch(here, 1)),
    attempt(() => fs.watch(here, 'none')),
    attempt(() => fs.watch(here, { encoding: 'none' })),
    attempt(() => fs.watch(here, { signal: 1 })),
    attempt(() => fs.watch(here, { recursive: 1 })),
    attempt(() => fs.watch(here, { recursive: true, persistent: 1 })),
    attempt(() => fs.watch(here, undefined, 1)),
    attempt(() => fs.watch(here, {}, 'x')),
  ],
  'watch: a listener in the place of options': async () => {
    const log = [];
    const watcher = fs.watch(here, (type, name) => log.push([type, name]));
    fs.mkdirSync(`${here}/x`);
    await told();
    watcher.close();
    return log;
  },
  'watch: the watcher': () => {
    const watcher = fs.watch(here);
    const shown = [watcher.ref() === watcher, watcher.unref() === watcher, watcher.start(), watcher.close(), watcher.close()];
    shown.push(watcher.ref() === watcher, watcher.constructor.name, typeof watcher.on);
    return shown;
  },
  async 'watch: closing'() {
    const log = [];
    const watcher = fs.watch(here, (type, name) => log.push([type, name]));
    watcher.on('close', () => log.push('close'));
    fs.mkdirSync(`${here}/x`);
    watcher.close();
    log.push('closed');
    process.nextTick(() => log.push('tick'));
    await told();
    return log;
  },
  async 'watch: closing in a listener'() {
    const log = [];
    const watcher = fs.watch(here, (type, name) => {
      log.push([type, name]);
      watcher.close();
      fs.mkdirSync(`${here}/late`);
    });
    watcher.on('close', () => log.push('close'));
    fs.mkdirSync(`${here}/x`);
    fs.mkdirSync(`${here}/y`);
    await told();
    await told();
    return log;
  },
  async 'watch: ticks and promises between events'() {
    const log = [];
    const watcher = fs.watch(here, (_, name) => {
      log.push(name);
      process.nextTick(() => log.push(`tick ${name}`));
      Promise.resolve().then(() => log.push(`promise ${name}`));
    });
    for (const name of ['x', 'y', 'z']) fs.mkdirSync(`${here}/${name}`);
    await told();
    watcher.close();
    return log;
  },
  async 'watch: signals'() {
    const log = [];
    const controller = new AbortController();
    const one = fs.watch(here, { signal: controller.signal }, () => log.push('event'));
    one.on('close', () => log.push('close'));
    controller.abort();
    const two = fs.watch(here, { signal: controller.signal }, () => log.push('event'));
    two.on('close', () => log.push('close again'));
    fs.mkdirSync(`${here}/x`);
    await told();
    await told();
    return log;
  },
  async 'watch recursive: files'() {
    scene();
    const log = [];
    const watcher = fs.watch(here, { recursive: true }, (type, name) => log.push([type, name]));
    for (const act of [
      () => fs.mkdirSync(`${here}/d/new`),
      () => fs.mkdirSync(`${here}/d/new/deep`),
      () => fs.closeSync(fs.openSync(`${here}/d/new/deep/file`, 'w')),
      () => fs.appendFileSync(`${here}/d/new/deep/file`, 'x'),
      () => fs.appendFileSync(`${here}/a`, 'x'),
      () => fs.unlinkSync(`${here}/d/new/deep/file`),
    ]) {
      act();
      await told();
    }
    watcher.close();
    return log;
  },
  async 'watch recursive: a tree that appears'() {
    const log = [];
    const watcher = fs.watch(here, { recursive: true }, (type, name) => log.push([type, name]));
    fs.mkdirSync(`${here}/x/y/z`, { recursive: true });
    await told();
    watcher.close();
    return log;
  },
  async 'watch recursive: a file'() {
    scene();
    const log = [];
    const watcher = fs.watch(`${here}/a`, { recursive: true }, (type, name) => log.push([type, name]));
    fs.appendFileSync(`${here}/a`, 'x');
    await told();
    watcher.close();
    return log;
  },
  async 'promises.watch'() {
    scene();
    const log = [];
    const iterator = promises.watch(here)[Symbol.asyncIterator]();
    for (const name of ['x', 'y', 'z']) {
      const next = iterator.next();
      fs.mkdirSync(`${here}/${name}`);
      const { value, done } = await next;
      log.push([value.eventType, value.filename, Object.keys(value), done]);
    }
    log.push(await iterator.return(), await iterator.next());
    return log;
  },
  async 'promises.watch: signals'() {
    const log = [];
    const reasons = [undefined, new Error('a reason')];
    for (const reason of reasons) {
      const controller = new AbortController();
      const { signal } = controller;
      const iterator = promises.watch(here, { signal })[Symbol.asyncIterator]();
      const next = iterator.next().then(() => 'event', (error) => [error.name, error.code, error.message, error.cause === signal.reason]);
      controller.abort(reason);
      log.push(await next, await iterator.next());
      log.push(await promises.watch(here, { signal }).next().then(() => 'event', (error) => error.name));
    }
    return log;
  },
  async 'promises.watch: arguments'() {
    const log = [];
    for (const [path, options] of [
      [1],
      [`${here}/none`],
      [`${here}/none`, { recursive: true }],
      [here, 1],
      [here, null],
      [here, { persistent: 1 }],
      [here, { recursive: 1 }],
      [here, { encoding: 1 }],
      [here, { encoding: 'none' }],
      [here, { signal: 1 }],
    ]) {
      log.push(await promises.watch(path, options).next().then(() => 'event', describe));
    }
    return log;
  },
  async 'promises.watch: encoding'() {
    const iterator = promises.watch(here, { encoding: 'hex' });
    const next = iterator.next();
    fs.mkdirSync(`${here}/x`);
    const { value } = await next;
    await iterator.return();
    return value;
  },
  async 'watchFile'() {
    const file = `${here}/file`;
    const log = [];
    let wake;
    const changed = () => new Promise((resolve) => (wake = resolve));
    const size = (stats) => [stats.size, stats.isFile(), stats.ino > 0, stats.mtimeMs > 0, stats.mtime.getTime() > 0];
    let next = changed();
    const listener = (now, before) => (log.push([size(now), size(before), now instanceof fs.Stats]), wake());
    const watcher = fs.watchFile(file, { interval: 20 }, listener);
    for (const act of [
      () => {},
      () => put(file, 'one'),
      () => fs.appendFileSync(file, 'two'),
      () => fs.chmodSync(file, 0o600),
      () => fs.unlinkSync(file),
      () => put(file, 'again'),
      () => put(file, 'from elsewhere'),
    ]) {
      act();
      await next;
      next = changed();
    }
    log.push(watcher.constructor.name, fs.watchFile(file, () => {}) === watcher, watcher.listenerCount('change'));
    watcher.on('stop', () => log.push('stop'));
    fs.unwatchFile(file, () => {});
    log.push(watcher.listenerCount('change'));
    fs.unwatchFile(file, listener);
    log.push(watcher.listenerCount('change'));
    fs.unwatchFile(file);
    fs.unwatchFile(file);
    log.push(watcher.listenerCount('change'), watcher.ref() === watcher, watcher.unref() === watcher, watcher.start(), watcher.stop());
    await null;
    await told();
    return log;
  },
  async 'watchFile: a path that comes to be'() {
    const file = `${here}/x/y/file`;
    const log = [];
    let wake;
    let next = new Promise((resolve) => (wake = resolve));
    fs.watchFile(file, { interval: 20, bigint: true }, (now, before) => {
      log.push([typeof now.size, now.size > 0n, before.size > 0n, typeof now.mtimeNs]);
      wake();
    });
    for (const act of [
      () => {},
      () => (fs.mkdirSync(`${here}/x/y`, { recursive: true }), put(file, 'here')),
      () => fs.renameSync(`${here}/x`, `${here}/moved`),
      () => fs.symlinkSync('moved', `${here}/x`),
      () => fs.rmSync(`${here}/moved`, { recursive: true }),
    ]) {
      act();
      await next;
      next = new Promise((resolve) => (wake = resolve));
    }
    fs.unwatchFile(file);
    return log;
  },
  'watchFile: arguments': () => [
    attempt(() => fs.watchFile()),
    attempt(() => fs.watchFile(`${here}/a`)),
    attempt(() => fs.watchFile(`${here}/a`, {})),
    attempt(() => fs.watchFile(`${here}/a`, {}, 1)),
    attempt(() => fs.watchFile(1, () => {})),
    attempt(() => fs.watchFile(`${here}/a`, { interval: 'x' }, () => {})),
    attempt(() => fs.watchFile(`${here}/a`, { interval: -1 }, () => {})),
    attempt(() => fs.unwatchFile()),
    attempt(() => fs.unwatchFile(`${here}/none`)),
  ],
  'names and lengths': () => [fs.watch, fs.watchFile, fs.unwatchFile].map((call) => [call.name, call.length]),
});

let number = 0;
for (const [name, run] of Object.entries(cases)) {
  here = `${root}/${number++}`;
  fs.mkdirSync(here);
  let outcome;
  try {
    outcome = await run();
  } catch (error) {
    outcome = { threw: describe(error) };
  }
  // A string: its quotes are of use to whoever reads the lines.
  console.log(JSON.stringify({ name, outcome: JSON.stringify(outcome, (_, value) => (value === undefined ? 'undefined' : value)) }));
}
// Watchers whose listeners were refused would keep it alive.
process.exit(0);
