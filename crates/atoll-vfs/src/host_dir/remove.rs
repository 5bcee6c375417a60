//! Removing a tree: each name in the directory that is open, never by a path that leads there anew.

use super::confine::{Parent, Root};
use super::{Mode, OFlags, list};
use crate::layer::{FileKind, FinalLink, LayerResult};
use crate::{Errno, LayerPath};
use atoll_sys::fs as sys;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Directories that one removal keeps open. Those above the innermost ones are closed in deeper trees, and opened again
/// from the root when it is their turn.
const MAX_OPEN_DIRECTORIES: usize = 32;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NONBLOCK);

/// A directory that is being emptied.
struct Level {
    /// Bytes of its path in the layer, of which all levels share one.
    path_bytes: usize,
    name: Vec<u8>,
    fd: Option<OwnedFd>,
    /// Directories in it that are still there.
    folders: Vec<Vec<u8>>,
}

/// Removes `name` in `parent`, which is at `path` in the layer.
pub(super) fn tree(root: &Root, parent: &Parent<'_>, path: LayerPath<'_>, name: &[u8]) -> LayerResult<()> {
    // Most often it is a directory; what is none says so.
    let Some(first) = enter(parent.as_fd(), name)? else { return Ok(sys::unlink_at(parent, name)?) };
    let mut here = path.as_bytes().to_vec();
    let mut levels = vec![level(first, &here, name)?];
    while let Some(index) = levels.len().checked_sub(1) {
        if let Some(folder) = levels[index].folders.pop() {
            let fd = open_again(root, &mut levels[index], &here)?;
            let Some(entered) = enter(fd.as_fd(), &folder)? else {
                sys::unlink_at(fd, &folder)?;
                continue;
            };
            here.push(b'/');
            here.extend_from_slice(&folder);
            levels.push(level(entered, &here, &folder)?);
            if let Some(outer) = levels.len().checked_sub(MAX_OPEN_DIRECTORIES + 1) {
                levels[outer].fd = None;
            }
            continue;
        }
        let Some(Level { name, .. }) = levels.pop() else { break };
        match levels.last_mut() {
            None => sys::remove_dir_at(parent, &name)?,
            Some(outer) => {
                here.truncate(outer.path_bytes);
                sys::remove_dir_at(open_again(root, outer, &here)?, &name)?;
            }
        }
    }
    Ok(())
}

/// Opens a directory; none when it is something else.
fn enter(parent: BorrowedFd<'_>, name: &[u8]) -> Result<Option<OwnedFd>, Errno> {
    match sys::open_at(parent, name, DIRECTORY, Mode::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(atoll_sys::Errno::NOTDIR | atoll_sys::Errno::LOOP) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Removes all but the directories in an open directory.
fn level(fd: OwnedFd, path: &[u8], name: &[u8]) -> Result<Level, Errno> {
    let mut folders = Vec::new();
    for (entry, kind) in list::all(&fd)?.iter() {
        if kind == FileKind::Directory {
            folders.push(entry.to_vec());
        } else {
            sys::unlink_at(&fd, entry)?;
        }
    }
    Ok(Level { path_bytes: path.len(), name: name.to_vec(), fd: Some(fd), folders })
}

fn open_again<'l>(root: &Root, level: &'l mut Level, path: &[u8]) -> LayerResult<&'l OwnedFd> {
    if level.fd.is_none() {
        let path = LayerPath::new(path).ok_or(Errno::ENAMETOOLONG)?;
        level.fd = Some(root.open(path, DIRECTORY, Mode::empty(), FinalLink::Keep)?);
    }
    Ok(level.fd.as_ref().ok_or(Errno::EBADF)?)
}
