//! The short way into the layer below.
//!
//! Following a path name by name asks that layer once per name. Most paths have no links, and what they lead to has no
//! entry in the tree: then one question does, whatever the depth of the path.

use super::Memory;
use super::inode::Inode;
use super::lower::joined;
use super::names::Entry;
use crate::layer::{FileKind, FinalLink};
use crate::{Errno, LayerPath};
use std::sync::Arc;

impl Memory {
    /// What the path leads to, or that there is nothing, where that can be said without following links; none where it
    /// cannot. Call with the layer's lock held.
    pub(super) fn shortcut(&self, path: LayerPath<'_>, last: FinalLink) -> Option<Result<Arc<Inode>, Errno>> {
        let lower = self.lower.as_ref()?;
        let mut directory = Arc::clone(&self.root);
        let mut rest = path.as_bytes();
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
            let below = {
                let names = directory.names().ok()?;
                match names.get(&rest[..end]) {
                    Some(Entry::Inode(inode)) => Arc::clone(inode),
                    Some(Entry::Whiteout) => return None,
                    None => {
                        let path = joined(names.lower()?, rest);
                        let metadata = match lower.layer().metadata_plain(LayerPath::new(&path)?) {
                            Ok(metadata) => metadata,
                            Err(crate::LayerError::Errno(errno @ (Errno::ENOENT | Errno::ENOTDIR))) => {
                                return Some(Err(errno));
                            }
                            Err(_) => return None,
                        };
                        if metadata.kind() == FileKind::Symlink && last == FinalLink::Follow {
                            return None;
                        }
                        return Some(lower.inode(path.into(), &metadata, &self.usage));
                    }
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
}
