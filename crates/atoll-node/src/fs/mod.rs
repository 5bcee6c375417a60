//! `node:fs` and `node:fs/promises` over the guest filesystem.
//!
//! Every synchronous call is one native function on the worker's own thread: path to bytes, no message and no other thread.
//! The asynchronous forms are the same operations, prepared on that thread, done on one of a few that all workers share
//! (`pool.rs`), and delivered in batches (`batch.rs`).
//!
//! * `operation.rs`: what an operation is; `directories.rs`, `files.rs`, `metadata.rs`, `paths.rs`, `tree.rs`, `whole.rs`: the
//!   operations; `standard.rs`: descriptors 0 to 2.
//! * `core.js`: every operation once, as checked arguments → what is to be done.
//! * `types.js`: `Stats`, `BigIntStats`, `Dirent` and the constants. `dir.js`: `Dir`.
//! * `steps.js`: work of many operations, at once or later; `copy.js`, `glob.js`: such work.
//! * `arguments.js`: checks of paths, flags, options.
//! * `api.js`: the synchronous and the callback functions. `promises.js`: the promises and `FileHandle`.
//! * `watch.rs`, `watch_events.js`: watches and their events; `watch.js`, `watch_tree.js`, `watch_file.js`: what programs see of them.
//! * `stream_entry.js`: the streams as programs find them, loaded with their first use: `streams.js` with
//!   `stream_operations.js`, `web_stream.js`.

mod batch;
mod directories;
mod errors;
mod files;
#[cfg(test)]
mod fixture;
mod metadata;
mod operation;
mod paths;
mod pool;
mod standard;
mod tree;
mod watch;
mod whole;

use atoll_engine::{Builtin, Call, NativeResult, natives};
use atoll_vfs::{AccessMode, Directory, Errno, GuestPath, MountTable, OpenFile};
pub(crate) use errors::thrown;
use operation::operations;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
pub use watch::WatchState;

/// `node:fs`.
pub(crate) const BUILTIN: Builtin =
    Builtin { name: "node:fs", source: include_str!("api.js"), natives: natives! {}, globals: &[] };

/// `node:fs/promises`.
pub(crate) const PROMISES: Builtin =
    Builtin { name: "node:fs/promises", source: include_str!("promises.js"), natives: natives! {}, globals: &[] };

/// Results of other types than JavaScript's own.
pub(crate) const TYPES: Builtin =
    Builtin { name: "node/internal/fs/types", source: include_str!("types.js"), natives: natives! {}, globals: &[] };

/// The streams as programs find them.
pub(crate) const STREAM_ENTRY: Builtin = Builtin {
    name: "node/internal/fs/stream_entry",
    source: include_str!("stream_entry.js"),
    natives: natives! {},
    globals: &[],
};

/// `ReadStream` and `WriteStream`.
pub(crate) const STREAMS: Builtin = Builtin {
    name: "node/internal/fs/streams",
    source: include_str!("streams.js"),
    natives: natives! {},
    globals: &[],
};

/// What streams do with files.
pub(crate) const STREAM_OPERATIONS: Builtin = Builtin {
    name: "node/internal/fs/stream_operations",
    source: include_str!("stream_operations.js"),
    natives: natives! {},
    globals: &[],
};

/// `FileHandle.readableWebStream`.
pub(crate) const WEB_STREAM: Builtin = Builtin {
    name: "node/internal/fs/web_stream",
    source: include_str!("web_stream.js"),
    natives: natives! {},
    globals: &[],
};

/// What may be passed.
pub(crate) const ARGUMENTS: Builtin = Builtin {
    name: "node/internal/fs/arguments",
    source: include_str!("arguments.js"),
    natives: natives! {},
    globals: &[],
};

/// How operations are done.
pub(crate) const LATER_BUILTIN: Builtin = Builtin {
    name: "node/internal/fs/later",
    source: include_str!("later.js"),
    natives: natives! {
        "collect" => batch::collect,
        "number" => number,
        "submit" => submit,
        "wait" => batch::wait,
    },
    globals: &[],
};

/// Directories read piece by piece.
pub(crate) const DIR: Builtin =
    Builtin { name: "node/internal/fs/dir", source: include_str!("dir.js"), natives: natives! {}, globals: &[] };

/// How work of many operations is done.
pub(crate) const STEPS: Builtin =
    Builtin { name: "node/internal/fs/steps", source: include_str!("steps.js"), natives: natives! {}, globals: &[] };

/// Copying trees.
pub(crate) const COPY: Builtin =
    Builtin { name: "node/internal/fs/copy", source: include_str!("copy.js"), natives: natives! {}, globals: &[] };

