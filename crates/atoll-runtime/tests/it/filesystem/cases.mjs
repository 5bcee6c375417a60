// What is compared between Atoll and Node.js. Each case gets `{ fs, promises, here, at }` with a directory of its own (see
// `prepare` in runner.mjs); what it returns or throws is compared, and what has become of the directory.
export const cases = [];

const add = (name, run) => cases.push({ name, run });

/** What was opened is closed, and its number is nobody's business. */
async function settled(context, method, result) {
  if (method === 'open' && typeof result === 'number') {
    context.fs.closeSync(result);
    return 'descriptor';
  }
  if ((method === 'open' || method === 'opendir') && typeof result === 'object' && result !== null) {
    await result.close();
    return result.constructor.name;
  }
  // In which order directories are entered differs between the forms.
  if (method === 'readdir' && Array.isArray(result)) result.sort((one, other) => (key(one) < key(other) ? -1 : 1));
  return result;
}
const key = (entry) => (entry.name === undefined ? `${entry}` : `${entry.parentPath}/${entry.name}`);

/** A call in its three forms, with each list of arguments. `list` makes them from `at`. */
let groups = 0;
function call(method, list) {
  const group = groups++;
  const count = list({ at: () => '', here: '' }).length;
  for (let index = 0; index < count; index++) {
    const given = (context) => list(context)[index];
    const words = `${method} ${group}.${index}`;
    add(`${words} sync`, (context) => settled(context, method, context.fs[`${method}Sync`](...given(context))));
    add(`${words} callback`, (context) => new Promise((resolve) => {
      let returned = false;
      context.fs[method](...given(context), async (error, ...results) => {
        resolve({ returned, error, results: [await settled(context, method, results[0]), ...results.slice(1)] });
      });
      returned = true;
    }));
    add(`${words} promise`, async (context) => {
      if (context.promises[method] === undefined) return 'absent';
      return settled(context, method, await context.promises[method](...given(context)));
    });
  }
}

const NAMES = ['file', 'empty', 'folder', 'vacant', 'link', 'folderlink', 'dangling', 'loop1', 'none', 'file/', 'folder/', 'file/x', 'none/x',
  'link/', 'folderlink/', 'dangling/', '.', '..', 'folder/..', 'folder/../file', 'file/..', 'file/../file', 'folder/.', './file', '//file', 'folder//a.js',
  'folder/inner/../../file', `${'n'.repeat(255)}`, `${'n'.repeat(256)}`, `${'d/'.repeat(2100)}`, '\n', 'ä', 'folderlink/a.js', 'folderlink/../file'];
const each = (make) => (context) => NAMES.map((name) => make(context.at(name), context));

call('stat', each((path) => [path]));
call('lstat', each((path) => [path]));
call('access', each((path) => [path]));
call('readFile', each((path) => [path, 'utf8']));
call('readdir', each((path) => [path]));
call('readlink', each((path) => [path]));
call('realpath', each((path) => [path]));
call('unlink', each((path) => [path]));
call('rmdir', each((path) => [path]));
call('mkdir', each((path) => [path]));
call('mkdir', each((path) => [path, { recursive: true }]));
call('rm', each((path) => [path]));
call('rm', (context) => NAMES.filter((name) => name !== '..' && name !== '.' && name !== 'file/..').map((name) => [context.at(name), { force: true, recursive: true }]));
call('chmod', each((path) => [path, 0o640]));
call('utimes', each((path) => [path, 1, 2]));
call('lutimes', each((path) => [path, 1, 2]));
call('truncate', each((path) => [path, 3]));
call('writeFile', each((path) => [path, 'written']));
call('appendFile', each((path) => [path, '+']));
call('copyFile', each((path, { at }) => [path, at('copy')]));
call('copyFile', each((path, { at }) => [at('file'), path]));
call('rename', each((path, { at }) => [path, at('renamed')]));
call('rename', each((path, { at }) => [at('file'), path]));
call('rename', each((path, { at }) => [at('folder'), path]));
call('link', each((path, { at }) => [path, at('linked')]));
call('link', each((path, { at }) => [at('file'), path]));
call('symlink', each((path) => ['target', path]));
call('opendir', (context) => ['none', 'file', 'file/x', 'loop1'].map((name) => [context.at(name)]));
call('cp', (context) => ['file', 'empty', 'link', 'dangling', 'none', 'folder', 'loop1'].map((name) => [context.at(name), context.at('copy')]));

