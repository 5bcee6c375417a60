//! Opening below a root, and never above.

use super::patience;
use super::walk::Walk;
use crate::LayerPath;
use crate::layer::{FinalLink, LayerError, LayerResult};
use atoll_sys::Errno;
use atoll_sys::fs::{self as sys, Mode, OFlags, ResolveFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How paths are kept below the root of a host directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confinement {
    /// By the kernel, in one `openat2`.
    Beneath,
    /// By opening name after name without following links.
    Walk,
}

/// The root of a host directory: an open descriptor, not a path.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) fd: OwnedFd,
    pub(super) confinement: Confinement,
}

/// A directory to change: the root itself, or one opened for the purpose.
#[derive(Debug)]
pub(super) enum Parent<'r> {
    Root(BorrowedFd<'r>),
    Below(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(fd) => *fd,
            Self::Below(fd) => fd.as_fd(),
        }
    }
}

impl Root {
    pub(super) fn new(fd: OwnedFd) -> Self {
        let confinement = if sys::has_open_beneath(&fd) { Confinement::Beneath } else { Confinement::Walk };
        Self { fd, confinement }
    }

    /// Opens `path`. `O_NOFOLLOW` is decided by `last`.
    pub(super) fn open(
        &self,
        path: LayerPath<'_>,
        mut flags: OFlags,
        mode: Mode,
        last: FinalLink,
    ) -> LayerResult<OwnedFd> {
        match self.confinement {
            Confinement::Beneath => {
                flags.set(OFlags::NOFOLLOW, last == FinalLink::Keep);
                match self.beneath(path, flags, mode, ResolveFlags::empty()) {
                    // Somebody renames directories all the time, anywhere on the machine; a walk does not mind.
                    Err(LayerError::Errno(crate::Errno::EAGAIN)) if !patience::is_short() => {
                        self.walk(path)?.open(flags, mode, last)
                    }
                    result => result,
                }
            }
            Confinement::Walk => self.walk(path)?.open(flags, mode, last),
        }
    }

    /// A walk, which nobody can say of whether it would wait.
    fn walk(&self, path: LayerPath<'_>) -> LayerResult<Walk<'_>> {
        if patience::is_short() {
            patience::note_wait();
            return Err(Errno::AGAIN.into());
        }
        Ok(Walk::new(&self.fd, path))
    }

    /// Opens the directory in which something is to be changed.
    pub(super) fn directory(&self, path: LayerPath<'_>) -> LayerResult<Parent<'_>> {
        if path.is_root() {
            return Ok(Parent::Root(self.fd.as_fd()));
        }
        self.open(path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty(), FinalLink::Follow).map(Parent::Below)
    }

    /// The path without links. Where it has none, which is the common case, the kernel says so in one call.
    pub(super) fn canonicalize(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        if self.confinement == Confinement::Beneath {
            match self.beneath(path, OFlags::PATH, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
                Err(LayerError::Errno(crate::Errno::ELOOP)) => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(path.as_bytes().to_vec()),
            }
        }
        self.walk(path)?.canonicalize()
    }

    fn beneath(&self, path: LayerPath<'_>, flags: OFlags, mode: Mode, more: ResolveFlags) -> LayerResult<OwnedFd> {
        let name = if path.is_root() { b"." } else { path.as_bytes() };
        let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | more;
        resolve.set(ResolveFlags::NO_SYMLINKS, path.refuses_links() || more.contains(ResolveFlags::NO_SYMLINKS));
        resolve.set(ResolveFlags::CACHED, patience::is_short());
        match sys::open_beneath(&self.fd, name, flags, mode, resolve) {
            Ok(fd) => Ok(fd),
            Err(Errno::XDEV) => Err(LayerError::Leaves),
            Err(Errno::LOOP) if path.refuses_links() => Err(LayerError::Leaves),
            Err(errno) => {
                if errno == Errno::AGAIN && patience::is_short() {
                    patience::note_wait();
                }
                Err(errno.into())
            }
        }
    }
}

impl Root {
    /// Opens (`O_PATH`), by the kernel alone, a path none of whose components is a link but, at most, the last, which is
    /// kept; `ELOOP` where another one is.
    pub(super) fn open_plain(&self, path: LayerPath<'_>) -> LayerResult<OwnedFd> {
        self.beneath(path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty(), ResolveFlags::NO_SYMLINKS)
    }
}
