// Synchronous calls that read: the same script for every system.
import fs from 'node:fs';
import path from 'node:path';
import { large, print, row, some, texts, tree, walk } from './rows.mjs';

row('walk', 5, () => {
  const { directories, files } = walk(tree, { directories: 0, files: [] });
  return `${directories} ${files.length}`;
});
row('stat', 10, () => {
  let bytes = 0;
  for (const name of some) bytes += fs.statSync(name).size;
  return bytes;
});
row('exists', 10, () => {
  let count = 0;
  for (const name of some) count += Number(fs.existsSync(name)) + Number(fs.existsSync(`${name}.missing`));
  return count;
});
row('read text', 10, () => {
  let characters = 0;
  for (const name of texts) characters += fs.readFileSync(name, 'utf8').length;
  return characters;
});
row('read bytes', 10, () => {
  let bytes = 0;
  for (const name of texts) bytes += fs.readFileSync(name).length;
  return bytes;
});

// Clocks of guests that nobody trusts are coarse: what is short is done several times.
const entries = path.join(large, 'entries');
const several = (times, work) => () => {
  let counted = 0;
  for (let time = 0; time < times; time++) counted += work();
  return counted;
};
row('10 × readdir of 1,000', 20, several(10, () => fs.readdirSync(entries).length));
row('10 × readdir of 1,000, types', 20, several(10, () => fs.readdirSync(entries, { withFileTypes: true }).filter((entry) => entry.isFile()).length));
row('16 × read 1 MiB', 20, several(16, () => fs.readFileSync(path.join(large, '1MiB')).length));
row('read 64 MiB', 5, () => fs.readFileSync(path.join(large, '64MiB')).length);

print();
