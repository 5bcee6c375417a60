//! `node:fs` and `node:fs/promises` over the guest filesystem.
//!
//! Every call is one native function on the worker's own thread: path to bytes, no message and no other thread. The
//! asynchronous forms make the same call in a later turn, in the order they were asked for.
//!
//! * `core.js`: every operation once, as checked arguments → what is to be done.
//! * `types.js`: `Stats`, `BigIntStats`, `Dirent`, `Dir` and the constants.
//! * `arguments.js`: checks of paths, flags, options.
//! * `api.js`: the synchronous and the callback functions. `promises.js`: the promises and `FileHandle`.
//! * `stream_entry.js`: the streams as programs find them, loaded with their first use: `streams.js` with
//!   `stream_operations.js`, `web_stream.js`.

mod errors;
mod files;
mod metadata;
mod paths;
mod tree;

use atoll_engine::{Builtin, natives};
use atoll_vfs::{Errno, GuestPath, MountTable, OpenFile};
use std::sync::Arc;

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

/// The operations.
pub(crate) const CORE: Builtin = Builtin {
    name: "node/internal/fs/core",
    source: include_str!("core.js"),
    natives: natives! {
        "access" => paths::access,
        "chmod" => paths::chmod,
        "close" => files::close,
        "copyFile" => tree::copy_file,
        "exists" => paths::exists,
        "fchmod" => files::chmod,
        "fstat" => metadata::of_descriptor,
        "fsync" => files::sync,
        "ftruncate" => files::truncate,
        "futimes" => files::utimes,
        "link" => paths::link,
        "makeDir" => paths::make_dir,
        "makeDirs" => tree::make_dirs,
        "open" => files::open,
        "read" => files::read,
        "readDir" => paths::read_dir,
        "readFile" => files::read_file,
        "readLink" => paths::read_link,
        "readText" => files::read_text,
        "realPath" => paths::real_path,
        "removeDir" => paths::remove_dir,
        "removeTree" => tree::remove,
        "rename" => paths::rename,
        "stat" => metadata::of_path,
        "symlink" => paths::symlink,
        "unlink" => paths::unlink,
        "utimes" => paths::utimes,
        "write" => files::write,
    },
    globals: &[],
};

/// Files that one worker may have open at once; Linux's usual limit for a process.
const MAX_OPEN_FILES: usize = 1024;

/// The first number for an open file: 0, 1 and 2 are the standard streams, which are not files here.
const FIRST_DESCRIPTOR: usize = 3;

/// Bits taken from the permissions of what a guest creates, as the usual `umask` does.
const UMASK: u32 = 0o022;

/// What a worker's `node:fs` works on: its mounts, its working directory, its open files. Dropping it closes them.
#[derive(Debug)]
pub struct FsState {
    mounts: Arc<MountTable>,
    working_directory: GuestPath,
    /// Open files by descriptor less [`FIRST_DESCRIPTOR`].
    files: Vec<Option<Arc<OpenFile>>>,
}

impl FsState {
    /// For a worker with these mounts; relative paths are taken from `working_directory`.
    pub fn new(mounts: Arc<MountTable>, working_directory: GuestPath) -> Self {
        Self { mounts, working_directory, files: Vec::new() }
    }

    /// How many files are open.
    pub fn open_files(&self) -> usize {
        self.files.iter().flatten().count()
    }

    /// Keeps an open file under the lowest free number.
    fn keep(&mut self, file: OpenFile) -> Result<u32, Errno> {
        let free = self.files.iter().position(Option::is_none);
        let index = match free {
            Some(index) => index,
            None if self.files.len() < MAX_OPEN_FILES => {
                self.files.push(None);
                self.files.len() - 1
            }
            None => return Err(Errno::EMFILE),
        };
        self.files[index] = Some(Arc::new(file));
        u32::try_from(index + FIRST_DESCRIPTOR).map_err(|_| Errno::EMFILE)
    }

    /// That one more file can be opened, before it is.
    fn require_room(&self) -> Result<(), Errno> {
        let full = self.files.len() == MAX_OPEN_FILES && self.files.iter().all(Option::is_some);
        if full { Err(Errno::EMFILE) } else { Ok(()) }
    }

    fn slot(&mut self, descriptor: u32) -> Result<&mut Option<Arc<OpenFile>>, Errno> {
        let index = (descriptor as usize).checked_sub(FIRST_DESCRIPTOR);
        index.and_then(|index| self.files.get_mut(index)).ok_or(Errno::EBADF)
    }

    fn file(&mut self, descriptor: u32) -> Result<Arc<OpenFile>, Errno> {
        self.slot(descriptor)?.clone().ok_or(Errno::EBADF)
    }

    fn close(&mut self, descriptor: u32) -> Result<(), Errno> {
        self.slot(descriptor)?.take().map(drop).ok_or(Errno::EBADF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atoll_vfs::{Access, Memory, NewFile, OpenOptions, Quota};

    fn state() -> FsState {
        let mounts = MountTable::builder()
            .mount("/tmp", Memory::new(Quota::DEFAULT), Access::ReadWrite)
            .and_then(atoll_vfs::MountTableBuilder::build)
            .unwrap();
        FsState::new(Arc::new(mounts), GuestPath::root())
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
        assert_eq!(state.close(4), Err(Errno::EBADF));
        assert_eq!(state.file(4).unwrap_err(), Errno::EBADF);
        let file = opened(&state);
        assert_eq!(state.keep(file), Ok(4));
        for number in [0, 1, 2, 6, u32::MAX] {
            assert_eq!(state.close(number), Err(Errno::EBADF), "{number}");
        }
        assert_eq!(state.open_files(), 3);
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
        let file = opened(&state);
        assert_eq!(state.keep(file), Err(Errno::EMFILE));
        state.close(100).unwrap();
        state.require_room().unwrap();
    }
}
