// Names: directories, links, paths, trees.
import { test, assert, assertEquals, assertThrows, assertRejects } from '../../../atoll-test/src/harness.mjs';
import { assertError, called, fresh, here, inAllForms, root } from './test_support.mjs';
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { Buffer } from 'node:buffer';

let counter = 0; // of names within a directory

test('lists directories', async () => {
  const directory = fresh();
  fs.mkdirSync(`${directory}/b/c`, { recursive: true });
  fs.writeFileSync(`${directory}/a`, '');
  fs.writeFileSync(`${directory}/b/c/deep`, '');
  fs.symlinkSync('nowhere', `${directory}/link`);
  fs.writeFileSync(`${directory}/ü`, '');
  await inAllForms('readdir', () => [directory], async (run) => assertEquals(await run(), ['a', 'b', 'link', 'ü']));
  await inAllForms('readdir', () => [directory, 'hex'], async (run) => {
    assertEquals(await run(), ['61', '62', '6c696e6b', 'c3bc']);
  });
  await inAllForms('readdir', () => [directory, { withFileTypes: true }], async (run) => {
    const entries = await run();
    assertEquals(entries.map((entry) => [entry.name, entry.isFile(), entry.isDirectory(), entry.isSymbolicLink()]), [
      ['a', true, false, false],
      ['b', false, true, false],
      ['link', false, false, true],
      ['ü', true, false, false],
    ]);
    assert(entries[0] instanceof fs.Dirent);
    assertEquals(entries[0].parentPath, directory);
    assert(!entries[0].isFIFO() && !entries[0].isSocket() && !entries[0].isBlockDevice() && !entries[0].isCharacterDevice());
  });
  await inAllForms('readdir', () => [directory, { recursive: true }], async (run) => {
    assertEquals((await run()).sort(), ['a', 'b', 'b/c', 'b/c/deep', 'link', 'ü']);
  });
  const deep = fs.readdirSync(directory, { recursive: true, withFileTypes: true }).find((entry) => entry.name === 'deep');
  assertEquals(deep.parentPath, `${directory}/b/c`);
  const raw = fs.readdirSync(directory, 'buffer');
  assert(Buffer.isBuffer(raw[0]));
  assertEquals(raw.map(String), ['a', 'b', 'link', 'ü']);
  assertError(assertThrows(() => fs.readdirSync(`${directory}/a`)), 'ENOTDIR', 'scandir', `${directory}/a`);
  assertError(assertThrows(() => fs.readdirSync(`${directory}/x`)), 'ENOENT', 'scandir', `${directory}/x`);
  assert(fs.readdirSync(here).includes('test.mjs'));
});

test('opens directories', async () => {
  const directory = fresh();
  for (const name of ['a', 'b', 'c']) fs.writeFileSync(`${directory}/${name}`, '');
  const names = [];
  for await (const entry of await promises.opendir(directory)) names.push(entry.name);
  assertEquals(names.sort(), ['a', 'b', 'c']);
  const dir = fs.opendirSync(directory);
  assertEquals(dir.path, directory);
  assert(dir instanceof fs.Dir);
  assert(dir.readSync().isFile());
  assert((await dir.read()).isFile());
  assert((await new Promise((resolve) => dir.read((error, entry) => resolve(entry)))).isFile());
  assertEquals(await dir.read(), null);
  assertEquals(dir.readSync(), null);
  dir.closeSync();
  assertThrows(() => dir.readSync(), 'ERR_DIR_CLOSED');
  assertThrows(() => dir.closeSync(), 'ERR_DIR_CLOSED');
  assertError(await assertRejects(() => promises.opendir(`${directory}/x`)), 'ENOENT', 'opendir', `${directory}/x`);
  assertEquals(assertThrows(() => fs.opendirSync(`${directory}/a`), 'ENOTDIR').syscall, 'opendir');
});

