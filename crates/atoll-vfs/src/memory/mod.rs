//! A layer in memory with a quota: a guest's `/tmp`, and the root directory that holds the mount points. The same tree,
//! with another layer below it, is an [`Overlay`](crate::Overlay).
//!
//! One lock guards the shape of the tree (names and directories), one lock per file its bytes. A file that is open stays
//! until it is closed, named or not, and its content counts against the quota until then.
//!
//! The guest is the owner of everything here: permission bits are stored and shown, but only `access` for execution
//! looks at them, as for the superuser.

mod change;
mod content;
mod file;
mod inode;
mod lower;
mod names;
mod resolve;
mod shortcut;
mod usage;
mod watch;

use crate::layer::{
    AccessMode, File, FileKind, FinalLink, Layer, LayerResult, Metadata, NewFile, OpenOptions, Owner, Statistics, Time,
    check_link_text, refuse_links,
};
use crate::watch::{EventSink, Watch};
use crate::{Errno, LayerPath, Listing};
use content::{Content, settled};
use file::MemoryFile;
use inode::{Body, Inode};
use lower::Lower;
use names::Entry;
use resolve::{Found, Purpose};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use usage::Quota;
use usage::Usage;

/// Files in memory, within a quota.
#[derive(Debug)]
pub struct Memory {
    root: Arc<Inode>,
    usage: Arc<Usage>,
    /// Held for writing by whatever changes names, for reading by whatever follows them.
    shape: RwLock<()>,
    /// What shows where this tree has no entry.
    lower: Option<Lower>,
}

/// Device numbers of layers that are not the host's start here, above those that hosts give to real ones.
const FIRST_DEVICE: u64 = 1 << 32;

static NEXT_DEVICE: AtomicU64 = AtomicU64::new(FIRST_DEVICE);

/// A device number for a layer that is not the host's: no other layer of the process has it.
pub fn next_device() -> u64 {
    NEXT_DEVICE.fetch_add(1, Ordering::Relaxed)
}

/// What `statfs` gives as the type of memory (`TMPFS_MAGIC`) and of overlays (`OVERLAYFS_SUPER_MAGIC`).
pub(crate) const TMPFS_MAGIC: u64 = 0x0102_1994;
const OVERLAY_MAGIC: u64 = 0x794c_7630;

/// The first number of an inode where there is no layer below.
const FIRST_INO: u64 = 1;

fn usage(quota: Quota, first_ino: u64) -> Arc<Usage> {
    let usage = Usage::new(quota, next_device(), first_ino);
    usage.count_root();
    Arc::new(usage)
}

impl Memory {
    /// An empty directory that may grow to `quota`.
    pub fn new(quota: Quota) -> Self {
        let usage = usage(quota, FIRST_INO);
        let root = Inode::root(&usage);
        Self { root, usage, shape: RwLock::new(()), lower: None }
    }

