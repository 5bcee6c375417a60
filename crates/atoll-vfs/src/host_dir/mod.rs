//! A directory of the host as a layer.
//!
//! The root is opened once (`O_PATH`) and everything is named relative to it, so that the layer stays what it was when
//! the host renames or replaces directories above. Paths are confined in one of two ways, chosen when it is opened:
//!
//! * [`Confinement::Beneath`]: the kernel resolves the whole path in one `openat2(RESOLVE_BENEATH |
//!   RESOLVE_NO_MAGICLINKS)`. Nobody who swaps directories for links meanwhile can make it leave.
//! * [`Confinement::Walk`]: where `openat2` is missing (gVisor, kernels before 5.6, some container filters), names are
//!   opened one by one with `O_NOFOLLOW`, links are expanded by us, and `..` goes back on a stack of open directories,
//!   never through the kernel.
//!
//! Both give the same answers: links inside are followed, at most 40 of them; links that are absolute or climb above
//! the root are [`LayerError::Leaves`], and the mount table resolves them in the guest's namespace.
//!
//! What is changed goes through `*at` calls on the parent's descriptor and one plain name. Devices, FIFOs and sockets
//! are never opened for I/O, nor is anything on `/proc`, `/sys` and their kind. Files made here get no set-user-id bits, whatever the guest asks.

mod admit;
mod confine;
mod file;
mod list;
mod notify;
mod patience;
mod remove;
mod walk;

use crate::layer::{
    AccessMode, Directory, File, FileKind, FinalLink, Layer, LayerError, LayerResult, Metadata, NewFile, OpenOptions,
    Owner, Statistics, Time, check_link_text, refuse_links,
};
use crate::watch::{EventSink, Watch};
use crate::{Errno, LayerPath, Listing};
use admit::Admitted;
pub use confine::Confinement;
use confine::{Parent, Root};
use file::{HostFile, accept_owner};
use list::HostDirectory;
pub use patience::{may_wait, without_waiting};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use sys::{Mode, OFlags};
pub(crate) use walk::MAX_LINKS;

use atoll_sys::fs as sys;

/// Permission bits a guest may set on the host: no set-user-id, set-group-id or sticky bit.
const PERMISSION_MASK: u32 = 0o777;

/// A directory of the host, read-only or writable.
#[derive(Debug)]
pub struct HostDir {
    root: Root,
    writable: bool,
    admitted: Admitted,
}

/// A host directory that cannot be used. For the operator: it names a host path and never reaches a guest.
#[derive(Debug, thiserror::Error)]
pub enum HostDirError {
    /// It cannot be opened.
    #[error("cannot open the directory {}: {source}", path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is on a filesystem by which the kernel shows itself.
    #[error("cannot mount {}: it is on a filesystem of the kernel ({filesystem}), not one with files", path.display())]
    OfKernel {
        /// The directory.
        path: PathBuf,
        /// The type's name: `proc`, `sysfs`, `devtmpfs`, …
        filesystem: &'static str,
    },
    /// Such a filesystem is mounted in it.
    #[error(
        "cannot mount {}: it has a filesystem of the kernel ({filesystem}) in it, at {}",
        path.display(), inside.display()
    )]
    Contains {
        /// The directory.
        path: PathBuf,
        /// Where the filesystem is mounted.
        inside: PathBuf,
        /// The type's name.
        filesystem: &'static str,
    },
}

impl HostDir {
    /// Opens a directory for reading.
    pub fn read_only(path: impl AsRef<Path>) -> Result<Self, HostDirError> {
        Self::open_root(path.as_ref(), false)
    }

    /// Opens a directory for reading and writing, with the rights of this process.
    pub fn read_write(path: impl AsRef<Path>) -> Result<Self, HostDirError> {
        Self::open_root(path.as_ref(), true)
    }

