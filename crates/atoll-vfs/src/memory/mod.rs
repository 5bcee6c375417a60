//! A layer in memory with a quota: a guest's `/tmp`, and the root directory that holds the mount points.
//!
//! One lock guards the shape of the tree (names and directories), one lock per file its bytes. A file that is open stays
//! until it is closed, named or not, and counts against the quota until then.
//!
//! The guest is the owner of everything here: permission bits are stored and shown, but only `access` for execution
//! looks at them, as for the superuser.

mod file;
mod inode;
mod resolve;

use crate::layer::{
    AccessMode, File, FileKind, FinalLink, Layer, LayerResult, Metadata, NewFile, OpenOptions, Time,
};
use crate::{Errno, LayerPath, Listing, MAX_PATH_BYTES};
use file::MemoryFile;
use inode::{Body, Inode, Usage};
use resolve::{Found, Purpose};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How much a [`Memory`] layer may hold. What exceeds it fails with `ENOSPC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of file content and of link targets.
    pub bytes: u64,
    /// Files, directories and links, each further hard link counted as one. A file costs the process up to about a
    /// kilobyte beside its content (its record, its name, its directory's index).
    pub inodes: u64,
}

impl Quota {
    /// A worker's `/tmp`: 64 MiB in 16,384 files.
    pub const DEFAULT: Self = Self { bytes: 64 << 20, inodes: 16_384 };
}

impl Default for Quota {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Files in memory, within a quota.
#[derive(Debug)]
pub struct Memory {
    root: Arc<Inode>,
    usage: Arc<Usage>,
    /// Held for writing by whatever changes names, for reading by whatever follows them.
    shape: RwLock<()>,
}

/// Device numbers of memory layers start here, above those that hosts give to real ones.
const FIRST_DEVICE: u64 = 1 << 32;

static NEXT_DEVICE: AtomicU64 = AtomicU64::new(FIRST_DEVICE);

impl Memory {
    /// An empty directory that may grow to `quota`.
    pub fn new(quota: Quota) -> Self {
        let usage = Arc::new(Usage::new(quota, NEXT_DEVICE.fetch_add(1, Ordering::Relaxed)));
        let root = Inode::root(&usage);
        Self { root, usage, shape: RwLock::new(()) }
    }

    /// Bytes and inodes in use.
    pub fn used(&self) -> Quota {
        self.usage.used()
    }

    // A panic while the lock is held cannot leave the tree torn: every change is one insertion or removal per map, and
    // the maps' own operations do not panic half-way. So a poisoned lock is as good as new.
    fn reading(&self) -> RwLockReadGuard<'_, ()> {
        self.shape.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> RwLockWriteGuard<'_, ()> {
        self.shape.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, path: LayerPath<'_>, last: FinalLink) -> LayerResult<Found> {
        resolve::resolve(&self.root, path, last, Purpose::Find)
    }

    fn existing(&self, path: LayerPath<'_>, last: FinalLink) -> LayerResult<Arc<Inode>> {
        let _shape = self.reading();
        Ok(self.find(path, last)?.node.ok_or(Errno::ENOENT)?)
    }

    /// Puts a new inode under the name that `path` resolved to.
    fn add(&self, found: &Found, body: Body, mode: u32) -> Result<Arc<Inode>, Errno> {
        let inode = Inode::new(&self.usage, body, mode)?;
        found.insert(Arc::clone(&inode))?;
        Ok(inode)
    }

    fn create(&self, path: LayerPath<'_>, body: Body, mode: u32) -> LayerResult<()> {
        let _shape = self.writing();
        let found = self.find(path, FinalLink::Keep)?;
        if found.node.is_some() {
            return Err(Errno::EEXIST.into());
        }
        self.add(&found, body, mode)?;
        Ok(())
    }
}

impl Layer for Memory {
    fn metadata(&self, path: LayerPath<'_>, last: FinalLink) -> LayerResult<Metadata> {
        let _shape = self.reading();
        let node = self.find(path, last)?.node.ok_or(Errno::ENOENT)?;
        Ok(node.metadata())
    }

    fn open(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<Box<dyn File>> {
        let last = if options.create == NewFile::Always { FinalLink::Keep } else { options.final_link };
        let node = if options.create == NewFile::Never {
            self.existing(path, last)?
        } else {
            if options.directory {
                return Err(Errno::EINVAL.into());
            }
            let _shape = self.writing();
            let found = resolve::resolve(&self.root, path, last, Purpose::Create)?;
            match found.node {
                Some(_) if options.create == NewFile::Always => return Err(Errno::EEXIST.into()),
                Some(node) => node,
                None => self.add(&found, Body::file(), options.mode)?,
            }
        };
        match node.kind() {
            FileKind::Symlink => return Err(if options.directory { Errno::ENOTDIR } else { Errno::ELOOP }.into()),
            FileKind::Directory if options.mutates() => return Err(Errno::EISDIR.into()),
            FileKind::Directory => {}
            _ if options.directory => return Err(Errno::ENOTDIR.into()),
            _ if options.truncate => node.resize(0)?,
            _ => {}
        }
        Ok(Box::new(MemoryFile::new(node, *options)))
    }

    fn read_dir(&self, path: LayerPath<'_>) -> LayerResult<Listing> {
        let _shape = self.reading();
        let node = self.find(path, FinalLink::Follow)?.node.ok_or(Errno::ENOENT)?;
        let names = node.names()?;
        let mut listing = Listing::default();
        names.iter().for_each(|(name, inode)| listing.push(name, inode.kind()));
        Ok(listing)
    }

    fn read_link(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        match self.existing(path, FinalLink::Keep)?.link_target() {
            Some(target) => Ok(target.to_vec()),
            None => Err(Errno::EINVAL.into()),
        }
    }

    fn canonicalize(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        let _shape = self.reading();
        let found = self.find(path, FinalLink::Follow)?;
        if found.node.is_none() {
            return Err(Errno::ENOENT.into());
        }
        Ok(found.canonical_path())
    }

    fn access(&self, path: LayerPath<'_>, mode: AccessMode) -> LayerResult<()> {
        let metadata = self.metadata(path, FinalLink::Follow)?;
        let executable = metadata.is_dir() || metadata.mode & 0o111 != 0;
        if mode.execute && !executable { Err(Errno::EACCES.into()) } else { Ok(()) }
    }

    fn create_dir(&self, path: LayerPath<'_>, mode: u32) -> LayerResult<()> {
        self.create(path, Body::directory(), mode)
    }

    fn symlink(&self, target: &[u8], path: LayerPath<'_>) -> LayerResult<()> {
        match target {
            [] => Err(Errno::ENOENT.into()),
            _ if target.contains(&0) => Err(Errno::EINVAL.into()),
            _ if target.len() > MAX_PATH_BYTES => Err(Errno::ENAMETOOLONG.into()),
            _ => self.create(path, Body::Link(target.into()), 0o777),
        }
    }

    fn remove_dir(&self, path: LayerPath<'_>) -> LayerResult<()> {
        let _shape = self.writing();
        let found = self.find(path, FinalLink::Keep)?;
        let node = found.node.as_ref().ok_or(Errno::ENOENT)?;
        if found.name.is_none() {
            return Err(Errno::EBUSY.into());
        }
        if !node.names()?.is_empty() {
            return Err(Errno::ENOTEMPTY.into());
        }
        found.remove()?;
        Ok(())
    }

    fn remove_file(&self, path: LayerPath<'_>) -> LayerResult<()> {
        let _shape = self.writing();
        let found = self.find(path, FinalLink::Keep)?;
        if found.node.as_ref().ok_or(Errno::ENOENT)?.kind() == FileKind::Directory {
            return Err(Errno::EISDIR.into());
        }
        found.remove()?;
        Ok(())
    }

    fn rename(&self, from: LayerPath<'_>, to: LayerPath<'_>) -> LayerResult<()> {
        if from.is_root() {
            return Err(Errno::EBUSY.into());
        }
        let _shape = self.writing();
        let source = self.find(from, FinalLink::Keep)?;
        if to.is_root() {
            return Err(Errno::EBUSY.into());
        }
        let target = self.find(to, FinalLink::Keep)?;
        let node = source.node.as_ref().ok_or(Errno::ENOENT)?;
        if target.passes_through(node) {
            return Err(Errno::EINVAL.into());
        }
        if let Some(replaced) = &target.node {
            if source.passes_through(replaced) {
                return Err(Errno::ENOTEMPTY.into());
            }
            if Arc::ptr_eq(node, replaced) {
                return Ok(());
            }
            match (node.kind(), replaced.kind()) {
                (FileKind::Directory, FileKind::Directory) if !replaced.names()?.is_empty() => {
                    return Err(Errno::ENOTEMPTY.into());
                }
                (FileKind::Directory, FileKind::Directory) => {}
                (FileKind::Directory, _) => return Err(Errno::ENOTDIR.into()),
                (_, FileKind::Directory) => return Err(Errno::EISDIR.into()),
                _ => {}
            }
            target.remove()?;
        }
        source.take_name()?;
        target.insert(Arc::clone(node))?;
        node.touch_changed();
        Ok(())
    }

    fn hard_link(&self, from: LayerPath<'_>, to: LayerPath<'_>) -> LayerResult<()> {
        let _shape = self.writing();
        let source = self.find(from, FinalLink::Keep)?;
        let target = self.find(to, FinalLink::Keep)?;
        let node = source.node.as_ref().ok_or(Errno::ENOENT)?;
        if target.node.is_some() {
            return Err(Errno::EEXIST.into());
        }
        if node.kind() == FileKind::Directory {
            return Err(Errno::EPERM.into());
        }
        node.add_name()?;
        target.insert(Arc::clone(node))?;
        Ok(())
    }

    fn set_times(&self, path: LayerPath<'_>, last: FinalLink, accessed: Time, modified: Time) -> LayerResult<()> {
        self.existing(path, last)?.set_times(accessed, modified);
        Ok(())
    }

    fn set_permissions(&self, path: LayerPath<'_>, mode: u32) -> LayerResult<()> {
        self.existing(path, FinalLink::Follow)?.set_permissions(mode);
        Ok(())
    }
}
