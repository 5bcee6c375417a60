//! A writable layer over another one, which stays as it is.
//!
//! The upper side is a tree in memory with a [`Quota`]; it is gone when the overlay is. What it has no entry for shows
//! through from below. The lower layer is only ever read, and may be of any kind; it must give each of its files a
//! device and number of its own ([`Metadata::dev`], [`Metadata::ino`]), and should not be changed by others meanwhile.
//! If it is, what is seen of the change is unspecified, but stays within what the lower layer may show.
//!
//! * **Copying up.** A file is copied when it is opened for writing, as a whole, before the open returns; when that fails
//!   (`ENOSPC` beyond the quota, or what reading gave), the file is as before. Opening with truncation copies nothing.
//!   Changing times, permissions or owner, renaming and linking take an entry and copy no content. Mode, owner, times
//!   and inode number stay the same when a file is copied up.
//! * **Open files.** Those that were opened before the copy see what is written after it, as on any filesystem: all that
//!   have a file open share one inode.
//! * **Removed names** are whiteouts: entries of the tree that are no names. No guest can make one but by removing, none
//!   sees one, and none can tell a directory made anew in the place of a removed one from any other; nothing of the old
//!   one shows in it.
//! * **Renaming** works for all that has a name, and costs the same for a directory with a million files: the tree
//!   remembers where below the directory's content is.
//! * **Hard links** that exist below stay linked while one of their names is changed or open. When the last such name is
//!   removed, those that were never used show the lower file again. The number of links of a file that nobody changed
//!   is what the lower layer says, also when one of them was removed.
//! * **Links** are followed here, across both sides; those that lead out are [`LayerError::Leaves`](crate::LayerError),
//!   as everywhere.
//! * **Watches** tell of changes made here, and of those that others make below where they show: of a name that has an entry
//!   here, or of a file that was copied up, the lower layer has nothing to tell any more. Copying up is no event.
//! * **Devices, FIFOs and sockets** of the lower layer are listed, renamed and removed, and never opened.

use crate::layer::{AccessMode, File, FinalLink, Layer, LayerResult, Metadata, OpenOptions, Owner, Statistics, Time};
use crate::watch::{EventSink, Watch};
use crate::{Errno, LayerPath, Listing, Memory, Quota};
use std::sync::Arc;

/// What an overlay without changes uses: an entry for its root.
const NOTHING: Quota = Quota { bytes: 0, inodes: 1 };

/// Changes in memory over a layer that is only read.
#[derive(Debug)]
pub struct Overlay {
    tree: Memory,
}

/// A layer that cannot be the lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lower layer's root cannot be used: {0}")]
pub struct OverlayError(pub Errno);

impl Overlay {
    /// What `lower` shows, with up to `quota` of changes.
    pub fn new(lower: Arc<dyn Layer>, quota: Quota) -> Result<Self, OverlayError> {
        Ok(Self { tree: Memory::over(lower, quota).map_err(OverlayError)? })
    }

    /// Bytes and entries that the changes take.
    pub fn used(&self) -> Quota {
        self.tree.used()
    }
}

impl Layer for Overlay {
    fn metadata(&self, path: LayerPath<'_>, last: FinalLink) -> LayerResult<Metadata> {
        self.tree.metadata(path, last)
    }

    fn open(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<Box<dyn File>> {
        self.tree.open(path, options)
    }

    fn read_dir(&self, path: LayerPath<'_>) -> LayerResult<Listing> {
        self.tree.read_dir(path)
    }

    fn read_link(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        self.tree.read_link(path)
    }

    fn canonicalize(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        self.tree.canonicalize(path)
    }

    fn access(&self, path: LayerPath<'_>, mode: AccessMode) -> LayerResult<()> {
        self.tree.access(path, mode)
    }

    fn read(&self, path: LayerPath<'_>, limit: u64) -> LayerResult<Vec<u8>> {
        self.tree.read(path, limit)
    }

    fn create_dir(&self, path: LayerPath<'_>, mode: u32) -> LayerResult<()> {
        self.tree.create_dir(path, mode)
    }

    fn remove_dir(&self, path: LayerPath<'_>) -> LayerResult<()> {
        self.tree.remove_dir(path)
    }

    fn remove_file(&self, path: LayerPath<'_>) -> LayerResult<()> {
        self.tree.remove_file(path)
    }

    fn rename(&self, from: LayerPath<'_>, to: LayerPath<'_>) -> LayerResult<()> {
        self.tree.rename(from, to)
    }

    fn symlink(&self, target: &[u8], path: LayerPath<'_>) -> LayerResult<()> {
        self.tree.symlink(target, path)
    }

    fn hard_link(&self, from: LayerPath<'_>, to: LayerPath<'_>) -> LayerResult<()> {
        self.tree.hard_link(from, to)
    }

    fn set_times(&self, path: LayerPath<'_>, last: FinalLink, accessed: Time, modified: Time) -> LayerResult<()> {
        self.tree.set_times(path, last, accessed, modified)
    }

    fn set_permissions(&self, path: LayerPath<'_>, mode: u32) -> LayerResult<()> {
        self.tree.set_permissions(path, mode)
    }

    fn metadata_plain(&self, path: LayerPath<'_>) -> LayerResult<Metadata> {
        self.tree.metadata_plain(path)
    }

    fn set_owner(&self, path: LayerPath<'_>, last: FinalLink, owner: Owner) -> LayerResult<()> {
        self.tree.set_owner(path, last, owner)
    }

    /// Every change but one of the root's own attributes takes an entry. Some give it back when they are undone.
    fn is_unchanged(&self) -> bool {
        self.used() == NOTHING
    }

    /// How much of the quota is left for changes; the lower layer takes none of it.
    fn statistics(&self, path: LayerPath<'_>) -> LayerResult<Statistics> {
        self.tree.statistics(path)
    }

    fn watch(&self, path: LayerPath<'_>, sink: &Arc<dyn EventSink>) -> LayerResult<Box<dyn Watch>> {
        self.tree.watch(path, sink)
    }
}
