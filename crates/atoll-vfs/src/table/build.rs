//! Making a mount table.

use super::{Access, Mount, MountTable};
use crate::layer::{FinalLink, Layer, LayerError};
use crate::{GuestPath, LayerPath, Memory, PathError, Quota};
use std::sync::Arc;

/// Mounts that one guest may have. Finding the mount of a path looks at each.
const MAX_MOUNTS: usize = 64;

/// A mount that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The mount point is no path.
    #[error("the mount point {point:?} is not a path: {source}")]
    Path {
        /// As given.
        point: String,
        /// What is wrong with it.
        source: PathError,
    },
    /// It is relative or contains `..`.
    #[error("the mount point {0:?} must be absolute and without `..`")]
    NotAbsolute(String),
    /// Something is mounted there already.
    #[error("{0} is mounted twice")]
    Twice(GuestPath),
    /// The directory to mount on does not exist in the mount that it would be in.
    #[error("{0} is not a directory of the mount it lies in")]
    NoDirectory(GuestPath),
    /// There are too many.
    #[error("more than {MAX_MOUNTS} mounts")]
    TooMany,
}

/// Collects mounts. Where nothing is mounted at `/`, a read-only directory with the mount points is.
#[derive(Debug, Default)]
pub struct MountTableBuilder {
    mounts: Vec<Mount>,
}

impl MountTableBuilder {
    /// Mounts `layer` at an absolute guest path.
    pub fn mount(mut self, point: &str, layer: impl Layer + 'static, access: Access) -> Result<Self, MountError> {
        self.add(point, Arc::new(layer), access)?;
        Ok(self)
    }

    /// As [`MountTableBuilder::mount`], for a layer that is shared.
    pub fn mount_shared(mut self, point: &str, layer: Arc<dyn Layer>, access: Access) -> Result<Self, MountError> {
        self.add(point, layer, access)?;
        Ok(self)
    }

    fn add(&mut self, point: &str, layer: Arc<dyn Layer>, access: Access) -> Result<(), MountError> {
        let path = GuestPath::new(point).map_err(|source| MountError::Path { point: point.to_owned(), source })?;
        if !point.starts_with('/') || point.split('/').any(|name| name == "..") {
            return Err(MountError::NotAbsolute(point.to_owned()));
        }
        let path = path.without_slash();
        if self.mounts.iter().any(|mount| mount.point == path) {
            return Err(MountError::Twice(path));
        }
        if self.mounts.len() == MAX_MOUNTS {
            return Err(MountError::TooMany);
        }
        self.mounts.push(Mount { point: path, layer, access, has_mounts_below: false });
        Ok(())
    }

    /// The table. Every mount point must be a directory of the mount that it lies in.
    pub fn build(mut self) -> Result<MountTable, MountError> {
        if !self.mounts.iter().any(|mount| mount.point.is_root()) {
            let layer = Arc::new(self.root_of_points());
            let point = GuestPath::root();
            self.mounts.push(Mount { point, layer, access: Access::ReadOnly, has_mounts_below: false });
        }
        self.mounts.sort_by_key(|mount| std::cmp::Reverse(mount.point.as_bytes().len()));
        for index in 0..self.mounts.len() {
            let point = &self.mounts[index].point;
            let is_below = |other: &Mount| other.point != *point && other.point.strip_prefix(point).is_some();
            self.mounts[index].has_mounts_below = self.mounts.iter().any(is_below);
        }
        let table = MountTable { mounts: self.mounts };
        for mount in table.mounts.iter().filter(|mount| !mount.point.is_root()) {
            table.check_directory(&mount.point)?;
        }
        Ok(table)
    }

    /// A directory in memory with a folder for every mount point that lies directly in it.
    fn root_of_points(&self) -> Memory {
        let root = Memory::new(Quota::UNLIMITED);
        for mount in &self.mounts {
            let within_another =
                |other: &Mount| other.point != mount.point && mount.point.strip_prefix(&other.point).is_some();
            if self.mounts.iter().any(within_another) {
                continue;
            }
            let names: Vec<&[u8]> = mount.point.components().collect();
            for depth in 1..=names.len() {
                let path = names[..depth].join(&b'/');
                if let Some(path) = LayerPath::new(&path) {
                    // Two points may share a folder; that it exists is all that matters, and `build` checks it.
                    let _: Result<(), LayerError> = root.create_dir(path, 0o755);
                }
            }
        }
        root
    }
}

impl MountTable {
    /// That a mount point is a directory, not a link to one, where it would be if it were not mounted on.
    fn check_directory(&self, point: &GuestPath) -> Result<(), MountError> {
        let parent = point.parent();
        let (mount, _) = self.find(&parent);
        let below = point.strip_prefix(&mount.point).unwrap_or(LayerPath::ROOT);
        match mount.layer.metadata(below, FinalLink::Keep) {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            _ => Err(MountError::NoDirectory(point.clone())),
        }
    }
}
