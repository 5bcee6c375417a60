//! Following names and links in memory.

use super::Memory;
use super::inode::Inode;
use crate::host_dir::MAX_LINKS;
use crate::layer::{FileKind, FinalLink, LayerError, LayerResult};
use crate::{Errno, LayerPath, MAX_NAME_BYTES};
use std::sync::Arc;

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Found {
    /// The directories passed, outermost (the root) first, each with its name; the last one holds `name`.
    directories: Vec<(Vec<u8>, Arc<Inode>)>,
    /// The name in that directory; none when the path ends at a directory by `..` or is the root.
    pub(super) name: Option<Vec<u8>>,
    /// What it names; none when there is nothing of that name.
    pub(super) node: Option<Arc<Inode>>,
}

impl Found {
    /// The directory that holds the name.
    pub(super) fn directory(&self) -> &Arc<Inode> {
        // `resolve` starts with the root on the stack and never pops it.
        &self.directories[self.directories.len() - 1].1
    }

    pub(super) fn named(&self) -> Result<&[u8], Errno> {
        self.name.as_deref().ok_or(Errno::EBUSY)
    }

    /// The directories passed below the root, each with its name and the directory that has it.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&Arc<Inode>, &[u8], &Arc<Inode>)> {
        self.directories.windows(2).map(|pair| (&pair[0].1, pair[1].0.as_slice(), &pair[1].1))
    }

    /// Whether the way to the name goes through this inode.
    pub(super) fn passes_through(&self, inode: &Arc<Inode>) -> bool {
        self.directories.iter().any(|(_, directory)| directory.is_same(inode))
    }

    /// The names that lead here without links, joined by slashes.
    pub(super) fn canonical_path(&self) -> Vec<u8> {
        let names: Vec<&[u8]> = self.directories[1..].iter().map(|(name, _)| name.as_slice()).collect();
        let mut path = names.join(&b'/');
        if let Some(name) = &self.name {
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
        }
        path
    }
}

/// What a path is followed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To find what is there.
    Find,
    /// To create a file if nothing is there: then a slash after the last name is `EISDIR`, whatever is there.
    Create,
}

/// Follows `path` from the root of a tree. Call with the layer's lock held.
pub(super) fn resolve(tree: &Memory, path: LayerPath<'_>, last: FinalLink, purpose: Purpose) -> LayerResult<Found> {
    let mut directories = vec![(Vec::new(), Arc::clone(&tree.root))];
    let mut pending: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
    let mut links = 0;
    while let Some(name) = pending.pop() {
        match name.as_slice() {
            b"" | b"." => continue,
            b".." if directories.len() == 1 => return Err(LayerError::Leaves),
            b".." => {
                directories.pop();
                continue;
            }
            _ if name.len() > MAX_NAME_BYTES => return Err(Errno::ENAMETOOLONG.into()),
            _ => {}
        }
        let is_last = pending.is_empty();
        if purpose == Purpose::Create && !is_last && pending.iter().all(Vec::is_empty) {
            return Err(Errno::EISDIR.into());
        }
        let node = tree.child(&directories[directories.len() - 1].1, &name)?;
        let Some(node) = node else {
            if is_last {
                return Ok(Found { directories, name: Some(name), node: None });
            }
            return Err(Errno::ENOENT.into());
        };
        match node.link_target() {
            Some(target) if !is_last || last == FinalLink::Follow => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::ELOOP.into());
                }
                if target.starts_with(b"/") {
                    return Err(LayerError::Leaves);
                }
                pending.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
            }
            _ if is_last => return Ok(Found { directories, name: Some(name), node: Some(node) }),
            _ => {
                if node.kind() != FileKind::Directory {
                    return Err(Errno::ENOTDIR.into());
                }
                directories.push((name, node));
            }
        }
    }
    let node = Arc::clone(&directories[directories.len() - 1].1);
    Ok(Found { directories, name: None, node: Some(node) })
}
