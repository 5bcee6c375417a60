//! The short way to what a path leads to.
//!
//! Most paths have no links: then names are looked up one after another, and nothing is kept of the way. Where the tree
//! has no entry and there is a layer below, one question to that answers for the rest of the path, whatever its depth;
//! following it name by name would ask once per name.

use super::Memory;
use super::inode::Inode;
use super::lower::{Lower, joined};
use super::names::Entry;
use crate::layer::{FileKind, FinalLink, LayerError};
use crate::{Errno, LayerPath, MAX_NAME_BYTES};
use std::sync::Arc;

impl Memory {
    /// What the path leads to, or that there is nothing, where that can be said without following links; none where it
    /// cannot. Call with the layer's lock held.
    pub(super) fn shortcut(&self, path: LayerPath<'_>, last: FinalLink) -> Option<Result<Arc<Inode>, Errno>> {
        let mut directory = Arc::clone(&self.root);
        let mut rest = path.as_bytes();
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
            let below = {
                let names = directory.names().ok()?;
                match names.get(&rest[..end]) {
                    Some(Entry::Inode(inode)) => Arc::clone(inode),
                    Some(Entry::Whiteout) => return Some(Err(Errno::ENOENT)),
                    None => match self.lower.as_ref().zip(names.lower()) {
                        Some((lower, place)) => return self.shortcut_below(lower, joined(place, rest), last),
                        // A name that is too long has an error of its own.
                        None => return (end <= MAX_NAME_BYTES).then_some(Err(Errno::ENOENT)),
                    },
                }
            };
            rest = rest.get(end + 1..).unwrap_or_default();
            if below.kind() == FileKind::Symlink && (last == FinalLink::Follow || !rest.is_empty()) {
                return None;
            }
            directory = below;
        }
        Some(Ok(directory))
    }

    fn shortcut_below(&self, lower: &Lower, path: Vec<u8>, last: FinalLink) -> Option<Result<Arc<Inode>, Errno>> {
        match lower.layer().metadata_plain(LayerPath::new(&path)?) {
            Ok(found) if found.kind() == FileKind::Symlink && last == FinalLink::Follow => None,
            Ok(found) => Some(lower.inode(path.into(), &found, &self.usage)),
            Err(LayerError::Errno(errno @ (Errno::ENOENT | Errno::ENOTDIR))) => Some(Err(errno)),
            Err(_) => None,
        }
    }
}
