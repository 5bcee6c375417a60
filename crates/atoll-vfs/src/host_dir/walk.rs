//! The walk for hosts without `openat2`: one name at a time, links expanded here, `..` on our own stack.
//!
//! Every directory on the stack was opened with `O_NOFOLLOW` below the one before it, so each is below the root, or was
//! when it was opened. A directory that the host moves out of the mount meanwhile stays open to this one walk, as it
//! stays open to any program that has it as its working directory.

use crate::layer::{FileKind, FinalLink, LayerError, LayerResult};
use crate::{Errno, LayerPath};
use atoll_sys::fs::{self as sys, Mode, OFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Links followed on one path, as Linux (`MAXSYMLINKS`).
pub(crate) const MAX_LINKS: u32 = 40;

/// A path on its way to a descriptor.
#[derive(Debug)]
pub(super) struct Walk<'r> {
    root: &'r OwnedFd,
    /// Open directories below the root with their names, the innermost last.
    stack: Vec<(Vec<u8>, OwnedFd)>,
    /// Names still to go, the next one last. `.` and empty ones want what precedes them to be a directory.
    pending: Vec<Vec<u8>>,
    links: u32,
    /// Whether a file is to be created: then a slash after the last name is `EISDIR`, whatever is there.
    creating: bool,
    /// Whether links lead out, all of them.
    refuses_links: bool,
}

/// What the walk has come to: a name in the directory on top of the stack, or that directory itself.
enum Stop {
    Name(Vec<u8>),
    Directory,
}

impl<'r> Walk<'r> {
    pub(super) fn new(root: &'r OwnedFd, path: LayerPath<'_>) -> Self {
        let pending = path.components().rev().map(<[u8]>::to_vec).collect();
        Self { root, stack: Vec::new(), pending, links: 0, creating: false, refuses_links: path.refuses_links() }
    }

    /// Opens what the path names.
    pub(super) fn open(mut self, flags: OFlags, mode: Mode, last: FinalLink) -> LayerResult<OwnedFd> {
        // `O_EXCL` never follows: a link, dangling or not, is what exists.
        self.creating = flags.contains(OFlags::CREATE);
        let follow = last == FinalLink::Follow && !flags.contains(OFlags::EXCL);
        loop {
            let name = match self.advance()? {
                Stop::Directory => return Ok(sys::open_at(self.top(), b".", flags, mode)?),
                Stop::Name(name) => name,
            };
            if follow && self.expand_if_link(&name)? {
                continue;
            }
            match sys::open_at(self.top(), &name, flags, mode) {
                Ok(fd) if follow && flags.contains(OFlags::PATH) => {
                    // `O_PATH | O_NOFOLLOW` opens links too: one may have been put here since we looked.
                    if FileKind::from_mode(sys::stat(&fd)?.mode) != FileKind::Symlink {
                        return Ok(fd);
                    }
                }
                Ok(fd) => return Ok(fd),
                // A link was put here since we looked: look again, as often as links may be followed.
                Err(atoll_sys::Errno::LOOP) if follow => {}
                Err(errno) => return Err(errno.into()),
            }
            self.count_link()?;
            self.pending.push(name);
        }
    }

    /// The path without links; it must exist.
    pub(super) fn canonicalize(mut self) -> LayerResult<Vec<u8>> {
        loop {
            match self.advance()? {
                Stop::Directory => return Ok(self.canonical_path(None)),
                Stop::Name(name) => {
                    if self.expand_if_link(&name)? {
                        continue;
                    }
                    sys::stat_at(self.top(), &name)?;
                    return Ok(self.canonical_path(Some(&name)));
                }
            }
        }
    }

    fn canonical_path(&self, last: Option<&[u8]>) -> Vec<u8> {
        let names: Vec<&[u8]> = self.stack.iter().map(|(name, _)| name.as_slice()).chain(last).collect();
        names.join(&b'/')
    }

    /// Goes through all names but the last.
    fn advance(&mut self) -> LayerResult<Stop> {
        while let Some(name) = self.pending.pop() {
            match name.as_slice() {
                b"" | b"." => {}
                b".." => {
                    self.stack.pop().ok_or(LayerError::Leaves)?;
                }
                _ if self.pending.is_empty() => return Ok(Stop::Name(name)),
                _ if self.creating && self.pending.iter().all(Vec::is_empty) => return Err(Errno::EISDIR.into()),
                _ => self.enter(name)?,
            }
        }
        Ok(Stop::Directory)
    }

    /// Enters a directory, or replaces a link by its target.
    fn enter(&mut self, name: Vec<u8>) -> LayerResult<()> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        loop {
            match sys::open_at(self.top(), &name, flags, Mode::empty()) {
                Ok(fd) => {
                    self.stack.push((name, fd));
                    return Ok(());
                }
                Err(errno @ (atoll_sys::Errno::NOTDIR | atoll_sys::Errno::LOOP)) => {
                    if self.expand_if_link(&name)? {
                        return Ok(());
                    }
                    let kind = FileKind::from_mode(sys::stat_at(self.top(), &name)?.mode);
                    if !matches!(kind, FileKind::Directory | FileKind::Symlink) {
                        return Err(errno.into());
                    }
                    // A directory and a link are taking turns there: look again.
                    self.count_link()?;
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// If `name` is a link, puts its target's names in front of those that are still to go.
    fn expand_if_link(&mut self, name: &[u8]) -> LayerResult<bool> {
        let target = match sys::read_link_at(self.top(), name) {
            Ok(target) => target,
            Err(atoll_sys::Errno::INVAL | atoll_sys::Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(errno.into()),
        };
        self.count_link()?;
        if target.starts_with(b"/") || self.refuses_links {
            return Err(LayerError::Leaves);
        }
        self.pending.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
        Ok(true)
    }

    fn count_link(&mut self) -> Result<(), Errno> {
        self.links += 1;
        if self.links > MAX_LINKS { Err(Errno::ELOOP) } else { Ok(()) }
    }

    fn top(&self) -> BorrowedFd<'_> {
        self.stack.last().map_or(self.root.as_fd(), |(_, fd)| fd.as_fd())
    }
}