    /// What `layer` shows, and up to `quota` of changes to it.
    pub(crate) fn over(layer: Arc<dyn Layer>, quota: Quota) -> Result<Self, Errno> {
        let usage = usage(quota, lower::FIRST_OWN_INO);
        let (lower, root) = Lower::new(layer, &usage)?;
        Ok(Self { root, usage, shape: RwLock::new(()), lower: Some(lower) })
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

    /// What a name of a directory stands for. Call with the layer's lock held.
    fn child(&self, directory: &Arc<Inode>, name: &[u8]) -> Result<Option<Arc<Inode>>, Errno> {
        let names = directory.names()?;
        match names.get(name) {
            Some(Entry::Inode(inode)) => Ok(Some(Arc::clone(inode))),
            Some(Entry::Whiteout) => Ok(None),
            None => match self.lower.as_ref().zip(names.lower()) {
                Some((lower, path)) => lower.child(path, name, &self.usage),
                None => Ok(None),
            },
        }
    }

    fn find(&self, path: LayerPath<'_>, last: FinalLink) -> LayerResult<Found> {
        resolve::resolve(self, path, last, Purpose::Find)
    }

    /// What is there, to be looked at.
    fn existing(&self, path: LayerPath<'_>, last: FinalLink) -> LayerResult<Arc<Inode>> {
        let _shape = self.reading();
        self.look(path, last)
    }

    /// As [`Memory::existing`]. Call with the layer's lock held.
    fn look(&self, path: LayerPath<'_>, last: FinalLink) -> LayerResult<Arc<Inode>> {
        match self.shortcut(path, last) {
            Some(found) => Ok(found?),
            None => Ok(self.find(path, last)?.node.ok_or(Errno::ENOENT)?),
        }
    }

    /// What is there, to be changed.
    fn changeable(&self, path: LayerPath<'_>, last: FinalLink) -> LayerResult<Arc<Inode>> {
        if self.lower.is_none() {
            let _shape = self.reading();
            let node = self.look(path, last)?;
            self.note_place(&node, path, last);
            return Ok(node);
        }
        let _shape = self.writing();
        Ok(self.own(&self.find(path, last)?)?)
    }

    fn create(&self, path: LayerPath<'_>, body: impl FnOnce() -> Body, mode: u32) -> LayerResult<()> {
        let _shape = self.writing();
        let found = self.find(path, FinalLink::Keep)?;
        if found.node.is_some() {
            return Err(Errno::EEXIST.into());
        }
        self.add(&found, body(), mode)?;
        Ok(())
    }

    /// The inode to be opened, and whether it was made now, as `options` may say.
    fn inode_to_open(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<(Arc<Inode>, bool)> {
        let exclusive = options.create == NewFile::Always;
        let last = if exclusive { FinalLink::Keep } else { options.final_link };
        let writes = options.write || options.append || options.truncate;
        if options.create == NewFile::Never && (self.lower.is_none() || !writes) {
            let _shape = self.reading();
            let node = self.look(path, last)?;
            may_open(&node, options)?;
            let node = shared(&node);
            self.note_place(&node, path, last);
            return Ok((node, false));
        }
        if options.create != NewFile::Never && options.directory {
            return Err(Errno::EINVAL.into());
        }
        let purpose = if options.create == NewFile::Never { Purpose::Find } else { Purpose::Create };
        let _shape = self.writing();
        let found = resolve::resolve(self, path, last, purpose)?;
        match &found.node {
            Some(_) if exclusive => Err(Errno::EEXIST.into()),
            Some(node) => {
                may_open(node, options)?;
                let node = if writes { self.own(&found)? } else { shared(node) };
                self.note_place(&node, path, last);
                Ok((node, false))
            }
            None if options.create == NewFile::Never => Err(Errno::ENOENT.into()),
            None => Ok((self.add(&found, Body::file(), options.mode)?, true)),
        }
    }
}

/// Whether what was found can be opened so.
fn may_open(node: &Inode, options: &OpenOptions) -> Result<(), Errno> {
    match node.kind() {
        FileKind::Symlink => Err(if options.directory { Errno::ENOTDIR } else { Errno::ELOOP }),
        FileKind::Directory => {
            if options.mutates() {
                Err(Errno::EISDIR)
            } else {
                Ok(())
            }
        }
        _ if options.directory => Err(Errno::ENOTDIR),
        FileKind::Regular => Ok(()),
        _ => Err(Errno::EACCES),
    }
}

/// The inode that all who have a lower file open have in common. Call with the layer's lock held since it was found.
fn shared(node: &Arc<Inode>) -> Arc<Inode> {
    node.origin().map_or_else(|| Arc::clone(node), |origin| origin.remember(node))
}

impl Layer for Memory {
    fn metadata(&self, path: LayerPath<'_>, last: FinalLink) -> LayerResult<Metadata> {
        Ok(self.existing(path, last)?.metadata())
    }

    fn open(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<Box<dyn File>> {
        let (node, is_new) = self.inode_to_open(path, options)?;
        // In a new one there is nothing to cut or to copy.
        if options.truncate && !is_new {
            node.resize(0)?;
        } else if options.write || options.append {
            node.copy_up(false)?;
        }
        Ok(Box::new(MemoryFile::new(node, *options)?))
    }

    fn read_dir(&self, path: LayerPath<'_>) -> LayerResult<Listing> {
        let _shape = self.reading();
        Ok(self.list(&*self.look(path, FinalLink::Follow)?)?)
    }

    fn read_link(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        match self.existing(path, FinalLink::Keep)?.link_target() {
            Some(target) => Ok(target.to_vec()),
            None => Err(Errno::EINVAL.into()),
        }
    }

    fn canonicalize(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>> {
        let _shape = self.reading();
        if let Some(found) = self.shortcut(path, FinalLink::Follow) {
            return Ok(found.map(|_| path.as_bytes().to_vec())?);
        }
        let found = self.find(path, FinalLink::Follow)?;
        if found.node.is_none() {
            return Err(Errno::ENOENT.into());
        }
        Ok(found.canonical_path())
    }

    fn access(&self, path: LayerPath<'_>, mode: AccessMode) -> LayerResult<()> {
        let node = self.existing(path, FinalLink::Follow)?;
        let executable = node.is_dir() || node.attributes().mode & 0o111 != 0;
        if mode.execute && !executable {
            return Err(Errno::EACCES.into());
        }
        match node.lower_file() {
            // The host may not let this process read it; writing is copying it up first.
            Some(file) if mode.read || mode.write => {
                Ok(settled(file.layer.access(file.path()?, AccessMode { read: true, ..AccessMode::default() }))?)
            }
            _ => Ok(()),
        }
    }

    fn read(&self, path: LayerPath<'_>, limit: u64) -> LayerResult<Vec<u8>> {
        let node = self.existing(path, FinalLink::Follow)?;
        match &*node.content()? {
            Content::Own(bytes) if bytes.len() as u64 > limit => Err(Errno::EFBIG.into()),
            Content::Own(bytes) => Ok(bytes.clone()),
            Content::Lower(file) => Ok(settled(file.layer.read(file.path()?, limit))?),
        }
    }

    fn create_dir(&self, path: LayerPath<'_>, mode: u32) -> LayerResult<()> {
        self.create(path, Body::directory, mode)
    }

    fn symlink(&self, target: &[u8], path: LayerPath<'_>) -> LayerResult<()> {
        check_link_text(target)?;
        self.create(path, || Body::Link(target.into()), 0o777)
    }

    fn remove_dir(&self, path: LayerPath<'_>) -> LayerResult<()> {
        let _shape = self.writing();
        let found = self.find(path, FinalLink::Keep)?;
        let node = found.node.as_ref().ok_or(Errno::ENOENT)?;
        if found.name.is_none() {
            return Err(Errno::EBUSY.into());
        }
        if !self.is_empty(node)? {
            return Err(Errno::ENOTEMPTY.into());
        }
        Ok(self.take_name(&found)?)
    }

    fn remove_file(&self, path: LayerPath<'_>) -> LayerResult<()> {
        let _shape = self.writing();
        let found = self.find(path, FinalLink::Keep)?;
        if found.node.as_ref().ok_or(Errno::ENOENT)?.is_dir() {
            return Err(Errno::EISDIR.into());
        }
        Ok(self.take_name(&found)?)
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
        if !self.may_rename(&source, &target)? {
            return Ok(());
        }
        self.settle_way(&source)?;
        // Looked up again: the way to it may be the one that was just settled.
        let target = if self.lower.is_some() { self.find(to, FinalLink::Keep)? } else { target };
        self.settle_way(&target)?;
        Ok(self.move_name(&source, &target)?)
    }

    fn hard_link(&self, from: LayerPath<'_>, to: LayerPath<'_>) -> LayerResult<()> {
        let _shape = self.writing();
        let source = self.find(from, FinalLink::Keep)?;
        let node = source.node.as_ref().ok_or(Errno::ENOENT)?;
        let target = self.find(to, FinalLink::Keep)?;
        if target.node.is_some() {
            return Err(Errno::EEXIST.into());
        }
        if node.is_dir() {
            return Err(Errno::EPERM.into());
        }
        let node = self.own(&source)?;
        let target = if self.lower.is_some() { self.find(to, FinalLink::Keep)? } else { target };
        self.give_name(&target, &node)?;
        node.touch_changed();
        Ok(())
    }

    fn set_times(&self, path: LayerPath<'_>, last: FinalLink, accessed: Time, modified: Time) -> LayerResult<()> {
        self.changeable(path, last)?.set_times(accessed, modified);
        Ok(())
    }

    fn set_permissions(&self, path: LayerPath<'_>, mode: u32) -> LayerResult<()> {
        self.changeable(path, FinalLink::Follow)?.set_permissions(mode);
        Ok(())
    }

    fn metadata_plain(&self, path: LayerPath<'_>) -> LayerResult<Metadata> {
        {
            let _shape = self.reading();
            if let Some(found) = self.shortcut(path, FinalLink::Keep) {
                return Ok(found?.metadata());
            }
        }
        refuse_links(self, path)?;
        self.metadata(path, FinalLink::Keep)
    }

    fn set_owner(&self, path: LayerPath<'_>, last: FinalLink, owner: Owner) -> LayerResult<()> {
        self.changeable(path, last)?.set_owner(owner);
        Ok(())
    }

    fn statistics(&self, path: LayerPath<'_>) -> LayerResult<Statistics> {
        self.existing(path, FinalLink::Follow)?;
        let kind = if self.lower.is_some() { OVERLAY_MAGIC } else { TMPFS_MAGIC };
        Ok(self.usage.statistics(kind))
    }

    fn watch(&self, path: LayerPath<'_>, sink: &Arc<dyn EventSink>) -> LayerResult<Box<dyn Watch>> {
        self.watched(path, sink)
    }
}
