//! The layer below a tree in memory: looking up in it what the tree has no entry for.
//!
//! What is looked up becomes an inode that costs nothing and is forgotten at once, unless a file is opened or changed.
//! Of those, [`Lower`] remembers which file of the lower layer they come from, so that there is one inode for all of its
//! open files and names: whoever has it open sees what others write, copied up or not, and whatever name they use.

use super::content::{Content, LowerFile, settled};
use super::inode::{Body, Inode};
use super::names::Names;
use super::usage::{Charge, Usage};
use crate::layer::{DirEntry, FileKind, FinalLink, Layer, Metadata};
use crate::{Errno, LayerPath, MAX_PATH_BYTES};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

/// Numbers from here on are of inodes that the overlay makes. JavaScript's numbers are exact below 2⁵³.
pub(super) const FIRST_OWN_INO: u64 = 1 << 52;

/// Lower files with numbers from here on, and those of other devices than the lower root's, get one between this and
/// [`FIRST_OWN_INO`], by hashing.
const FIRST_HASHED_INO: u64 = 1 << 51;

/// A file of the lower layer: device and number, and its birth in seconds and nanoseconds, because a host gives the
/// number of a file that is gone to another one.
type Key = (u64, u64, i64, u32);

fn key(metadata: &Metadata) -> Key {
    (metadata.dev, metadata.ino, metadata.born.seconds, metadata.born.nanoseconds)
}

/// The inodes that are open or changed, by the lower file that they come from.
type Known = Mutex<HashMap<Key, Remembered>>;

#[derive(Debug)]
struct Remembered {
    inode: Weak<Inode>,
    /// Keeps an inode that was changed through an open file: it has no entry that would.
    pinned: Option<Arc<Inode>>,
}

/// Where an inode comes from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    key: Key,
    known: Arc<Known>,
}

fn locked(known: &Known) -> MutexGuard<'_, HashMap<Key, Remembered>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Origin {
    /// The inode is gone. Another one may be known by now.
    pub(super) fn forget(&self) {
        let mut known = locked(&self.known);
        if known.get(&self.key).is_some_and(|entry| entry.inode.strong_count() == 0) {
            known.remove(&self.key);
        }
    }

    /// Remembers the inode as long as somebody has it. Call with the layer's lock held since it was looked up: then no
    /// other can have been remembered meanwhile, unless by somebody who also only reads; that one is returned.
    pub(super) fn remember(&self, inode: &Arc<Inode>) -> Arc<Inode> {
        let replaced = {
            let mut known = locked(&self.known);
            let earlier = known.get(&self.key).and_then(|entry| entry.inode.upgrade());
            match earlier {
                Some(earlier) if earlier.kind() == inode.kind() => return earlier,
                // The host has given the number to something else since. The earlier one lives on where it is.
                earlier => {
                    let entry = Remembered { inode: Arc::downgrade(inode), pinned: None };
                    (earlier, known.insert(self.key, entry))
                }
            }
        };
        // Dropped after the lock was let go: an inode that goes takes it.
        drop(replaced);
        Arc::clone(inode)
    }

    /// Keeps an inode that is remembered, at the price of an entry, until it gets an entry or loses a name.
    pub(super) fn pin(&self, inode: &Arc<Inode>, usage: &Usage) -> Result<(), Errno> {
        let mut known = locked(&self.known);
        if let Some(entry) = known.get_mut(&self.key)
            && entry.pinned.is_none()
        {
            usage.change(Charge::entry(b""))?;
            entry.pinned = Some(Arc::clone(inode));
        }
        Ok(())
    }

    /// Whether both come from the same lower file.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// The inode has an entry that keeps it, or has lost a name.
    pub(super) fn unpin(&self, usage: &Usage) {
        let pinned = locked(&self.known).get_mut(&self.key).and_then(|entry| entry.pinned.take());
        // Dropped after the lock was let go: an inode that goes takes it.
        if pinned.is_some() {
            usage.give(Charge::entry(b""));
        }
    }
}

/// A layer that is read where the tree says nothing.
#[derive(Debug)]
pub(super) struct Lower {
    layer: Arc<dyn Layer>,
    /// The device of its root: its files keep their numbers.
    device: u64,
    known: Arc<Known>,
}

impl Drop for Lower {
    fn drop(&mut self) {
        // Inodes refer to the table, and those that it keeps would keep it. They go after the lock was let go.
        let pinned: Vec<_> = locked(&self.known).values_mut().filter_map(|entry| entry.pinned.take()).collect();
        drop(pinned);
    }
}

