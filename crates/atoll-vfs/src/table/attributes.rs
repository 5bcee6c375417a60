//! Owners of files, and the filesystems that they are on.

use super::MountTable;
use crate::layer::{FinalLink, Owner, Statistics};
use crate::{FsError, GuestPath};

impl MountTable {
    /// Sets owner and group; `last` tells `chown` from `lchown`. See [`Layer::set_owner`](crate::Layer::set_owner).
    pub fn set_owner(&self, path: &GuestPath, last: FinalLink, owner: Owner) -> Result<(), FsError> {
        let syscall = if last == FinalLink::Follow { "chown" } else { "lchown" };
        self.named(syscall, path, |table| {
            table.find(path).0.require(true)?;
            table.require_wish(path)?;
            // A slash at the end makes a link be followed, as everywhere.
            let last = if path.wants_directory() { FinalLink::Follow } else { last };
            table.apply(path, last, true, |layer, below| layer.set_owner(below, last, owner))
        })
    }

    /// `statfs`: how much the filesystem holds, and may.
    pub fn statistics(&self, path: &GuestPath) -> Result<Statistics, FsError> {
        self.named("statfs", path, |table| {
            table.require_wish(path)?;
            table.apply(path, FinalLink::Follow, false, |layer, below| layer.statistics(below))
        })
    }
}