test('a directory is read piece by piece', async () => {
  const directory = fresh();
  const expected = [];
  for (let index = 0; index < 100; index++) {
    fs.writeFileSync(`${directory}/${index}`, '');
    expected.push(`${index}`);
  }
  expected.sort();
  const dir = fs.opendirSync(directory, { bufferSize: 7 });
  const names = [];
  for (let entry = dir.readSync(); entry !== null; entry = dir.readSync()) names.push(entry.name);
  dir.closeSync();
  assertEquals(names.sort(), expected);
  const other = await promises.opendir(directory, { bufferSize: 7 });
  const asked = [];
  for (let index = 0; index < 20; index++) asked.push(other.read());
  assertThrows(() => other.readSync(), 'ERR_DIR_CONCURRENT_OPERATION');
  assertThrows(() => other.closeSync(), 'ERR_DIR_CONCURRENT_OPERATION');
  const closing = other.close();
  assertEquals(new Set((await Promise.all(asked)).map((entry) => entry.name)).size, 20);
  await closing;
  assertThrows(() => other.read(), 'ERR_DIR_CLOSED');
  await assertRejects(() => other.close(), 'ERR_DIR_CLOSED');
  assertThrows(() => fs.opendir(directory), 'ERR_INVALID_ARG_TYPE', 'The "callback" argument');
  assertThrows(() => new fs.Dir(), 'ERR_MISSING_ARGS');
});

test('a tree is read piece by piece', async () => {
  const directory = fresh();
  fs.mkdirSync(`${directory}/a/b`, { recursive: true });
  for (const name of ['one', 'a/two', 'a/b/three']) fs.writeFileSync(`${directory}/${name}`, '');
  const seen = [];
  for await (const entry of await promises.opendir(directory, { recursive: true })) {
    seen.push(`${entry.parentPath.slice(directory.length)}/${entry.name}`);
  }
  assertEquals(seen.sort(), ['/a', '/a/b', '/a/b/three', '/a/two', '/one']);
  const dir = fs.opendirSync(directory, { recursive: true });
  const names = [];
  for (let entry = dir.readSync(); entry !== null; entry = dir.readSync()) names.push(entry.name);
  dir.closeSync();
  assertEquals(names.sort(), ['a', 'b', 'one', 'three', 'two']);
});

test('what is deprecated or not portable is told once', async () => {
  const directory = fresh();
  const warnings = [];
  const listen = (warning) => warnings.push([warning.name, warning.code, warning.message.slice(0, 22)]);
  process.on('warning', listen);
  for (let round = 0; round < 2; round++) {
    fs.mkdirSync(`${directory}/a/b`, { recursive: true });
    fs.rmdirSync(`${directory}/a`, { recursive: true });
    fs.mkdtempSync(`${directory}/X`);
  }
  await new Promise((resolve) => setImmediate(resolve));
  process.removeListener('warning', listen);
  assertEquals(warnings, [
    ['DeprecationWarning', 'DEP0147', 'In future versions of '],
    ['Warning', undefined, 'mkdtemp() templates en'],
  ]);
});

