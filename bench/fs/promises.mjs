// Promises, many at once and one after the other: the same script for every system.
import fs from 'node:fs';
import path from 'node:path';
import { print, promiseRow, scratch, some, texts } from './rows.mjs';

const SET = 500;
const set = path.join(scratch, 'set');
const names = Array.from({ length: SET }, (_, index) => `${set}/file-${index}`);
const line = 'a line that is written to a file, and then once more\n';
const empty = () => {
  for (const name of names) fs.unlinkSync(name);
};
fs.mkdirSync(set);

await promiseRow('stat', 10, async () => {
  const found = await Promise.all(some.map((name) => fs.promises.stat(name)));
  return found.reduce((bytes, { size }) => bytes + size, 0);
});
await promiseRow('read text', 5, async () => {
  const found = await Promise.all(texts.map((name) => fs.promises.readFile(name, 'utf8')));
  return found.reduce((characters, { length }) => characters + length, 0);
});
await promiseRow('one after the other', 5, async () => {
  let bytes = 0;
  for (const name of some) bytes += (await fs.promises.stat(name)).size;
  return bytes;
});
await promiseRow(
  'write',
  5,
  async () => {
    await Promise.all(names.map((name) => fs.promises.writeFile(name, line)));
    return SET;
  },
  { undo: empty },
);
fs.rmdirSync(set);

print();
