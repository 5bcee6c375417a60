// Runs every case of cases.mjs in a directory of its own and prints what each came to, a line of JSON for each. It runs
// under Atoll and under Node.js, with the directory to work in as its argument.
import fs from 'node:fs';
import path from 'node:path';
import { cases } from './cases.mjs';

const root = `${process.argv[2]}/work`;
fs.mkdirSync(root);
const promises = fs.promises;

/** What a value is, as JSON that is the same wherever the directory lies. */
function show(value, depth = 0) {
  if (value === undefined) return { undefined: true };
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  if (typeof value === 'string') return place(value);
  if (typeof value === 'bigint') return { bigint: `${value}` };
  if (typeof value === 'symbol') return { symbol: value.toString() };
  if (typeof value === 'function') return { function: value.name, length: value.length };
  if (depth > 6) return '…';
  if (value instanceof Error) {
    const shown = { error: value.name, message: place(value.message) };
    for (const key of ['code', 'errno', 'syscall', 'path', 'dest']) if (value[key] !== undefined) shown[key] = show(value[key]);
    shown.keys = Object.keys(value).sort();
    return shown;
  }
  if (Buffer.isBuffer(value)) return { buffer: value.length > 64 ? `${value.length} bytes` : place(value.toString('latin1')) };
  if (ArrayBuffer.isView(value)) return { view: value.constructor.name, bytes: [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)].slice(0, 64) };
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof fs.Dirent) return { dirent: show(value.name), in: show(value.parentPath), kind: kindOf(value) };
  if (value instanceof fs.Stats || typeof value.isFile === 'function') return { stats: kindOf(value), mode: show(value.mode), size: value.isDirectory() ? 'dir' : show(value.size), keys: Object.keys(value).filter((key) => !DATES.includes(key)) };
  if (Array.isArray(value)) return value.map((element) => show(element, depth + 1));
  const shown = {};
  for (const key of Object.keys(value)) shown[key] = show(value[key], depth + 1);
  return shown;
}
// Own properties in some releases of Node.js, and made when they are first asked for in others.
const DATES = ['atime', 'mtime', 'ctime', 'birthtime'];
const KINDS = ['isFile', 'isDirectory', 'isSymbolicLink', 'isFIFO', 'isSocket', 'isBlockDevice', 'isCharacterDevice'];
const kindOf = (value) => KINDS.filter((name) => value[name]()).join();
let here = '';
const place = (text) => text.replaceAll(here, '<here>').replaceAll(root, '<root>').replace(/(tmp-?)[A-Za-z0-9]{6}\b/g, '$1XXXXXX');

/** All names below a directory with what they are. */
function tree(directory, into = {}, base = '') {
  for (const name of fs.readdirSync(directory, 'buffer').map((name) => name.toString('latin1')).sort()) {
    const file = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, 'latin1')]);
    const stat = fs.lstatSync(file);
    const key = place(`${base}${name}`);
    if (stat.isDirectory()) {
      into[`${key}/`] = (stat.mode & 0o777).toString(8);
      if (Object.keys(into).length < 300) tree(file.toString(), into, `${base}${name}/`);
    } else if (stat.isSymbolicLink()) into[key] = `-> ${place(fs.readlinkSync(file))}`;
    else if (stat.isFile()) {
      const content = (stat.mode & 0o444) === 0 ? '?' : fs.readFileSync(file, 'latin1');
      into[key] = `${(stat.mode & 0o777).toString(8)} ${content.length > 40 ? `${content.length} bytes` : content}`;
    } else into[key] = 'special';
  }
  return into;
}

/** The directory that each case finds. */
function prepare(directory) {
  fs.mkdirSync(directory);
  fs.writeFileSync(`${directory}/file`, 'content');
  fs.writeFileSync(`${directory}/empty`, '');
  fs.mkdirSync(`${directory}/folder`);
  fs.mkdirSync(`${directory}/folder/inner`);
  fs.writeFileSync(`${directory}/folder/a.js`, 'a');
  fs.writeFileSync(`${directory}/folder/b.txt`, 'bb');
  fs.writeFileSync(`${directory}/folder/inner/c.js`, 'ccc');
  fs.mkdirSync(`${directory}/vacant`);
  fs.symlinkSync('file', `${directory}/link`);
  fs.symlinkSync('folder', `${directory}/folderlink`);
  fs.symlinkSync('nowhere', `${directory}/dangling`);
  fs.symlinkSync('loop2', `${directory}/loop1`);
  fs.symlinkSync('loop1', `${directory}/loop2`);
}

async function outcome(run) {
  try {
    return show(await run());
  } catch (error) {
    return { threw: show(error) };
  }
}

let directories = 0;
let before;
for (const { name, run } of cases) {
  // A case that changed nothing leaves its directory to the next.
  if (before === undefined) {
    here = `${root}/${directories++}`;
    prepare(here);
    before = tree(here);
  }
  const result = await outcome(() => run({ fs, promises, path, here, at: (below) => `${here}/${below}` }));
  const after = tree(here);
  const changes = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (before[key] !== after[key]) changes[key] = after[key] ?? 'gone';
  }
  if (Object.keys(changes).length > 0) before = undefined;
  console.log(JSON.stringify({ name, result, changes }));
}
console.log(JSON.stringify({ name: 'end', cases: cases.length }));
