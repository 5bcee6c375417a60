// What the scripts beside this have in common: the place of their files, and rows of figures.
//
// Beside them lie `node_modules` and `large`, which are read, and `scratch`, an empty directory that may be written to.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const tree = path.join(here, 'node_modules');
export const large = path.join(here, 'large');
export const scratch = path.join(here, 'scratch');

const FILES = 1500;
const SMALL_BYTES = 16 * 1024;

const rows = {};

/** Prints all rows: for each its milliseconds, the least of several repetitions, and what it counted. */
export function print() {
  console.log(JSON.stringify(rows));
}

/** Times `work`, which returns what it counted; `prepare` and `undo` are not part of the time. */
export function row(name, repetitions, work, { prepare, undo } = {}) {
  let least = Infinity;
  let counted;
  for (let repetition = 0; repetition < repetitions; repetition++) {
    prepare?.();
    const started = performance.now();
    counted = work();
    const elapsed = performance.now() - started;
    undo?.();
    if (elapsed < least) least = elapsed;
  }
  rows[name] = { ms: least, counted };
}

/** The same with work that is over when its promise is. */
export async function promiseRow(name, repetitions, work, { undo } = {}) {
  let least = Infinity;
  let counted;
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const started = performance.now();
    counted = await work();
    const elapsed = performance.now() - started;
    undo?.();
    if (elapsed < least) least = elapsed;
  }
  rows[name] = { ms: least, counted };
}

/** Counts the directories below one, and names its files. */
export function walk(directory, found) {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    const name = `${directory}/${entry.name}`;
    if (entry.isDirectory()) {
      found.directories++;
      walk(name, found);
    } else {
      found.files.push(name);
    }
  }
  return found;
}

/** Takes `FILES` of them, evenly. */
function spread(files) {
  const stride = Math.floor(files.length / FILES);
  return Array.from({ length: FILES }, (_, index) => files[index * stride]);
}

const all = walk(tree, { directories: 0, files: [] }).files.sort();
/** Files of all sizes. */
export const some = spread(all);
/** Files as source code mostly has them. */
export const texts = spread(all.filter((name) => fs.statSync(name).size <= SMALL_BYTES));