call('readFile', ({ at }) => [
  [at('file')], [at('file'), 'latin1'], [at('file'), 'base64'], [at('file'), 'hex'], [at('file'), 'utf16le'], [at('file'), { encoding: 'utf8' }],
  [at('file'), { encoding: 'utf8', flag: 'r+' }], [at('none'), { flag: 'a+' }], [at('none'), { flag: 'w+' }], [at('file'), { flag: 'wx' }],
  [at('file'), { encoding: null }], [at('file'), null], [at('file'), 'nope'], [at('file'), 5], [at('file'), { flag: 'zz' }], [undefined], [null], [{}], [true], [1.5],
  ['\0'], [at('a\0b')], [Buffer.from(at('file'))], [new URL(`file://${at('file')}`)], [new URL('http://x/y')], [Symbol('x')], [[at('file')]], [''],
]);
call('writeFile', ({ at }) => [
  [at('new'), Buffer.from('bytes')], [at('new'), new Uint8Array([65, 66])], [at('new'), new DataView(new ArrayBuffer(2))], [at('new'), new Float64Array([1])],
  [at('new'), 'ff00', 'hex'], [at('new'), 'äö', 'latin1'], [at('new'), 'äö', 'utf16le'], [at('new'), 'x', { mode: 0o600 }], [at('new'), 'x', { mode: '600' }],
  [at('file'), 'x', { flag: 'wx' }], [at('file'), 'x', { flag: 'a' }], [at('file'), 'x', { flag: 'r+' }], [at('none'), 'x', { flag: 'r+' }], [at('file'), 'x', { flag: 'r' }],
  [at('new'), undefined], [at('new'), null], [at('new'), 5], [at('new'), {}], [at('new'), ''], [at('new'), 'x', { flush: true }], [at('new'), 'x', { flush: 1 }],
  [at('new'), 'x', { mode: 'z' }], [at('new'), 'x', { mode: -1 }], [at('new'), '\ud800'], [at('new'), 'x', 'nope'],
]);
call('appendFile', ({ at }) => [[at('new'), 'a'], [at('file'), Buffer.from('+')], [at('file'), 5], [at('file'), '+', { mode: 0o600 }], [at('file'), '+', 'hex']]);
call('stat', ({ at }) => [[at('file'), { bigint: true }], [at('file'), {}], [at('file'), { throwIfNoEntry: false }], [undefined], [5]]);
add('statSync throwIfNoEntry', ({ fs, at }) => ['none', 'none/x', 'file/x', 'dangling', 'loop1'].map((name) => {
  try { return fs.statSync(at(name), { throwIfNoEntry: false }); } catch (error) { return error; }
}));
add('lstatSync throwIfNoEntry', ({ fs, at }) => ['none', 'dangling'].map((name) => fs.lstatSync(at(name), { throwIfNoEntry: false, bigint: true })));
add('stat fields', ({ fs, at }) => {
  const stat = fs.statSync(at('file'));
  const big = fs.statSync(at('file'), { bigint: true });
  return [stat.mtime.getTime() === Math.round(stat.mtimeMs), stat.ctime instanceof Date, big.mtimeMs === big.mtimeNs / 1000000n, Number(big.ino) === stat.ino,
    typeof stat.birthtimeMs, stat.nlink, typeof stat.blksize, typeof stat.uid];
});
add('stat times are settable', ({ fs, at }) => {
  const stat = fs.statSync(at('file'));
  stat.mtime = 5;
  return stat.mtime;
});
call('access', ({ at }) => [0, 1, 2, 3, 4, 5, 6, 7, 8, -1, 1.5, '4', null].map((mode) => [at('file'), mode]));
call('readdir', ({ at }) => [
  [at('folder'), 'utf8'], [at('folder'), 'buffer'], [at('folder'), 'latin1'], [at('folder'), 'hex'], [at('folder'), { withFileTypes: true }],
  [at('.'), { withFileTypes: true }], [at('folder'), { encoding: 'buffer' }], [at('folder'), { recursive: true }], [at('.'), { recursive: true }],
  [at('.'), { recursive: true, withFileTypes: true }], [at('folder/'), { withFileTypes: true }], [at('folder'), { recursive: 1 }], [at('folder'), 'nope'],
  [at('folderlink'), { withFileTypes: true }], [at('none'), { recursive: true }], [at('file'), { withFileTypes: true }], [at('vacant'), { recursive: true }],
  [Buffer.from(at('folder'))], [Buffer.from(at('folder')), { withFileTypes: true }],
]);
call('mkdir', ({ at }) => [
  [at('new'), 0o700], [at('new'), '700'], [at('new'), { mode: 0o711 }], [at('new/deep'), { recursive: true, mode: 0o711 }], [at('new'), { recursive: 1 }],
  [at('new'), { mode: 'x' }], [at('new/a/b/c'), { recursive: true }], [at('new/a/b/c/'), { recursive: true }], [at('new/../other/a'), { recursive: true }], [at('new'), 'z'], [at('folder/x/../y'), { recursive: true }],
]);
call('mkdtemp', ({ at }) => [[at('tmp-')], [at('none/tmp-')], [at('file/tmp-')], [at('tmp-'), 'buffer'], [at('tmp-'), { encoding: 'utf8' }], [5], [undefined], [Buffer.from(at('tmp-'))], [at('tmp-'), 'nope']]);
call('rm', ({ at }) => [
  [at('file'), { force: true }], [at('folder'), { recursive: true }], [at('none'), { force: true }], [at('none/x'), { force: true }], [at('file/x'), { force: true }], [at('folder'), { force: true }],
  [at('folderlink'), { recursive: true }], [at('file'), { force: 1 }], [at('file'), { recursive: 1 }], [at('file'), { maxRetries: -1 }], [at('file'), { retryDelay: -1 }], [at('file'), null], [at('file'), 5],
]);
call('copyFile', ({ at }) => [
  [at('file'), at('copy'), 0], [at('file'), at('empty'), 1], [at('file'), at('copy'), 1], [at('file'), at('copy'), 2], [at('file'), at('file')], [at('file'), at('link')],
  [at('file'), at('copy'), 8], [at('file'), at('copy'), -1], [at('file'), at('copy'), 1.5], [at('file'), undefined], [undefined, at('copy')], [at('file'), at('copy'), '1'],
]);
call('truncate', ({ at }) => [[at('file')], [at('file'), 0], [at('file'), 100], [at('file'), -1], [at('file'), 1.5], [at('file'), 'x'], [at('file'), null], [at('file'), undefined]]);
call('utimes', ({ at }) => [
  [at('file'), 1.5, 2.25], [at('file'), '10', '20'], [at('file'), new Date(5000), new Date(7000)], [at('file'), 'x', 1], [at('file'), NaN, 1], [at('file'), undefined, 1], [at('file'), Infinity, 1], [at('file'), null, 1],
]);
add('utimes are told', ({ fs, at }) => {
  const times = [];
  for (const time of [0, 1, 1.5, 1700000000.123, '12', new Date(1234567)]) {
    fs.utimesSync(at('file'), time, time);
    const stat = fs.statSync(at('file'), { bigint: true });
    times.push(stat.atimeNs, stat.mtimeNs, fs.statSync(at('file')).mtimeMs);
  }
  fs.lutimesSync(at('link'), 5, 6);
  times.push(fs.lstatSync(at('link')).mtimeMs);
  return times;
});
call('chmod', ({ at }) => [[at('file'), 0o600], [at('file'), '644'], [at('file'), 'x'], [at('file'), -1], [at('file'), 1.5], [at('file')], [at('file'), 2 ** 32], [at('file'), 0o4755 & 0o777]]);
call('symlink', ({ at }) => [
  ['x', at('new'), 'file'], ['x', at('new'), 'dir'], ['x', at('new'), 'junction'], ['x', at('new'), 'nope'], ['x', at('new'), null], ['', at('new')], [undefined, at('new')], ['x', undefined],
  [Buffer.from('ä'), at('new')], ['/absolute', at('new')], ['../up', at('folder/new')],
]);
call('readlink', ({ at }) => [[at('link'), 'buffer'], [at('link'), 'hex'], [at('link'), { encoding: 'utf8' }], [at('link'), 'nope'], [Buffer.from(at('link'))]]);
call('realpath', ({ at }) => [[at('link'), 'buffer'], [at('folderlink/inner/../a.js')], [at('link'), 'nope'], [Buffer.from(at('link'))]]);
add('realpath.native', ({ fs, at }) => ['link', 'folderlink/a.js', '.', 'folder/..'].map((name) => fs.realpathSync.native(at(name))));
for (const name of ['none', 'dangling', 'loop1', 'file/x', 'none/x']) add(`realpath.native ${name}`, ({ fs, at }) => fs.realpathSync.native(at(name)));
call('open', ({ at }) => ['r', 'r+', 'rs', 'w', 'wx', 'w+', 'a', 'ax', 'a+', 'nope', '', null, undefined, 0, 1, 2, 3, 64 | 1, 64 | 128 | 1, 65536, 131072, -1, 1.5, {}].flatMap((flags) => [[at('none'), flags], [at('folder'), flags]]).filter(([, flags]) => true));
add('open flags on a file', ({ fs, at }) => ['r', 'r+', 'w', 'wx', 'a', 'ax', 'a+', 'as', 'sr+', 65536, 131072].map((flags) => {
  try { const fd = fs.openSync(at('link'), flags); fs.closeSync(fd); return typeof fd; } catch (error) { return error; }
}));
add('open modes', ({ fs, at }) => ['600', 0o640, 0o777, undefined, null].map((mode, index) => { fs.closeSync(fs.openSync(at(`m${index}`), 'w', mode)); return fs.statSync(at(`m${index}`)).mode; }));
for (const fd of [-1, 1.5, '1', null, undefined, NaN, 2 ** 31, 99999, {}]) {
  for (const method of ['close', 'fstat', 'fsync', 'fdatasync', 'ftruncate', 'fchmod', 'futimes', 'read', 'write', 'readv', 'writev']) {
    const rest = { fchmod: [0o600], futimes: [1, 1], read: [Buffer.alloc(1)], write: ['x'], readv: [[Buffer.alloc(1)]], writev: [[Buffer.alloc(1)]] }[method] ?? [];
    add(`${method}Sync of ${typeof fd} ${String(fd)}`, ({ fs }) => fs[`${method}Sync`](fd, ...rest));
    add(`${method} of ${typeof fd} ${String(fd)}`, ({ fs }) => new Promise((resolve) => fs[method](fd, ...rest, (...results) => resolve(results))));
  }
}