test('access and exists', async () => {
  await inAllForms('access', () => [here], async (run) => assertEquals(await run(), undefined));
  await inAllForms('access', () => [`${here}none`, fs.constants.R_OK], async (run) => {
    assertError(await assertRejects(async () => run(), 'ENOENT'), 'ENOENT', 'access', `${here}none`);
  });
  fs.accessSync(root, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
  const path = `${fresh()}/a`;
  fs.writeFileSync(path, '');
  assertThrows(() => fs.accessSync(path, fs.constants.X_OK), 'EACCES');
  assertThrows(() => fs.accessSync(path, 8), 'ERR_OUT_OF_RANGE');
  assertEquals([fs.existsSync(path), fs.existsSync(`${path}b`), fs.existsSync(), fs.existsSync('a\0b')], [true, false, false, false]);
  assertEquals(await new Promise((resolve) => fs.exists(path, resolve)), true);
  assertEquals(await new Promise((resolve) => fs.exists(`${path}b`, resolve)), false);
});

test('links and real paths', async () => {
  const directory = fs.realpathSync(fresh());
  fs.mkdirSync(`${directory}/real`);
  fs.writeFileSync(`${directory}/real/file`, 'x');
  fs.symlinkSync('real', `${directory}/link`);
  fs.symlinkSync(`${directory}/real/file`, `${directory}/absolute`);
  fs.symlinkSync('gone', `${directory}/dangling`);
  await inAllForms('realpath', () => [`${directory}/link/file`], async (run) => assertEquals(await run(), `${directory}/real/file`));
  assertEquals(fs.realpathSync.native(`${directory}/absolute`), `${directory}/real/file`);
  assertEquals(fs.realpathSync(`${directory}/link/..`), directory);
  assertEquals(fs.realpathSync(`${directory}/link`, 'buffer').toString(), `${directory}/real`);
  assertEquals(fs.readFileSync(`${directory}/absolute`, 'utf8'), 'x');
  assertError(assertThrows(() => fs.realpathSync(`${directory}/none/x`)), 'ENOENT', 'lstat', `${directory}/none`);
  assertError(assertThrows(() => fs.realpathSync(`${directory}/dangling`)), 'ENOENT', 'stat', `${directory}/dangling`);
  assertError(assertThrows(() => fs.realpathSync.native(`${directory}/none`)), 'ENOENT', 'realpath', `${directory}/none`);
  await inAllForms('readlink', () => [`${directory}/link`], async (run) => assertEquals(await run(), 'real'));
  assertError(assertThrows(() => fs.readlinkSync(`${directory}/real`)), 'EINVAL', 'readlink', `${directory}/real`);
  assertError(assertThrows(() => fs.symlinkSync('t', `${directory}/link`)), 'EEXIST', 'symlink', 't', `${directory}/link`);
  fs.linkSync(`${directory}/real/file`, `${directory}/hard`);
  assertEquals(fs.statSync(`${directory}/hard`).nlink, 2);
  fs.symlinkSync('loop', `${directory}/loop`);
  assertThrows(() => fs.statSync(`${directory}/loop`), 'ELOOP');
});

test('makes and removes directories', async () => {
  const directory = fresh();
  await inAllForms('mkdir', () => [`${directory}/${counter++}/deep/er`, { recursive: true }], async (run) => {
    assertEquals(await run(), `${directory}/${counter - 1}`);
    assert(fs.statSync(`${directory}/${counter - 1}/deep/er`).isDirectory());
  });
  assertEquals(fs.mkdirSync(directory, { recursive: true }), undefined);
  assertError(assertThrows(() => fs.mkdirSync(directory)), 'EEXIST', 'mkdir', directory);
  assertError(assertThrows(() => fs.mkdirSync(`${directory}/x/y`)), 'ENOENT', 'mkdir', `${directory}/x/y`);
  fs.writeFileSync(`${directory}/file`, '');
  assertThrows(() => fs.mkdirSync(`${directory}/file`, { recursive: true }), 'EEXIST');
  assertThrows(() => fs.mkdirSync(`${directory}/file/x`, { recursive: true }), 'ENOTDIR');
  assertEquals(fs.statSync(fs.mkdtempSync(`${directory}/t-`)).mode & 0o777, 0o700);
  await inAllForms('mkdtemp', () => [`${directory}/t-`], async (run) => assert(/\/t-[A-Za-z0-9]{6}$/.test(await run())));
  assertError(assertThrows(() => fs.mkdtempSync(`${directory}/no/t-`)), 'ENOENT', 'mkdtemp', `${directory}/no/t-XXXXXX`);
  assertError(assertThrows(() => fs.rmdirSync(directory)), 'ENOTEMPTY', 'rmdir', directory);
  assertError(assertThrows(() => fs.unlinkSync(`${directory}/none`)), 'ENOENT', 'unlink', `${directory}/none`);
  assertThrows(() => fs.rmSync(directory), 'ERR_FS_EISDIR');
  assertThrows(() => fs.rmSync(`${directory}/none`), 'ENOENT');
  fs.rmSync(`${directory}/none`, { force: true });
  await inAllForms('rm', () => [`${directory}/file`, { force: true }], async (run) => run());
  fs.mkdirSync(`${directory}/empty`);
  fs.rmdirSync(`${directory}/empty`);
  fs.symlinkSync(here, `${directory}/link`);
  await promises.rm(directory, { recursive: true });
  assert(!fs.existsSync(directory) && fs.existsSync(`${here}test.mjs`));
});

test('renames and copies', async () => {
  const directory = fresh();
  fs.writeFileSync(`${directory}/a`, 'content', { mode: 0o755 });
  await inAllForms('copyFile', () => [`${directory}/a`, `${directory}/b${counter++}`], async (run) => {
    await run();
    assertEquals(fs.readFileSync(`${directory}/b${counter - 1}`, 'utf8'), 'content');
  });
  assertEquals(fs.statSync(`${directory}/b${counter - 1}`).mode & 0o777, 0o755);
  fs.copyFileSync(`${here}test.mjs`, `${directory}/copied`);
  assertEquals(fs.readFileSync(`${directory}/copied`, 'utf8'), fs.readFileSync(`${here}test.mjs`, 'utf8'));
  const exclusive = assertThrows(() => fs.copyFileSync(`${directory}/copied`, `${directory}/a`, fs.constants.COPYFILE_EXCL));
  assertError(exclusive, 'EEXIST', 'copyfile', `${directory}/copied`, `${directory}/a`);
  fs.renameSync(`${directory}/a`, `${directory}/c`);
  await called('rename', `${directory}/c`, `${directory}/d`);
  await promises.rename(`${directory}/d`, `${directory}/e`);
  assert(!fs.existsSync(`${directory}/a`) && fs.existsSync(`${directory}/e`));
  const gone = assertThrows(() => fs.renameSync(`${directory}/a`, `${directory}/z`));
  assertError(gone, 'ENOENT', 'rename', `${directory}/a`, `${directory}/z`);
});

test('relative paths are taken from the working directory', () => {
  assertEquals(fs.realpathSync('.'), fs.realpathSync(process.cwd()));
  assertEquals(fs.readdirSync('.'), fs.readdirSync(process.cwd()));
  const missing = assertThrows(() => fs.readFileSync('no/such/./file'));
  assertEquals(missing.message, "ENOENT: no such file or directory, open 'no/such/./file'");
  assertEquals(fs.statSync('/').isDirectory(), true);
});

test('paths go where links lead', () => {
  const directory = fresh();
  fs.mkdirSync(`${directory}/a/b`, { recursive: true });
  fs.writeFileSync(`${directory}/a/file`, 'beside b');
  fs.writeFileSync(`${directory}/file`, 'beside the link');
  fs.symlinkSync('a/b', `${directory}/link`);
  assertEquals(fs.readFileSync(`${directory}/link/../file`, 'utf8'), 'beside b');
  assertThrows(() => fs.readFileSync(`${directory}/none/../file`), 'ENOENT');
  assertThrows(() => fs.readFileSync(`${directory}/file/../file`), 'ENOTDIR');
  assertThrows(() => fs.readFileSync(`${directory}/file/`), 'ENOTDIR');
  assertEquals([fs.lstatSync(`${directory}/link`).isSymbolicLink(), fs.lstatSync(`${directory}/link/`).isDirectory()], [true, true]);
  fs.symlinkSync(`${here}test.mjs`, `${directory}/app`);
  assertEquals(fs.readFileSync(`${directory}/app`, 'utf8').slice(0, 6), 'import');
});

test('the end of a path matters', () => {
  const directory = fresh();
  fs.mkdirSync(`${directory}/d/e`, { recursive: true });
  fs.writeFileSync(`${directory}/f`, '');
  fs.symlinkSync('d/e', `${directory}/link`);
  const code = (body) => assertThrows(body).code;
  assertEquals(code(() => fs.mkdirSync(`${directory}/new/.`)), 'ENOENT');
  assertEquals(code(() => fs.mkdirSync(`${directory}/d/.`)), 'EEXIST');
  assertEquals(code(() => fs.mkdirSync(`${directory}/f/.`)), 'ENOTDIR');
  assertEquals(code(() => fs.rmdirSync(`${directory}/d/e/.`)), 'EINVAL');
  assertEquals(code(() => fs.rmdirSync(`${directory}/d/e/..`)), 'ENOTEMPTY');
  assertEquals(code(() => fs.renameSync(`${directory}/d/.`, `${directory}/g`)), 'EBUSY');
  assertEquals(code(() => fs.renameSync(`${directory}/d/e/..`, `${directory}/g`)), 'EBUSY');
  assertEquals(code(() => fs.renameSync(`${directory}/d`, `${directory}/.`)), 'EBUSY');
  assertEquals(code(() => fs.writeFileSync(`${directory}/new/.`, '')), 'ENOENT');
  assertEquals(code(() => fs.writeFileSync(`${directory}/d/.`, '')), 'EISDIR');
  assertEquals(code(() => fs.writeFileSync(`${directory}/d/.`, '', { flag: 'wx' })), 'EEXIST');
  assertEquals(code(() => fs.writeFileSync(`${directory}/new/`, '')), 'EISDIR');
  assertEquals(code(() => fs.unlinkSync(`${directory}/f/`)), 'ENOTDIR');
  assertEquals(code(() => fs.symlinkSync('x', `${directory}/f/`)), 'EEXIST');
  assertEquals(code(() => fs.symlinkSync('x', `${directory}/new/`)), 'ENOENT');
  assertEquals(code(() => fs.linkSync(`${directory}/f`, `${directory}/.`)), 'EEXIST');
  assertEquals(code(() => fs.linkSync(`${directory}/none`, `${directory}/.`)), 'ENOENT');
  // Node's own walk takes `..` from the text, the native one follows the link first.
  const real = fs.realpathSync(directory);
  assertEquals(fs.realpathSync(`${directory}/link/..`), real);
  assertEquals(fs.realpathSync.native(`${directory}/link/..`), `${real}/d`);
  assertEquals(fs.mkdirSync(`${directory}/x/y`, { recursive: true }), `${directory}/x`);
  assertEquals(assertThrows(() => fs.rmSync(`${directory}/d`)).path, `${directory}/d`);
  const long = 'n'.repeat(256);
  assertError(assertThrows(() => fs.renameSync(`${directory}/f`, `${directory}/${long}`)), 'ENAMETOOLONG', 'rename', `${directory}/f`, `${directory}/${long}`);
  assertEquals(code(() => fs.statSync(`${directory}/none/${long}`)), 'ENOENT');
});

test('glob', async () => {
  if (fs.globSync === undefined) return; // Node.js before 22
  const cwd = fresh();
  for (const path of ['a/b/c.js', 'a/b/d.ts', 'a/e.js', 'f.js', 'g1.txt', 'g2.txt', '.hidden/x.js', '.dot', 'a/.dot.js', 'sp[a]ce']) {
    fs.mkdirSync(`${cwd}/${path}`.replace(/\/[^/]*$/, ''), { recursive: true });
    fs.writeFileSync(`${cwd}/${path}`, '');
  }
  fs.symlinkSync('a', `${cwd}/link`);
  const found = (pattern, options) => fs.globSync(pattern, { cwd, ...options }).sort();
  const expected = {
    '*.js': ['f.js'],
    '**/*.js': ['a/b/c.js', 'a/e.js', 'f.js'],
    'a/**': ['a', 'a/b', 'a/b/c.js', 'a/b/d.ts', 'a/e.js'],
    'a/*': ['a/b', 'a/e.js'],
    '*': ['a', 'f.js', 'g1.txt', 'g2.txt', 'link', 'sp[a]ce'],
    '.*': ['.dot', '.hidden'],
    'g?.txt': ['g1.txt', 'g2.txt'],
    'g[2-9].txt': ['g2.txt'],
    'g[!2].txt': ['g1.txt'],
    'g{1,2}.txt': ['g1.txt', 'g2.txt'],
    'g{1..3}.txt': ['g1.txt', 'g2.txt'],
    '{a/b,.}/*.{js,ts}': ['a/b/c.js', 'a/b/d.ts', 'f.js'],
    'a/b/c.js': ['a/b/c.js'],
    'a/b/none': [],
    'a/': ['a'],
    'f.js/': [],
    'link/*.js': ['link/e.js'],
    'sp\\[a\\]ce': ['sp[a]ce'],
    '@(f|x).js': ['f.js'],
    '!(f).js': [],
    '+(g)[[:digit:]].txt': ['g1.txt', 'g2.txt'],
    'a/../f.js': ['f.js'],
    '**/b/*': ['a/b/c.js', 'a/b/d.ts'],
    'none/**': [],
  };
  for (const pattern in expected) assertEquals(found(pattern), expected[pattern], pattern);
  assertEquals(found(['*.txt', 'f.js', 'g1.txt']), ['f.js', 'g1.txt', 'g2.txt']);
  assertEquals(found('**/*.js', { exclude: (path) => path === 'a/b' }), ['a/e.js', 'f.js']);
  const entries = fs.globSync('a/*', { cwd, withFileTypes: true }).sort((one, other) => (one.name < other.name ? -1 : 1));
  assertEquals(entries.map((entry) => [entry.name, entry.parentPath, entry.isDirectory()]), [['b', `${cwd}/a`, true], ['e.js', `${cwd}/a`, false]]);
  assertEquals((await called('glob', '*.js', { cwd })), ['f.js']);
  const later = [];
  for await (const path of promises.glob('**/*.ts', { cwd })) later.push(path);
  assertEquals(later, ['a/b/d.ts']);
  assertThrows(() => fs.globSync(5), 'ERR_INVALID_ARG_TYPE');
  assertEquals(found(`${cwd}/*.js`), [`${cwd}/f.js`]);
});

test('copying trees', async () => {
  const directory = fresh();
  fs.mkdirSync(`${directory}/from/inner`, { recursive: true });
  fs.writeFileSync(`${directory}/from/a`, 'a');
  fs.writeFileSync(`${directory}/from/inner/b`, 'b');
  fs.symlinkSync('a', `${directory}/from/link`);
  fs.cpSync(`${directory}/from`, `${directory}/one`, { recursive: true, verbatimSymlinks: true });
  await called('cp', `${directory}/from`, `${directory}/two`, { recursive: true });
  await promises.cp(`${directory}/from`, `${directory}/three`, { recursive: true, filter: async (path) => !path.endsWith('/b') });
  assertEquals(fs.readdirSync(`${directory}/one`, { recursive: true }).sort(), ['a', 'inner', 'inner/b', 'link']);
  assertEquals(fs.readlinkSync(`${directory}/one/link`), 'a');
  assertEquals(fs.readlinkSync(`${directory}/two/link`), `${directory}/from/a`);
  assertEquals(fs.readdirSync(`${directory}/three/inner`), []);
  assertThrows(() => fs.cpSync(`${directory}/from`, `${directory}/from/inner/x`, { recursive: true }), 'ERR_FS_CP_EINVAL');
  assertThrows(() => fs.cpSync(`${directory}/from`, `${directory}/four`), 'ERR_FS_EISDIR');
  const blob = await fs.openAsBlob(`${directory}/from/a`, { type: 'text/plain' });
  assertEquals([await blob.text(), blob.type, blob.size], ['a', 'text/plain', 1]);
});
