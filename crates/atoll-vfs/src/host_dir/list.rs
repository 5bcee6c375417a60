//! The names of a directory of the host.

use crate::layer::{Directory, FileKind};
use crate::{Errno, Listing};
use atoll_sys::fs::{self as sys, FileType};
use std::os::fd::{AsFd, OwnedFd};

/// Names that one listing may hold. The largest directories of npm packages have some ten thousand; a directory that
/// somebody else on the host fills must not take the process's memory.
const MAX_LISTED_NAMES: usize = 1 << 20;

fn kind(file_type: FileType) -> Option<FileKind> {
    Some(match file_type {
        FileType::RegularFile => FileKind::Regular,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        FileType::Fifo => FileKind::Fifo,
        FileType::Socket => FileKind::Socket,
        FileType::CharacterDevice => FileKind::CharDevice,
        FileType::BlockDevice => FileKind::BlockDevice,
        FileType::Unknown => return None,
    })
}

/// Names as the kernel tells them, and which of these come without a type.
#[derive(Debug, Default)]
struct Names {
    listing: Listing,
    of_unknown_kind: Vec<(usize, Vec<u8>)>,
}

impl Names {
    fn push(&mut self, name: &[u8], file_type: FileType) {
        let kind = kind(file_type).unwrap_or_else(|| {
            self.of_unknown_kind.push((self.listing.len(), name.to_vec()));
            FileKind::Regular
        });
        self.listing.push(name, kind);
    }

    /// The listing, with the types that filesystems do not keep beside the names.
    fn finish(mut self, directory: impl AsFd) -> Listing {
        for (index, name) in self.of_unknown_kind {
            // A name that has gone meanwhile keeps the default; the program will find out when it opens it.
            if let Ok(stat) = sys::stat_at(directory.as_fd(), &name) {
                self.listing.set_kind(index, FileKind::from_mode(stat.mode));
            }
        }
        self.listing
    }
}

/// All names of an open directory with their types.
pub(super) fn all(directory: impl AsFd) -> Result<Listing, Errno> {
    let mut names = Names::default();
    sys::read_dir(directory.as_fd(), |name, file_type| {
        names.push(name, file_type);
        names.listing.len() <= MAX_LISTED_NAMES
    })?;
    if names.listing.len() > MAX_LISTED_NAMES {
        return Err(Errno::EOVERFLOW);
    }
    Ok(names.finish(directory))
}

/// A directory that is open: it is read as far as the program wants to know, one system call at a time.
#[derive(Debug)]
pub(super) struct HostDirectory {
    directory: OwnedFd,
    /// What the last call gave, and how much of it the program has.
    names: Listing,
    next: usize,
    is_over: bool,
}

impl HostDirectory {
    pub(super) fn new(directory: OwnedFd) -> Self {
        Self { directory, names: Listing::default(), next: 0, is_over: false }
    }
}

impl Directory for HostDirectory {
    fn read(&mut self, most: usize) -> Result<Listing, Errno> {
        // A call may give nothing but `.` and `..`.
        while self.next == self.names.len() && !self.is_over {
            let mut names = Names::default();
            self.is_over = !sys::read_dir_part(&self.directory, |name, file_type| names.push(name, file_type))?;
            (self.names, self.next) = (names.finish(&self.directory), 0);
        }
        let part = self.names.part(self.next, most);
        self.next += part.len();
        Ok(part)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the host")]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_directory_is_read_piece_by_piece() {
        const NAMES: usize = 3000;
        let host = tempfile::tempdir().unwrap();
        for index in 0..NAMES {
            std::fs::write(host.path().join(format!("a rather long name of a file {index}")), b"").unwrap();
        }
        let root = sys::open_root(host.path()).unwrap();
        let flags = sys::OFlags::RDONLY | sys::OFlags::DIRECTORY;
        let mut directory = HostDirectory::new(sys::open_at(&root, b".", flags, sys::Mode::empty()).unwrap());
        assert_eq!(directory.read(1).unwrap().len(), 1);
        assert!(directory.names.len() < NAMES / 2, "no more is read than one call gives");
        let mut seen = BTreeSet::new();
        loop {
            let part = directory.read(100).unwrap();
            if part.is_empty() {
                break;
            }
            assert!(part.len() <= 100);
            seen.extend(part.into_iter().map(|entry| entry.name));
        }
        assert_eq!(seen.len(), NAMES - 1);
        assert!(directory.read(1).unwrap().is_empty());
    }
}