/// Finding files by patterns.
pub(crate) const GLOB: Builtin =
    Builtin { name: "node/internal/fs/glob", source: include_str!("glob.js"), natives: natives! {}, globals: &[] };

/// Watches and their events.
pub(crate) const WATCH_EVENTS: Builtin = Builtin {
    name: "node/internal/fs/watch_events",
    source: include_str!("watch_events.js"),
    natives: natives! {
        "collect" => watch::collect,
        "release" => watch::release,
        "rewatch" => watch::rewatch,
        "stat" => metadata::of_path,
        "unwatch" => watch::unwatch,
        "wait" => watch::wait,
        "watch" => watch::watch,
        "watchPath" => watch::watch_path,
    },
    globals: &[],
};

/// `fs.watch`.
pub(crate) const WATCH: Builtin =
    Builtin { name: "node/internal/fs/watch", source: include_str!("watch.js"), natives: natives! {}, globals: &[] };

/// Watching a directory and what is below it.
pub(crate) const WATCH_TREE: Builtin = Builtin {
    name: "node/internal/fs/watch_tree",
    source: include_str!("watch_tree.js"),
    natives: natives! {},
    globals: &[],
};

/// `fs.watchFile`.
pub(crate) const WATCH_FILE: Builtin = Builtin {
    name: "node/internal/fs/watch_file",
    source: include_str!("watch_file.js"),
    natives: natives! {},
    globals: &[],
};

/// The operations.
pub(crate) const CORE: Builtin = Builtin {
    name: "node/internal/fs/core",
    source: include_str!("core.js"),
    natives: natives! {
        "access" => now::access,
        "chmod" => now::chmod,
        "chown" => now::chown,
        "close" => now::close,
        "closeDir" => now::closeDir,
        "copyFile" => now::copyFile,
        "exists" => paths::exists,
        "fchmod" => now::fchmod,
        "fchown" => now::fchown,
        "fdatasync" => now::fdatasync,
        "fstat" => metadata::of_descriptor,
        "fsync" => now::fsync,
        "ftruncate" => now::ftruncate,
        "futimes" => now::futimes,
        "link" => now::link,
        "listTree" => now::listTree,
        "makeDir" => now::makeDir,
        "makeDirs" => now::makeDirs,
        "makeTemporary" => now::makeTemporary,
        "open" => now::open,
        "openDir" => now::openDir,
        "read" => files::read,
        "readDir" => now::readDir,
        "readDirPart" => now::readDirPart,
        "readFile" => now::readFile,
        "readLink" => now::readLink,
        "readNames" => now::readNames,
        "readText" => whole::read_text,
        "readv" => files::readv,
        "realPath" => now::realPath,
        "remove" => now::remove,
        "removeDir" => now::removeDir,
        "removeDirAll" => now::removeDirAll,
        "rename" => now::rename,
        "stat" => metadata::of_path,
        "statfs" => now::statfs,
        "symlink" => now::symlink,
        "truncate" => now::truncate,
        "unlink" => now::unlink,
        "utimes" => now::utimes,
        "walkedPath" => now::walkedPath,
        "write" => files::write,
        "writeFile" => whole::write_file,
        "writeText" => files::write_text,
        "writev" => files::writev,
    },
    globals: &[],
};

operations! {
    now {
        access => paths::access, instant;
        chmod => paths::chmod, quick;
        chown => paths::chown, quick;
        close => files::close, quick;
        closeDir => directories::close, quick;
        copyFile => whole::copy_file, slow;
        fchmod => files::chmod, quick;
        fchown => files::chown, quick;
        fdatasync => files::sync_data, slow;
        fsync => files::sync, slow;
        ftruncate => files::truncate, slow;
        futimes => files::utimes, quick;
        link => paths::link, quick;
        listTree => tree::list_tree, slow;
        makeDir => paths::make_dir, quick;
        makeDirs => tree::make_dirs, quick;
        makeTemporary => tree::make_temporary, quick;
        open => files::open, quick;
        openDir => directories::open, quick;
        readDir => paths::read_dir, quick;
        readDirPart => directories::read, quick;
        readFile => whole::read_file, quick;
        readLink => paths::read_link, quick;
        readNames => paths::read_names, quick;
        realPath => paths::real_path, instant;
        remove => tree::remove, quick;
        removeDir => paths::remove_dir, quick;
        removeDirAll => tree::remove_dir_all, slow;
        rename => paths::rename, quick;
        statfs => paths::statfs, quick;
        symlink => paths::symlink, quick;
        truncate => whole::truncate, quick;
        unlink => paths::unlink, quick;
        utimes => paths::utimes, quick;
        walkedPath => paths::walked_path, instant;
    }
    later {
        exists => paths::exists_later, instant;
        fstat => metadata::fstat, quick;
        read => files::read_later, quick;
        stat => metadata::stat, instant;
        write => files::write_later, quick;
        writeFile => whole::write_file_later, quick;
    }
}

