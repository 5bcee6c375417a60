// Synchronous calls that change something: the same script for every system.
import fs from 'node:fs';
import path from 'node:path';
import { print, row, scratch } from './rows.mjs';

const SET = 500;
const set = path.join(scratch, 'set');
const names = Array.from({ length: SET }, (_, index) => `${set}/file-${index}`);
const line = 'a line that is written to a file, and then once more\n';
fs.mkdirSync(set);
const fill = () => {
  for (const name of names) fs.writeFileSync(name, line);
};
const empty = () => {
  for (const name of fs.readdirSync(set)) fs.rmSync(`${set}/${name}`, { recursive: true });
};
row('write', 5, () => (fill(), SET), { undo: empty });
row(
  'append',
  5,
  () => {
    for (const name of names) fs.appendFileSync(name, line);
    return fs.statSync(names[0]).size;
  },
  { prepare: fill, undo: empty },
);
row(
  'rename',
  5,
  () => {
    for (const name of names) fs.renameSync(name, `${name}.new`);
    return SET;
  },
  { prepare: fill, undo: empty },
);
row(
  'unlink',
  5,
  () => {
    for (const name of names) fs.unlinkSync(name);
    return SET;
  },
  { prepare: fill, undo: empty },
);
row(
  'mkdir',
  5,
  () => {
    for (const name of names) fs.mkdirSync(name);
    return SET;
  },
  { undo: empty },
);
row(
  'rm of a tree',
  5,
  () => (fs.rmSync(`${set}/tree`, { recursive: true }), SET),
  {
    prepare: () => {
      for (let index = 0; index < SET; index++) {
        const directory = `${set}/tree/${index % 20}/${index % 5}`;
        fs.mkdirSync(directory, { recursive: true });
        fs.writeFileSync(`${directory}/${index}`, '');
      }
    },
  },
);

fs.rmdirSync(set);

print();
