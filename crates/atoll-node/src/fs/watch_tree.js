// A directory with all that is below it. Each folder has a watch, which tells of the files in it; those that appear get one, and
// what is in them already is told of. Links are told of when what they lead to changes, and are not descended into.
const { ArrayPrototypePop, ArrayPrototypePush, SafeMap, SafeSet } = primordials;
const path = use('node:path').default;
const core = use('node/internal/fs/core');
const { run } = use('node/internal/fs/later');
const { APPEARED, DIRECTORY, ENDED, RENAME, VANISHED, watchObject } = use('node/internal/fs/watch_events');

const IF_THERE = { __proto__: null, throwIfNoEntry: false };
const WITH_TYPES = { __proto__: null, withFileTypes: true };

const basename = path.basename;
const resolve = path.resolve;

class Folder {
  watch = undefined;
  folders = new SafeMap(); // by name
  links = new SafeMap(); // watches, by name
  told = new SafeSet(); // names that were told of when they were found: the event that they were made may still come

  /** `inside` is the path within the tree. */
  constructor(inside) {
    this.inside = inside;
  }

  insideOf(name) {
    return this.inside === '' ? name : `${this.inside}/${name}`;
  }
}

class Tree {
  #root;
  #persistent;
  #emit;
  #fail;
  #closed = false;
  #top;
  #file; // the watch, where it is no directory

  constructor(root, persistent, emit, fail) {
    this.#root = root;
    this.#persistent = persistent;
    this.#emit = emit;
    this.#fail = fail;
    try {
      if (core.statSync(root).isDirectory()) this.#plant();
      else this.#file = watchObject(root, persistent, (flags, name, lost) => this.#onFile(flags, lost));
    } catch (error) {
      this.close();
      if (error.code === 'ENOENT' || error.syscall === 'watch') error.filename = root;
      throw error;
    }
  }

  #plant() {
    this.#top = new Folder('');
    this.#add(this.#top, false);
  }

  /** Watches a folder and all below it. */
  #add(first, announce) {
    const pending = [first];
    while (pending.length > 0 && !this.#closed) {
      const folder = ArrayPrototypePop(pending);
      const place = this.#placeOf(folder.inside);
      let entries;
      try {
        folder.watch = watchObject(place, this.#persistent, (flags, name, lost) => this.#onEvent(folder, flags, name, lost));
        entries = run(core.readdir(place, WITH_TYPES));
      } catch (error) {
        // Gone meanwhile: whoever removed it is told of by the folder above.
        if (folder !== this.#top && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) continue;
        throw error;
      }
      for (let index = 0; index < entries.length && !this.#closed; index++) {
        const entry = entries[index];
        const { name } = entry;
        if (announce) {
          folder.told.add(name);
          this.#emit('rename', folder.insideOf(name));
        }
        if (entry.isDirectory()) ArrayPrototypePush(pending, this.#enter(folder, name));
        else if (entry.isSymbolicLink()) this.#addLink(folder, name);
      }
    }
  }

  #placeOf(inside) {
    return inside === '' ? this.#root : this.#root === '/' ? `/${inside}` : `${this.#root}/${inside}`;
  }

  #enter(folder, name) {
    const below = new Folder(folder.insideOf(name));
    this.#leave(folder, name);
    folder.folders.set(name, below);
    return below;
  }

  #addLink(folder, name) {
    const inside = folder.insideOf(name);
    try {
      const told = () => this.#emit('rename', inside);
      folder.links.set(name, watchObject(this.#placeOf(inside), this.#persistent, told));
    } catch (error) {
      if (error.code === 'ENOSPC') throw error;
      // It leads nowhere.
    }
  }

  /** The name of a folder means another thing now, or nothing. */
  #leave(folder, name) {
    folder.told.delete(name);
    folder.links.get(name)?.close();
    folder.links.delete(name);
    const left = folder.folders.get(name);
    if (left === undefined) return;
    folder.folders.delete(name);
    this.#fell(left);
  }

  #fell(first) {
    const pending = [first];
    while (pending.length > 0) {
      const folder = ArrayPrototypePop(pending);
      folder.watch?.close();
      folder.links.forEach((link) => link.close());
      folder.folders.forEach((below) => ArrayPrototypePush(pending, below));
    }
  }

  #onEvent(folder, flags, name, lost) {
    try {
      if (lost) {
        if (folder !== this.#top) return;
        this.#emit('rename', null);
        if (this.#closed) return;
        this.#fell(folder);
        this.#plant();
      } else if (name === null) {
        if (folder === this.#top) this.#onRoot(flags);
      } else if (typeof name !== 'string') {
        // No text names it: it is told of by what comes closest.
        this.#emit(flags & RENAME ? 'rename' : 'change', folder.insideOf(core.encoded(name, 'utf8')));
      } else {
        this.#onName(folder, flags, name);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #onName(folder, flags, name) {
    if (flags & APPEARED) {
      const known = folder.told.has(name);
      folder.told.delete(name);
      if (known) return;
      this.#emit('rename', folder.insideOf(name));
      if (this.#closed) return;
      if (flags & DIRECTORY) this.#add(this.#enter(folder, name), true);
      else if (core.lstatSync(this.#placeOf(folder.insideOf(name)), IF_THERE)?.isSymbolicLink()) this.#addLink(folder, name);
    } else if (flags & VANISHED) {
      this.#leave(folder, name);
      this.#emit('rename', folder.insideOf(name));
    } else if (!(flags & DIRECTORY)) {
      this.#emit('change', folder.insideOf(name));
    }
  }

  /** Something has happened to the directory itself. Only its end is told. */
  #onRoot(flags) {
    if (!(flags & RENAME) || core.existsSync(this.#root)) return;
    this.#fell(this.#top);
    this.#emit('rename', '');
  }

  #onFile(flags, lost) {
    if (lost) {
      this.#emit('rename', null);
    } else if (core.existsSync(this.#root)) {
      this.#emit('change', basename(this.#root));
    } else if (!(flags & ENDED)) {
      this.#file.close();
      this.#emit('rename', '');
    }
  }

  #each(call) {
    if (this.#file !== undefined) call(this.#file);
    const pending = this.#top === undefined ? [] : [this.#top];
    while (pending.length > 0) {
      const folder = ArrayPrototypePop(pending);
      if (folder.watch !== undefined) call(folder.watch);
      folder.links.forEach(call);
      folder.folders.forEach((below) => ArrayPrototypePush(pending, below));
    }
  }

  ref() {
    this.#persistent = true;
    this.#each((watch) => watch.ref());
  }

  unref() {
    this.#persistent = false;
    this.#each((watch) => watch.unref());
  }

  close() {
    this.#closed = true;
    this.#each((watch) => watch.close());
  }
}

exports.openTree = (root, persistent, emit, fail) => {
  const text = typeof root === 'string' ? root : core.encoded(root, 'utf8');
  return new Tree(resolve(text), persistent, emit, fail);
};