/** Cases with an open file. */
function opened(name, flags, run) {
  add(name, async (context) => {
    const fd = context.fs.openSync(context.at('file'), flags);
    try { return await run({ ...context, fd }); } finally { context.fs.closeSync(fd); }
  });
}
const attempt = (run) => { try { return run(); } catch (error) { return error; } };
opened('readSync arguments', 'r', ({ fs, fd }) => {
  const lists = [[4], [0, 3], [1, 3], [0, 3, 2], [0, 3, 100], [0, 3, null], [0, 3, -1], [0, 3, -2], [0, 3, 2n], [0, 3, 1.5], [0, 3, 'x'], [8, 1], [9, 1], [-1, 1], [0, 9], [0, -1], [1.5, 1], ['0', 1], [0, '1'], [0, null], [0, undefined, 0], [0, 0, 0], [null, 2, 0], [{ length: 2, position: 1 }], [{}], [undefined]];
  return lists.map((list) => { const buffer = Buffer.alloc(8); return [attempt(() => fs.readSync(fd, buffer, ...list)), buffer]; });
});
opened('readSync targets', 'r', ({ fs, fd }) => [new Uint16Array(4), new DataView(new ArrayBuffer(4)), new Float64Array(1), Buffer.alloc(0), 'x', 5, null, undefined, {}, []].map((target) => [attempt(() => fs.readSync(fd, target, { position: 0 })), ArrayBuffer.isView(target) ? target : null]));
opened('read in all forms', 'r', async ({ fs, fd }) => {
  const by = (...list) => new Promise((resolve) => fs.read(fd, ...list, (...results) => resolve(results)));
  const buffer = Buffer.alloc(4);
  return [await by(buffer, 0, 4, 0), await by(buffer, { position: 3 }), await by({ buffer, position: 1, length: 2 }), await by(buffer, 0, 4, 100), (await by())[1], await by(buffer, 0, 0, 0)];
});
opened('writeSync arguments', 'r+', ({ fs, fd }) => {
  const lists = [['ab'], ['ab', 1], ['ab', 1, 'latin1'], ['zz', 0, 'hex'], ['abc', 0, 'hex'], ['ab', null], ['ab', -1], ['', 0], [Buffer.from('xyz')], [Buffer.from('xyz'), 1], [Buffer.from('xyz'), 1, 1], [Buffer.from('xyz'), 0, 3, 0], [Buffer.from('xyz'), 4], [Buffer.from('xyz'), 0, 4], [Buffer.from('xyz'), -1], [Buffer.from('xyz'), 1.5], [Buffer.from('xyz'), { offset: 1, position: 0 }], [5], [null], [{}], [undefined], [new Uint16Array([65])]];
  return lists.map((list) => attempt(() => fs.writeSync(fd, ...list)));
});
opened('write in all forms', 'r+', async ({ fs, fd }) => {
  const by = (...list) => new Promise((resolve) => fs.write(fd, ...list, (...results) => resolve(results)));
  return [await by('abc'), await by('Z', 0), await by(Buffer.from('xyz'), 1, 1, 1), await by(Buffer.from('q'), { position: 5 }), await by('ff', 0, 'hex')];
});
opened('readv and writev', 'r+', async ({ fs, fd }) => {
  const buffers = [Buffer.alloc(2), new Uint8Array(3), Buffer.alloc(0), Buffer.alloc(10)];
  const later = await new Promise((resolve) => fs.readv(fd, buffers, 0, (...results) => resolve(results)));
  return [fs.readvSync(fd, buffers, 0), buffers, later, fs.writevSync(fd, [Buffer.from('1'), Buffer.from('23')], 1), fs.writevSync(fd, [Buffer.from('end')]), attempt(() => fs.readvSync(fd, 'x')), attempt(() => fs.writevSync(fd, [5])), fs.readvSync(fd, [], 0),
    await new Promise((resolve) => fs.writev(fd, [Buffer.from('w'), Buffer.from('v')], 0, (...results) => resolve(results)))];
});
opened('ftruncate, fchmod, futimes, fsync', 'r+', ({ fs, fd, at }) => {
  fs.ftruncateSync(fd, 3); fs.fchmodSync(fd, 0o600); fs.futimesSync(fd, 3, 4); fs.fsyncSync(fd); fs.fdatasyncSync(fd);
  return [fs.fstatSync(fd), fs.fstatSync(fd, { bigint: true }), fs.statSync(at('file')).mtimeMs, attempt(() => fs.ftruncateSync(fd, -5)), attempt(() => fs.ftruncateSync(fd, 'x'))];
});
opened('reading what is open for writing', 'w', ({ fs, fd }) => fs.readSync(fd, Buffer.alloc(1)));
opened('writing what is open for reading', 'r', ({ fs, fd }) => fs.writeSync(fd, 'x'));
opened('ftruncate of what is open for reading', 'r', ({ fs, fd }) => fs.ftruncateSync(fd, 1));
opened('readFile of a descriptor goes on where it is', 'r', ({ fs, fd }) => [fs.readSync(fd, Buffer.alloc(3)), fs.readFileSync(fd, 'utf8'), fs.readFileSync(fd, 'utf8')]);
opened('writeFile of a descriptor goes on where it is', 'r+', ({ fs, fd }) => { fs.readSync(fd, Buffer.alloc(3)); fs.writeFileSync(fd, 'XY'); fs.appendFileSync(fd, 'Z'); });
opened('appending', 'a+', ({ fs, fd }) => { fs.writeSync(fd, 'one', 0); fs.writeSync(fd, 'two'); const buffer = Buffer.alloc(20); return [fs.readSync(fd, buffer, 0, 20, 0), buffer]; });
opened('a file that grows and shrinks', 'r', ({ fs, fd, at }) => {
  const buffer = Buffer.alloc(20);
  const counts = [fs.readSync(fd, buffer, 0, 4)];
  fs.appendFileSync(at('file'), '-grown');
  counts.push(fs.readSync(fd, buffer, 0, 20));
  fs.truncateSync(at('file'), 2);
  counts.push(fs.readSync(fd, buffer, 0, 20), fs.readSync(fd, buffer, 0, 20, 0));
  return [counts, buffer];
});
opened('a file without a name', 'r+', ({ fs, fd, at }) => { fs.unlinkSync(at('file')); fs.writeSync(fd, 'X'); return [fs.readFileSync(fd, 'utf8'), fs.fstatSync(fd).nlink, fs.existsSync(at('file'))]; });
add('reading a directory', ({ fs, at }) => { const fd = fs.openSync(at('folder')); try { return attempt(() => fs.readSync(fd, Buffer.alloc(1))); } finally { fs.closeSync(fd); } });
add('descriptors are reused', ({ fs, at }) => { const one = fs.openSync(at('file')); const two = fs.openSync(at('file')); fs.closeSync(one); const three = fs.openSync(at('file')); fs.closeSync(two); fs.closeSync(three); return [three === one, two > one]; });
add('closing twice', ({ fs, at }) => { const fd = fs.openSync(at('file')); fs.closeSync(fd); fs.closeSync(fd); });

