//! Watching the guest's tree.

use super::MountTable;
use crate::host_dir::MAX_LINKS;
use crate::layer::{FinalLink, LayerError};
use crate::watch::{EventSink, Watch};
use crate::{Errno, FsError, GuestPath, LayerPath};
use std::sync::Arc;

/// A directory that a path leads through, without links, and the name that is looked up in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The directory.
    pub directory: GuestPath,
    /// The name.
    pub name: Box<[u8]>,
}

impl MountTable {
    /// Has `sink` told what happens to what the path leads to. What lies in other mounts below is not told of.
    pub fn watch(&self, path: &GuestPath, sink: &Arc<dyn EventSink>) -> Result<Box<dyn Watch>, FsError> {
        self.named("watch", path, |table| {
            table.require_wish(path)?;
            table.apply(path, FinalLink::Follow, false, |layer, below| layer.watch(below, sink))
        })
    }

    /// The directories in which names are looked up when the path is followed, links and all, in this order; up to where it
    /// leads, or to the first name that is not there. As long as none of these names changes, the path leads to the same.
    pub fn steps(&self, path: &GuestPath) -> Vec<Step> {
        let mut here = GuestPath::root();
        let mut steps = Vec::new();
        let mut pending: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        let mut links = 0;
        while let Some(name) = pending.pop() {
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    here = here.parent();
                    continue;
                }
                _ => {}
            }
            let Some(below) = LayerPath::new(&name) else { break };
            let next = here.extended(below);
            let (mount, below) = self.find(&next);
            if !below.is_root() {
                steps.push(Step { directory: here.clone(), name: name.clone().into() });
                match mount.layer.read_link(below) {
                    Ok(target) => {
                        links += 1;
                        if links > MAX_LINKS {
                            break;
                        }
                        if target.starts_with(b"/") {
                            here = GuestPath::root();
                        }
                        pending.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
                        continue;
                    }
                    Err(LayerError::Errno(Errno::EINVAL)) => {}
                    Err(_) => break,
                }
            }
            here = next;
        }
        steps
    }
}