fn number(call: &mut Call<'_, '_, '_>) -> NativeResult {
    batch::number(call, LATER)
}

fn submit(call: &mut Call<'_, '_, '_>) -> NativeResult {
    batch::submit(call, LATER)
}

/// The first number for an open file: 0, 1 and 2 are the standard streams.
const FIRST_DESCRIPTOR: usize = standard::COUNT;

/// Bits taken from the permissions of what a guest creates, until it sets others by `process.umask`.
const USUAL_UMASK: u32 = 0o022;

/// What a worker's `node:fs` works on: its mounts, its working directory, its open files. Dropping it closes them.
#[derive(Debug)]
pub struct FsState {
    mounts: Arc<MountTable>,
    working_directory: Arc<GuestPath>,
    /// Bits taken from the permissions of what is created.
    umask: u32,
    /// The standard streams.
    standard: [standard::Standard; standard::COUNT],
    /// Directories that are being read, by number.
    directories: Vec<Option<OpenDirectory>>,
    /// Open files by descriptor less [`FIRST_DESCRIPTOR`].
    files: Vec<Option<Arc<OpenFile>>>,
    /// How many of these are open.
    open: usize,
    /// How many directories are.
    open_directories: usize,
    /// How many may be.
    max_open: usize,
    /// Files that are being opened.
    opening: Arc<AtomicUsize>,
    /// By request, what was put off.
    submissions: Vec<(u64, batch::Submissions)>,
    /// Where it waits for a thread; made with the first.
    queue: Option<Arc<pool::Queue>>,
}

/// A directory that is read piece by piece. One thread reads at a time.
type OpenDirectory = Arc<Mutex<Box<dyn Directory>>>;

/// A place among the descriptors for a file that is being opened, until it is dropped.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for FsState {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.close();
        }
    }
}

impl FsState {
    /// For a worker with these mounts, which may have `max_open` files open at a time; relative paths are taken from
    /// `working_directory`.
    pub fn new(mounts: Arc<MountTable>, working_directory: GuestPath, max_open: usize) -> Self {
        Self {
            mounts,
            working_directory: Arc::new(working_directory),
            umask: USUAL_UMASK,
            standard: Default::default(),
            directories: Vec::new(),
            files: Vec::new(),
            open: 0,
            open_directories: 0,
            max_open,
            opening: Arc::default(),
            submissions: Vec::new(),
            queue: None,
        }
    }

    /// Makes another directory the one that relative paths are taken from; its path without links. What is under way
    /// keeps to the one before.
    pub(crate) fn enter(&mut self, path: &[u8]) -> Result<&GuestPath, Errno> {
        let path = self.working_directory.join_bytes(path).map_err(atoll_vfs::PathError::errno)?;
        let real = self.mounts.canonicalize(&path).map_err(|error| error.errno)?;
        let metadata = self.mounts.metadata(&real).map_err(|error| error.errno)?;
        if !metadata.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let search = AccessMode { execute: true, ..AccessMode::default() };
        self.mounts.access(&real, search).map_err(|error| error.errno)?;
        self.working_directory = Arc::new(real);
        Ok(&self.working_directory)
    }

    /// Sets which bits are taken from the permissions of what is created, of `0o777`; those that were before.
    pub(crate) fn set_umask(&mut self, mask: u32) -> u32 {
        std::mem::replace(&mut self.umask, mask & 0o777)
    }

    /// Which bits are taken from the permissions of what is created.
    pub(crate) fn umask(&self) -> u32 {
        self.umask
    }

    /// How many files are open, directories that are being read included.
    pub fn open_files(&self) -> usize {
        self.open + self.open_directories
    }

    /// Keeps an open file under the lowest free number.
    fn keep(&mut self, file: OpenFile) -> Result<u32, Errno> {
        self.require_number()?;
        let index = place(&mut self.files, self.open, Arc::new(file));
        self.open += 1;
        u32::try_from(index + FIRST_DESCRIPTOR).map_err(|_| Errno::EMFILE)
    }

    /// Keeps a directory that is to be read.
    fn keep_directory(&mut self, directory: Box<dyn Directory>) -> Result<u32, Errno> {
        self.require_number()?;
        let index = place(&mut self.directories, self.open_directories, Arc::new(Mutex::new(directory)));
        self.open_directories += 1;
        u32::try_from(index).map_err(|_| Errno::EMFILE)
    }