    fn open_root(path: &Path, writable: bool) -> Result<Self, HostDirError> {
        let cannot = |errno: atoll_sys::Errno| HostDirError::Open { path: path.to_path_buf(), source: errno.into() };
        let root = sys::open_root(path).map_err(cannot)?;
        let admitted = Admitted::root(path, &root)?;
        Ok(Self { root: Root::new(root), writable, admitted })
    }

    /// The same directory, confined in this way. For tests and for hosts known to lack `openat2`.
    #[must_use]
    pub fn confined_by(mut self, confinement: Confinement) -> Self {
        self.root.confinement = confinement;
        self
    }

    /// How paths are confined.
    pub fn confinement(&self) -> Confinement {
        self.root.confinement
    }

    fn require_writable(&self) -> Result<(), Errno> {
        if self.writable { Ok(()) } else { Err(Errno::EROFS) }
    }

    /// Directory and name for an operation that changes the directory; the root has neither.
    fn parent<'p>(&self, path: LayerPath<'p>, of_root: Errno) -> LayerResult<(Parent<'_>, &'p [u8])> {
        self.require_writable()?;
        let (directory, name) = path.split_last().ok_or(of_root)?;
        Ok((self.root.directory(directory)?, name))
    }

    fn open_file(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<(HostFile, Metadata)> {
        if options.mutates() {
            self.require_writable()?;
        }
        let created = !matches!(options.create, NewFile::Never);
        let mode = if created { Mode::from_raw_mode(options.mode & PERMISSION_MASK) } else { Mode::empty() };
        let file = self.root.open(path, flags(options), mode, options.final_link)?;
        let metadata = metadata(sys::stat(&file)?);
        self.admitted.check(&file, metadata.dev)?;
        match metadata.kind() {
            FileKind::Regular | FileKind::Directory => Ok((HostFile::new(file, self.writable), metadata)),
            _ => Err(Errno::EACCES.into()),
        }
    }
}

/// Flags of `open(2)`. `O_NONBLOCK` keeps a FIFO from hanging the thread before it is refused, `O_NOCTTY` a terminal
/// from becoming ours; on regular files neither does anything.
fn flags(options: &OpenOptions) -> OFlags {
    let mut flags = match (options.read, options.write || options.append) {
        (_, false) => OFlags::RDONLY,
        (false, true) => OFlags::WRONLY,
        (true, true) => OFlags::RDWR,
    };
    flags |= OFlags::NONBLOCK | OFlags::NOCTTY;
    flags.set(OFlags::APPEND, options.append);
    flags.set(OFlags::TRUNC, options.truncate);
    flags.set(OFlags::DIRECTORY, options.directory);
    match options.create {
        NewFile::Never => {}
        NewFile::IfMissing => flags |= OFlags::CREATE,
        NewFile::Always => flags |= OFlags::CREATE | OFlags::EXCL,
    }
    flags
}

fn metadata(stat: sys::Stat) -> Metadata {
    Metadata {
        dev: stat.dev,
        ino: stat.ino,
        mode: stat.mode,
        nlink: stat.nlink,
        uid: stat.uid,
        gid: stat.gid,
        rdev: stat.rdev,
        size: stat.size,
        block_size: stat.block_size,
        blocks: stat.blocks,
        accessed: stat.accessed,
        modified: stat.modified,
        changed: stat.changed,
        born: stat.born,
    }
}

impl Layer for HostDir {
    fn metadata(&self, path: LayerPath<'_>, last: FinalLink) -> LayerResult<Metadata> {
        // One call where the name is directly in the root; three otherwise (open, statx, close).
        if path.is_root() {
            return Ok(metadata(sys::stat(&self.root.fd)?));
        }
        if last == FinalLink::Keep
            && let Some((directory, name)) = path.split_last()
            && directory.is_root()
        {
            return Ok(metadata(sys::stat_at(&self.root.fd, name)?));
        }
        let file = self.root.open(path, OFlags::PATH, Mode::empty(), last)?;
        Ok(metadata(sys::stat(&file)?))
    }