impl Lower {
    /// The layer, and its root as an inode.
    pub(super) fn new(layer: Arc<dyn Layer>, usage: &Arc<Usage>) -> Result<(Self, Arc<Inode>), Errno> {
        let metadata = settled(layer.metadata(LayerPath::ROOT, FinalLink::Keep))?;
        if !metadata.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let lower = Self { layer, device: metadata.dev, known: Arc::default() };
        let root = lower.inode(Box::default(), &metadata, usage)?;
        root.make_own();
        Ok((lower, root))
    }

    pub(super) fn layer(&self) -> &Arc<dyn Layer> {
        &self.layer
    }

    /// What `name` stands for in a lower directory.
    pub(super) fn child(&self, directory: &[u8], name: &[u8], usage: &Arc<Usage>) -> Result<Option<Arc<Inode>>, Errno> {
        let path = joined(directory, name);
        match self.plain_metadata(&path)? {
            Some(metadata) => self.inode(path.into(), &metadata, usage).map(Some),
            None => Ok(None),
        }
    }

    /// Whether a lower directory has the name. What cannot be found out is taken for yes: hiding a name that is not
    /// there does no harm.
    pub(super) fn has(&self, directory: &[u8], name: &[u8]) -> bool {
        !matches!(self.plain_metadata(&joined(directory, name)), Ok(None))
    }

    /// Metadata of a path without links, a link itself included; none where there is nothing.
    pub(super) fn plain_metadata(&self, path: &[u8]) -> Result<Option<Metadata>, Errno> {
        if path.len() > MAX_PATH_BYTES {
            return Err(Errno::ENAMETOOLONG);
        }
        let path = LayerPath::new(path).ok_or(Errno::EIO)?;
        match settled(self.layer.metadata_plain(path)) {
            Ok(metadata) => Ok(Some(metadata)),
            // A directory above was one when it was looked up: somebody has replaced it since.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// The inode for a lower file: the one that is known, or one that is made up for the moment.
    pub(super) fn inode(&self, path: Box<[u8]>, metadata: &Metadata, usage: &Arc<Usage>) -> Result<Arc<Inode>, Errno> {
        if let Some(inode) = self.known(metadata) {
            return Ok(inode);
        }
        let body = match metadata.kind() {
            FileKind::Regular => {
                let layer = Arc::clone(&self.layer);
                Body::File(RwLock::new(Content::Lower(LowerFile { layer, path, size: metadata.size })))
            }
            FileKind::Directory => Body::Directory(RwLock::new(Names::over(path))),
            FileKind::Symlink => {
                let path = LayerPath::new(&path).ok_or(Errno::EIO)?;
                Body::Link(settled(self.layer.read_link(path))?.into())
            }
            kind => Body::Special { kind, rdev: metadata.rdev },
        };
        let origin = Origin { key: key(metadata), known: Arc::clone(&self.known) };
        Ok(Inode::of_lower(usage, self.ino(metadata), body, metadata, origin))
    }

    /// The inode that is open or changed, if this lower file has one.
    pub(super) fn known(&self, metadata: &Metadata) -> Option<Arc<Inode>> {
        let inode = {
            let known = locked(&self.known);
            known.get(&key(metadata))?.inode.upgrade()?
        };
        // On filesystems that record no birth, the host may have given the number to something else since.
        (inode.kind() == metadata.kind()).then(|| {
            inode.refresh(metadata);
            inode
        })
    }

    /// The number that a lower file has in the overlay, before and after it is copied up.
    pub(super) fn ino(&self, metadata: &Metadata) -> u64 {
        if metadata.dev == self.device && metadata.ino < FIRST_HASHED_INO {
            return metadata.ino;
        }
        let mut hasher = DefaultHasher::new();
        (metadata.dev, metadata.ino).hash(&mut hasher);
        FIRST_HASHED_INO | (hasher.finish() & (FIRST_HASHED_INO - 1))
    }

    /// The names of a lower directory; none where it has gone.
    pub(super) fn names(&self, directory: &[u8]) -> Result<Vec<DirEntry>, Errno> {
        let path = LayerPath::new(directory).ok_or(Errno::EIO)?;
        match settled(self.layer.read_dir(path)) {
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(Vec::new()),
            result => result,
        }
    }
}

/// `directory/name`, of the root `name`.
pub(super) fn joined(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(directory.len() + 1 + name.len());
    path.extend_from_slice(directory);
    if !directory.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