const readAll = async (iterable) => { const all = []; for await (const one of iterable) all.push(one); return all; };
const byName = (list) => list.sort((one, other) => (one.name < other.name ? -1 : 1));
add('Dir', async ({ fs, at }) => {
  const dir = fs.opendirSync(at('folder'));
  const names = [];
  for (let entry = dir.readSync(); entry !== null; entry = dir.readSync()) names.push(entry);
  dir.closeSync();
  return [dir.path, byName(names), attempt(() => dir.readSync()), attempt(() => dir.closeSync())];
});
add('Dir, iterated', async ({ promises, at }) => [byName(await readAll(await promises.opendir(at('folder')))), byName(await readAll(await promises.opendir(at('folder'), { bufferSize: 1, encoding: 'utf8' })))]);
add('Dir with callbacks', async ({ fs, at }) => {
  const dir = await new Promise((resolve, reject) => fs.opendir(at('vacant'), (error, dir) => (error ? reject(error) : resolve(dir))));
  return [await new Promise((resolve) => dir.read((...results) => resolve(results))), await new Promise((resolve) => dir.close((...results) => resolve(results)))];
});
for (const options of [{ bufferSize: 0 }, { bufferSize: 'x' }, { encoding: 'nope' }, { bufferSize: 1.5 }]) add(`opendir ${JSON.stringify(options)}`, ({ fs, at }) => fs.opendirSync(at('folder'), options).path);
add('a large directory', async ({ fs, promises, at }) => {
  for (let index = 0; index < 3000; index++) fs.writeFileSync(at(`vacant/name-${index}`), '');
  const names = fs.readdirSync(at('vacant'));
  const types = fs.readdirSync(at('vacant'), { withFileTypes: true });
  const later = await promises.readdir(at('vacant'));
  const iterated = await readAll(await promises.opendir(at('vacant')));
  fs.rmSync(at('vacant'), { recursive: true });
  return [names.length, names[0], names[2999], types.every((entry) => entry.isFile()), later.length, iterated.length];
});
add('names that are no text', ({ fs, at }) => {
  fs.writeFileSync(Buffer.concat([Buffer.from(at('')), Buffer.from([0xff, 0x41])]), 'x');
  fs.writeFileSync(at('line\nfeed'), 'y');
  fs.writeFileSync(at('\u{1f600}'), 'z');
  return [fs.readdirSync(at('.')), fs.readdirSync(at('.'), 'buffer').map((name) => name.toString('hex')), fs.readFileSync(Buffer.concat([Buffer.from(at('')), Buffer.from([0xff, 0x41])]), 'utf8')];
});
add('existsSync', ({ fs, at }) => [...NAMES.map((name) => fs.existsSync(at(name))), fs.existsSync(), fs.existsSync(5), fs.existsSync('\0'), fs.existsSync(Buffer.from(at('file')))]);
add('exists', async ({ fs, at }) => [await new Promise((resolve) => fs.exists(at('file'), resolve)), await new Promise((resolve) => fs.exists(5, resolve))]);
add('order of callbacks', async ({ fs, promises, at }) => {
  const order = [];
  fs.stat(at('file'), () => { order.push('stat'); process.nextTick(() => order.push('tick')); Promise.resolve().then(() => order.push('promise')); });
  order.push('sync');
  process.nextTick(() => order.push('first tick'));
  await Promise.resolve();
  order.push('microtask');
  await promises.stat(at('file'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  return order;
});
add('missing callback', ({ fs, at }) => ['stat', 'readFile', 'open', 'mkdir', 'access', 'rename', 'writeFile', 'readdir', 'exists'].map((name) => attempt(() => fs[name](at('none'), name === 'rename' || name === 'writeFile' ? 'x' : undefined))));
add('aborted reading', async ({ fs, promises, at }) => {
  const signal = AbortSignal.abort();
  return [await promises.readFile(at('file'), { signal }).catch((error) => [error.name, error.code]), await promises.writeFile(at('file'), 'x', { signal }).catch((error) => [error.name, error.code]), attempt(() => fs.readFileSync(at('file'), { signal: 5 }))];
});

// FileHandle
function handled(name, flags, run) {
  add(`FileHandle ${name}`, async (context) => {
    const handle = await context.promises.open(context.at('file'), flags);
    try { return await run({ ...context, handle }); } finally { await handle.close(); }
  });
}
handled('read', 'r', async ({ handle }) => {
  const buffer = Buffer.alloc(4);
  return [await handle.read(buffer, 0, 4, 0), await handle.read({ buffer, position: 2 }), await handle.read(buffer, { position: 5 }), (await handle.read()).bytesRead, await handle.readv([Buffer.alloc(2), Buffer.alloc(9)], 0)];
});
handled('write', 'r+', async ({ handle }) => [await handle.write('abc'), await handle.write('Z', 0), await handle.write(Buffer.from('xyz'), 1, 1, 1), await handle.write(Buffer.from('q'), { position: 5 }), await handle.writev([Buffer.from('1'), Buffer.from('2')], 0)]);
handled('whole', 'r+', async ({ handle }) => [await handle.readFile('utf8'), await handle.readFile(), await handle.writeFile('more'), await handle.appendFile('!'), await handle.stat(), (await handle.stat({ bigint: true })).size]);
handled('attributes', 'r+', async ({ handle }) => [await handle.truncate(3), await handle.chmod(0o600), await handle.utimes(1, 2), await handle.sync(), await handle.datasync(), await handle.stat()]);
handled('closing', 'r', async ({ handle }) => {
  const seen = [];
  handle.on('close', () => seen.push('close'));
  const both = await Promise.all([handle.close(), handle.close()]);
  return [both, handle.fd, seen, await handle.read(Buffer.alloc(1)).catch((error) => error), await handle.stat().catch((error) => error), await handle.close()];
});
handled('mistakes', 'r', async ({ handle }) => [await handle.read(5).catch((error) => error), await handle.write(5).catch((error) => error), await handle.chmod('x').catch((error) => error), await handle.utimes('x', 1).catch((error) => error)]);
add('FileHandle as target', async ({ promises, at }) => {
  const handle = await promises.open(at('new'), 'w+');
  await promises.writeFile(handle, 'one');
  await promises.appendFile(handle, 'two');
  const { bytesRead, buffer } = await handle.read({ position: 0, buffer: Buffer.alloc(10) });
  await handle.close();
  return [bytesRead, buffer];
});
add('writeFile of iterables', async ({ promises, at }) => {
  await promises.writeFile(at('one'), ['a', 'b', Buffer.from('c')]);
  await promises.writeFile(at('two'), (async function* () { yield 'x'; yield 'y'; })());
  return promises.writeFile(at('three'), [5]).catch((error) => error);
});

// cp
const CP_OPTIONS = [undefined, {}, { recursive: true }, { recursive: true, dereference: true }, { recursive: true, verbatimSymlinks: true }, { recursive: true, force: false }, { recursive: true, force: false, errorOnExist: true },
  { recursive: true, preserveTimestamps: true }, { dereference: true, verbatimSymlinks: true }, { mode: 1 }, { mode: 9 }, { recursive: 1 }, { filter: 5 }, null, 5];
for (const [index, options] of CP_OPTIONS.entries()) {
  for (const [from, to] of [['folder', 'copy'], ['file', 'copy'], ['file', 'empty'], ['link', 'copy'], ['folder', 'vacant'], ['folder', 'file'], ['file', 'folder'], ['folder', 'folder/inner/x'], ['file', 'file'], ['link', 'file'], ['file', 'deep/er/copy'], ['folderlink', 'copy'], ['dangling', 'copy']]) {
    add(`cpSync ${from} ${to} ${index}`, ({ fs, at }) => fs.cpSync(at(from), at(to), options));
    if (index < 7) add(`cp ${from} ${to} ${index}`, ({ promises, at }) => promises.cp(at(from), at(to), options));
  }
}
add('cp with a filter', async ({ fs, promises, at }) => {
  const seen = [];
  fs.cpSync(at('folder'), at('one'), { recursive: true, filter: (from, to) => { seen.push([from, to]); return !from.endsWith('.txt'); } });
  await promises.cp(at('folder'), at('two'), { recursive: true, filter: async (from) => !from.endsWith('inner') });
  await new Promise((resolve, reject) => fs.cp(at('folder'), at('three'), { recursive: true }, (error) => (error ? reject(error) : resolve())));
  return [seen.sort(), attempt(() => fs.cpSync(at('file'), at('four'), { filter: async () => true }))];
});

// The surface
add('surface of fs', ({ fs }) => Object.keys(fs).filter((key) => !/Stream$|^watch|^unwatch|^promises$|^_/.test(key)).sort().map((key) => [key, typeof fs[key]]));
add('surface of promises', ({ promises }) => Object.keys(promises).filter((key) => !/^watch/.test(key)).sort().map((key) => [key, typeof promises[key], promises[key].length]));
add('constants', ({ fs }) => fs.constants);
add('lengths', ({ fs }) => Object.keys(fs).filter((key) => /Sync$/.test(key) && typeof fs[key] === 'function').sort().map((key) => [key, fs[key].length, fs[key].name]));
add('surface of FileHandle', async ({ promises, at }) => {
  const handle = await promises.open(at('file'));
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(handle)).filter((name) => !/Stream$|^readLines$|^_|^constructor$|^getAsyncId$/.test(name)).sort();
  await handle.close();
  return names;
});