    fn open(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<Box<dyn File>> {
        let (file, _) = self.open_file(path, options)?;
        Ok(Box::new(file))
    }

    fn open_described(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<(Box<dyn File>, Metadata)> {
        let (file, metadata) = self.open_file(path, options)?;
        Ok((Box::new(file), metadata))
    }

    fn read(&self, path: LayerPath<'_>, limit: u64) -> LayerResult<Vec<u8>> {
        let (file, metadata) = self.open_file(path, &OpenOptions::READ)?;
        if metadata.is_dir() {
            return Err(Errno::EISDIR.into());
        }
        Ok(file.read_all(metadata.size, limit)?)
    }

    fn read_dir(&self, path: LayerPath<'_>) -> LayerResult<Listing> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK;
        let directory = self.root.open(path, flags, Mode::empty(), FinalLink::Follow)?;
        Ok(list::all(&directory)?)
    }

    fn open_dir(&self, path: LayerPath<'_>) -> LayerResult<Box<dyn Directory>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK;
        let directory = self.root.open(path, flags, Mode::empty(), FinalLink::Follow)?;
        Ok(Box::new(HostDirectory::new(directory)))
    }

    fn read_link(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        match path.split_last() {
            None => Err(Errno::EINVAL.into()),
            Some((directory, name)) if directory.is_root() => Ok(sys::read_link_at(&self.root.fd, name)?),
            Some(_) => {
                let link = self.root.open(path, OFlags::PATH, Mode::empty(), FinalLink::Keep)?;
                Ok(sys::read_link(&link)?)
            }
        }
    }

    fn canonicalize(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        self.root.canonicalize(path)
    }

    fn access(&self, path: LayerPath<'_>, mode: AccessMode) -> LayerResult<()> {
        let file = self.root.open(path, OFlags::PATH, Mode::empty(), FinalLink::Follow)?;
        if mode == AccessMode::default() {
            return Ok(());
        }
        if mode.write {
            self.require_writable()?;
        }
        let mut wanted = sys::Access::EXISTS;
        wanted.set(sys::Access::READ_OK, mode.read);
        wanted.set(sys::Access::WRITE_OK, mode.write);
        wanted.set(sys::Access::EXEC_OK, mode.execute);
        match sys::access(&file, wanted) {
            Err(atoll_sys::Errno::NOSYS | atoll_sys::Errno::INVAL) => Ok(by_bits(sys::stat(&file)?.mode, mode)?),
            result => Ok(result?),
        }
    }

    fn create_dir(&self, path: LayerPath<'_>, mode: u32) -> LayerResult<()> {
        let (directory, name) = self.parent(path, Errno::EEXIST)?;
        Ok(sys::make_dir_at(directory, name, Mode::from_raw_mode(mode & PERMISSION_MASK))?)
    }

    fn remove_dir(&self, path: LayerPath<'_>) -> LayerResult<()> {
        let (directory, name) = self.parent(path, Errno::EBUSY)?;
        Ok(sys::remove_dir_at(directory, name)?)
    }

    fn remove_file(&self, path: LayerPath<'_>) -> LayerResult<()> {
        let (directory, name) = self.parent(path, Errno::EISDIR)?;
        Ok(sys::unlink_at(directory, name)?)
    }

    fn remove_tree(&self, path: LayerPath<'_>) -> LayerResult<()> {
        let (directory, name) = self.parent(path, Errno::EBUSY)?;
        remove::tree(&self.root, &directory, path, name)
    }

    fn rename(&self, from: LayerPath<'_>, to: LayerPath<'_>) -> LayerResult<()> {
        let (directory, name) = self.parent(from, Errno::EBUSY)?;
        let (new_directory, new_name) = self.parent(to, Errno::EBUSY)?;
        Ok(sys::rename_at(directory, name, new_directory, new_name)?)
    }

    fn symlink(&self, target: &[u8], path: LayerPath<'_>) -> LayerResult<()> {
        self.require_writable()?;
        check_link_text(target)?;
        let (directory, name) = self.parent(path, Errno::EEXIST)?;
        Ok(sys::symlink_at(target, directory, name)?)
    }

    fn hard_link(&self, from: LayerPath<'_>, to: LayerPath<'_>) -> LayerResult<()> {
        self.require_writable()?;
        let (directory, name) = match from.split_last() {
            Some((directory, name)) => (self.root.directory(directory)?, name),
            None => (self.root.directory(LayerPath::ROOT)?, &b"."[..]),
        };
        let target = self.parent(to, Errno::EEXIST);
        if target.is_err() {
            // The kernel looks at the source first.
            sys::stat_at(&directory, name)?;
        }
        let (new_directory, new_name) = target?;
        Ok(sys::link_at(directory, name, new_directory, new_name)?)
    }

    fn set_times(&self, path: LayerPath<'_>, last: FinalLink, accessed: Time, modified: Time) -> LayerResult<()> {
        self.require_writable()?;
        let file = self.root.open(path, OFlags::PATH, Mode::empty(), last)?;
        Ok(sys::set_times(&file, accessed, modified)?)
    }

    fn set_permissions(&self, path: LayerPath<'_>, mode: u32) -> LayerResult<()> {
        self.require_writable()?;
        // `O_PATH` descriptors have no fchmod, and fchmodat would resolve the name a second time.
        let (file, _) = match self.open_file(path, &OpenOptions::READ) {
            Err(LayerError::Errno(Errno::EACCES)) => {
                self.open_file(path, &OpenOptions { read: false, write: true, ..OpenOptions::READ })?
            }
            opened => opened?,
        };
        Ok(file.set_permissions(mode)?)
    }

    fn metadata_plain(&self, path: LayerPath<'_>) -> LayerResult<Metadata> {
        if self.root.confinement == Confinement::Walk {
            refuse_links(self, path)?;
            return self.metadata(path, FinalLink::Keep);
        }
        Ok(metadata(sys::stat(&self.root.open_plain(path)?)?))
    }

    fn set_owner(&self, path: LayerPath<'_>, last: FinalLink, owner: Owner) -> LayerResult<()> {
        self.require_writable()?;
        Ok(accept_owner(&self.root.open(path, OFlags::PATH, Mode::empty(), last)?, owner)?)
    }

    /// The numbers of the host's filesystem: a guest that may write should know how much room there is.
    fn statistics(&self, path: LayerPath<'_>) -> LayerResult<Statistics> {
        let found = sys::filesystem(&self.root.open(path, OFlags::PATH, Mode::empty(), FinalLink::Follow)?)?;
        Ok(Statistics {
            kind: found.kind,
            block_size: found.block_size,
            blocks: found.blocks,
            free_blocks: found.free_blocks,
            available_blocks: found.available_blocks,
            inodes: found.inodes,
            free_inodes: found.free_inodes,
        })
    }

    /// By inotify, on the object that was opened within the mount and on no name of it.
    fn watch(&self, path: LayerPath<'_>, sink: &Arc<dyn EventSink>) -> LayerResult<Box<dyn Watch>> {
        let object = self.root.open(path, OFlags::PATH, Mode::empty(), FinalLink::Follow)?;
        self.admitted.check(&object, sys::stat(&object)?.dev)?;
        Ok(Box::new(notify::watch(&object, sink)?))
    }
}

/// Access by permission bits alone, for kernels without `faccessat2`: what any class may do, is allowed; the open that
/// follows decides.
fn by_bits(mode: u32, wanted: AccessMode) -> Result<(), Errno> {
    let denied = (wanted.read && mode & 0o444 == 0)
        || (wanted.write && mode & 0o222 == 0)
        || (wanted.execute && mode & 0o111 == 0);
    if denied { Err(Errno::EACCES) } else { Ok(()) }
}
