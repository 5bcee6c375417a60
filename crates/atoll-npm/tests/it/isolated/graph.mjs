// Walks a project as Node.js resolves it, beside its lockfile: every dependency of every package, from where it really is, must
// be the version that the lockfile's places give it. Prints what it found as JSON.
import { readFileSync, realpathSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const project = realpathSync(process.argv[2]);
const { packages } = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8'));

/** The place in the lockfile that `name` leads to from the package at `path`. */
function lookup(path, name) {
  for (;;) {
    const candidate = `${path}${path && '/'}node_modules/${name}`;
    if (packages[candidate]) return packages[candidate].link ? packages[candidate].resolved : candidate;
    if (path === '') return undefined;
    path = path.slice(0, Math.max(path.lastIndexOf('/node_modules/'), 0));
  }
}

/** The folder that `name` leads to for a file in `folder`, by Node.js itself. */
function find(folder, name) {
  const paths = createRequire(join(folder, 'index.js')).resolve.paths(`${name}/package.json`);
  const found = paths.map((path) => join(path, name)).find((path) => existsSync(path));
  if (found === undefined) return undefined;
  const real = realpathSync(found);
  try {
    const resolved = createRequire(join(folder, 'index.js')).resolve(`${name}/package.json`);
    if (dirname(resolved) !== real) throw new Error(`${name} from ${folder} is ${resolved}, not in ${real}`);
  } catch (error) {
    // It was found, and keeps its package.json to itself.
    if (error.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error;
  }
  return real;
}

function names(entry) {
  const lists = [entry.dependencies, entry.optionalDependencies, entry.peerDependencies, entry.devDependencies];
  return new Set(lists.flatMap((list) => Object.keys(list ?? {})));
}

const publishedName = (path) => packages[path].name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

const wrong = [];
const places = new Map([['', new Set([project])]]);
const queue = [['', project]];
let edges = 0;
while (queue.length > 0) {
  const [path, folder] = queue.pop();
  for (const name of names(packages[path])) {
    const expected = lookup(path, name);
    if (expected === undefined) continue;
    const found = find(folder, name);
    const is = found && JSON.parse(readFileSync(join(found, 'package.json'), 'utf8'));
    const label = is && `${is.name}@${is.version}`;
    const wanted = `${publishedName(expected)}@${packages[expected].version}`;
    edges += 1;
    if (label !== wanted) {
      // What does not run on this machine is not there.
      if (label !== undefined || !packages[expected].os) wrong.push(`${path} (${folder}): ${name} is ${label}, not ${wanted}`);
      continue;
    }
    const known = places.get(expected) ?? new Set();
    places.set(expected, known);
    if (!known.has(found)) {
      known.add(found);
      queue.push([expected, found]);
    }
  }
}
for (const [path, folders] of places) {
  if (folders.size > 1) wrong.push(`${path} is at ${[...folders].join(' and ')}`);
}
const direct = names(packages['']);
const all = new Set(Object.keys(packages).filter((path) => path !== '').map((path) => path.slice(path.lastIndexOf('node_modules/') + 13)));
const phantoms = [...all].filter((name) => !direct.has(name) && find(project, name) !== undefined);
const folders = new Set([...places.values()].flatMap((folders) => [...folders]).map((folder) => folder.slice(project.length + 1)));
folders.delete('');
console.log(JSON.stringify({ wrong, phantoms, edges, places: places.size - 1, folders: [...folders].sort() }));