    fn directory(&self, number: u32) -> Result<OpenDirectory, Errno> {
        self.directories.get(number as usize).cloned().flatten().ok_or(Errno::EBADF)
    }

    fn close_directory(&mut self, number: u32) -> Result<OpenDirectory, Errno> {
        let slot = self.directories.get_mut(number as usize).ok_or(Errno::EBADF)?;
        let directory = slot.take().ok_or(Errno::EBADF)?;
        self.open_directories -= 1;
        Ok(directory)
    }

    fn require_number(&self) -> Result<(), Errno> {
        if self.open_files() < self.max_open { Ok(()) } else { Err(Errno::EMFILE) }
    }

    /// That one more file can be opened, before it is.
    fn require_room(&self) -> Result<(), Errno> {
        let taken = self.open_files() + self.opening.load(Ordering::Relaxed);
        if taken >= self.max_open { Err(Errno::EMFILE) } else { Ok(()) }
    }

    /// Takes a place for a file that is going to be opened.
    fn reserve(&mut self) -> Result<Place, Errno> {
        self.require_room()?;
        self.opening.fetch_add(1, Ordering::Relaxed);
        Ok(Place(Arc::clone(&self.opening)))
    }

    fn slot(&mut self, descriptor: u32) -> Result<&mut Option<Arc<OpenFile>>, Errno> {
        let index = (descriptor as usize).checked_sub(FIRST_DESCRIPTOR);
        index.and_then(|index| self.files.get_mut(index)).ok_or(Errno::EBADF)
    }

    fn file(&mut self, descriptor: u32) -> Result<Arc<OpenFile>, Errno> {
        if (descriptor as usize) < FIRST_DESCRIPTOR {
            return self.standard(descriptor as usize);
        }
        self.slot(descriptor)?.clone().ok_or(Errno::EBADF)
    }

    /// Takes a file out; it is closed when nothing uses it any more.
    fn close(&mut self, descriptor: u32) -> Result<Arc<OpenFile>, Errno> {
        if (descriptor as usize) < FIRST_DESCRIPTOR {
            return self.close_standard(descriptor as usize);
        }
        let file = self.slot(descriptor)?.take().ok_or(Errno::EBADF)?;
        self.open -= 1;
        Ok(file)
    }
}

/// Puts a value at the first free index; `taken` are taken.
fn place<T>(slots: &mut Vec<Option<T>>, taken: usize, value: T) -> usize {
    // The common case first: all are.
    let free = if taken == slots.len() { None } else { slots.iter().position(Option::is_none) };
    let index = free.unwrap_or_else(|| {
        slots.push(None);
        slots.len() - 1
    });
    slots[index] = Some(value);
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use atoll_vfs::{NewFile, OpenOptions};

    const MAX_OPEN_FILES: usize = 200;

    fn state() -> FsState {
        FsState::new(Arc::new(fixture::tree()), GuestPath::root(), MAX_OPEN_FILES)
    }

    fn opened(state: &FsState) -> OpenFile {
        let options = OpenOptions { create: NewFile::IfMissing, ..OpenOptions::REPLACE };
        state.mounts.open(&GuestPath::new("/tmp/a").unwrap(), &options).unwrap()
    }

    #[test]
    fn descriptors_are_the_lowest_free_numbers() {
        let mut state = state();
        for expected in 3..6 {
            let file = opened(&state);
            assert_eq!(state.keep(file), Ok(expected));
        }
        state.close(4).unwrap();
        assert_eq!(state.close(4).unwrap_err(), Errno::EBADF);
        assert_eq!(state.file(4).unwrap_err(), Errno::EBADF);
        let file = opened(&state);
        assert_eq!(state.keep(file), Ok(4));
        for number in [6, u32::MAX] {
            assert_eq!(state.close(number).unwrap_err(), Errno::EBADF, "{number}");
        }
        assert_eq!(state.open_files(), 3);
        for number in 0..3 {
            assert_eq!(state.file(number).unwrap_err(), Errno::EBADF, "there is no /dev here");
        }
    }

    #[test]
    fn open_files_are_limited() {
        let mut state = state();
        for _ in 0..MAX_OPEN_FILES {
            state.require_room().unwrap();
            let file = opened(&state);
            state.keep(file).unwrap();
        }
        assert_eq!(state.require_room(), Err(Errno::EMFILE));
        assert_eq!(state.reserve().unwrap_err(), Errno::EMFILE);
        let file = opened(&state);
        assert_eq!(state.keep(file), Err(Errno::EMFILE));
        state.close(100).unwrap();
        let place = state.reserve().unwrap();
        assert_eq!(state.require_room(), Err(Errno::EMFILE));
        drop(place);
        state.require_room().unwrap();
    }
}
