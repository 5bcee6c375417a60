//! From a guest path to a mount and a path in its layer.
//!
//! The common case takes no resolution: the longest mount point is stripped and the layer follows its own links in its
//! own way. Where other mounts lie below the mount, a link could lead to what one of them covers: the layer is asked for
//! exactly the names of the path, and follows none. The table follows links itself, name by name, in two cases: the path
//! contains `..`, or the layer has said that a link leads out. What comes of that is a path without links, for which the
//! layer is asked again; it confines that path as it does any other, so a link put in its way meanwhile leads nowhere.

use super::{MAX_RESOLUTIONS, Mount, MountTable, settled};
use crate::host_dir::MAX_LINKS;
use crate::layer::{FinalLink, Layer, LayerError, LayerResult};
use crate::{Errno, GuestPath, LayerPath};

impl MountTable {
    /// The mount that a path without links belongs to, and its place in the layer.
    pub(super) fn find<'p>(&self, path: &'p GuestPath) -> (&Mount, LayerPath<'p>) {
        let (index, below) = self.position(path);
        (&self.mounts[index], below)
    }

    fn position<'p>(&self, path: &'p GuestPath) -> (usize, LayerPath<'p>) {
        let place = |(index, mount): (usize, &Mount)| Some((index, path.strip_prefix(&mount.point)?));
        // The builder always mounts something at `/`, which every path is below.
        self.mounts.iter().enumerate().find_map(place).unwrap_or((self.mounts.len() - 1, LayerPath::ROOT))
    }

    /// The path in the layer for which it can be asked right away; none where the table has to resolve first.
    fn direct<'p>(mount: &Mount, path: &GuestPath, below: LayerPath<'p>) -> Option<LayerPath<'p>> {
        if path.has_parent_components() {
            return None;
        }
        Some(if mount.has_mounts_below { below.without_links() } else { below })
    }

    /// Runs an operation where the path leads. `last` says whether the operation follows a link in the last component,
    /// `mutates` whether a read-only mount refuses it.
    pub(super) fn apply<T>(
        &self,
        path: &GuestPath,
        last: FinalLink,
        mutates: bool,
        operation: impl Fn(&dyn Layer, LayerPath<'_>) -> LayerResult<T>,
    ) -> Result<T, Errno> {
        self.apply_with(path, last, mutates, |mount, below| operation(&*mount.layer, below))
    }

    /// As [`MountTable::apply`], for operations that ask the mount too.
    pub(super) fn apply_with<T>(
        &self,
        path: &GuestPath,
        last: FinalLink,
        mutates: bool,
        operation: impl Fn(&Mount, LayerPath<'_>) -> LayerResult<T>,
    ) -> Result<T, Errno> {
        let (mount, below) = self.find(path);
        mount.require(mutates)?;
        if let Some(below) = Self::direct(mount, path, below) {
            match operation(mount, below) {
                Err(LayerError::Leaves) => {}
                result => return result.map_err(settled),
            }
        }
        for _ in 0..MAX_RESOLUTIONS {
            let resolved = self.resolve(path, last)?;
            let (mount, below) = self.find(&resolved);
            mount.require(mutates)?;
            match operation(mount, below) {
                Err(LayerError::Leaves) => {}
                result => return result.map_err(settled),
            }
        }
        Err(Errno::ELOOP)
    }

    /// Runs an operation on two names, which must be in the same mount. Neither follows a last link.
    pub(super) fn apply_two(
        &self,
        from: &GuestPath,
        to: &GuestPath,
        operation: impl Fn(&Mount, LayerPath<'_>, LayerPath<'_>) -> LayerResult<()>,
    ) -> Result<(), Errno> {
        let ((source, source_below), (target, target_below)) = (self.position(from), self.position(to));
        let mount = &self.mounts[source];
        let direct = Self::direct(mount, from, source_below).zip(Self::direct(mount, to, target_below));
        if let Some((source_below, target_below)) = direct.filter(|_| source == target) {
            match operation(mount, source_below, target_below) {
                Err(LayerError::Leaves) => {}
                result => return result.map_err(settled),
            }
        }
        for _ in 0..MAX_RESOLUTIONS {
            let (from, to) = (self.resolve(from, FinalLink::Keep)?, self.resolve(to, FinalLink::Keep)?);
            let ((source, source_below), (target, target_below)) = (self.position(&from), self.position(&to));
            self.mounts[source].require(true)?;
            self.mounts[target].require(true)?;
            if source != target {
                return Err(Errno::EXDEV);
            }
            match operation(&self.mounts[source], source_below, target_below) {
                Err(LayerError::Leaves) => {}
                result => return result.map_err(settled),
            }
        }
        Err(Errno::ELOOP)
    }

    /// The path without links and `..`, the last component's link only followed if `last` says so. The last component
    /// need not exist.
    pub(super) fn resolve(&self, path: &GuestPath, last: FinalLink) -> Result<GuestPath, Errno> {
        let mut here = GuestPath::root();
        let mut pending: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        let mut links = 0;
        while let Some(name) = pending.pop() {
            let is_last = pending.is_empty();
            match name.as_slice() {
                b"" | b"." | b".." => {
                    let (mount, below) = self.find(&here);
                    if !mount.layer.metadata(below, FinalLink::Keep).map_err(settled)?.is_dir() {
                        return Err(Errno::ENOTDIR);
                    }
                    if name == b".." {
                        here = here.parent();
                    }
                    continue;
                }
                _ => {}
            }
            let name = LayerPath::new(&name).ok_or(Errno::EINVAL)?;
            let next = here.extended(name);
            let (mount, below) = self.find(&next);
            if below.is_root() {
                here = next;
                continue;
            }
            match mount.layer.read_link(below) {
                Ok(_) if is_last && last == FinalLink::Keep => here = next,
                Ok(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::ELOOP);
                    }
                    if target.starts_with(b"/") {
                        here = GuestPath::root();
                    }
                    pending.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
                }
                Err(LayerError::Errno(Errno::EINVAL)) => here = next,
                Err(LayerError::Errno(Errno::ENOENT)) if is_last => here = next,
                Err(error) => return Err(settled(error)),
            }
        }
        Ok(here)
    }
}
