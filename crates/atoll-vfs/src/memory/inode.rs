//! Files, directories and links in memory, and what they cost.

use super::Quota;
use crate::Errno;
use crate::layer::{FileKind, Metadata, Time};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Reported as the preferred block for I/O and used to count allocated units.
const BLOCK_BYTES: u32 = 4096;

/// A growing file's buffer is enlarged by at least this fraction of its size, so that appending stays linear while the
/// memory really held stays near what the quota counts.
const GROWTH_DIVISOR: usize = 8;

/// Permission bits that are stored.
const PERMISSION_MASK: u32 = 0o777;

/// What a layer holds, shared by all its inodes: each gives back its part when it goes.
#[derive(Debug)]
pub(super) struct Usage {
    limit: Quota,
    device: u64,
    bytes: AtomicU64,
    inodes: AtomicU64,
    next_ino: AtomicU64,
}

impl Usage {
    pub(super) fn new(limit: Quota, device: u64) -> Self {
        let zero = AtomicU64::default;
        Self { limit, device, bytes: zero(), inodes: zero(), next_ino: AtomicU64::new(1) }
    }

    pub(super) fn used(&self) -> Quota {
        Quota { bytes: self.bytes.load(Ordering::Relaxed), inodes: self.inodes.load(Ordering::Relaxed) }
    }

    fn take(counter: &AtomicU64, limit: u64, amount: u64) -> Result<(), Errno> {
        let add = |used: u64| used.checked_add(amount).filter(|sum| *sum <= limit);
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).map(drop).map_err(|_| Errno::ENOSPC)
    }

    fn take_bytes(&self, amount: u64) -> Result<(), Errno> {
        Self::take(&self.bytes, self.limit.bytes, amount)
    }

    fn take_inode(&self) -> Result<(), Errno> {
        Self::take(&self.inodes, self.limit.inodes, 1)
    }

    fn give_bytes(&self, amount: u64) {
        self.bytes.fetch_sub(amount, Ordering::Relaxed);
    }

    fn give_inode(&self) {
        self.inodes.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) type Names = BTreeMap<Box<[u8]>, Arc<Inode>>;

/// What an inode is.
#[derive(Debug)]
pub(super) enum Body {
    File(RwLock<Vec<u8>>),
    /// Changed only while the layer's own lock is held for writing.
    Directory(RwLock<Names>),
    Link(Box<[u8]>),
}

impl Body {
    pub(super) fn file() -> Self {
        Self::File(RwLock::default())
    }

    pub(super) fn directory() -> Self {
        Self::Directory(RwLock::default())
    }
}

#[derive(Debug)]
struct Attributes {
    mode: u32,
    /// Names of a file or link. Directories count theirs when asked.
    names: u32,
    accessed: Time,
    modified: Time,
    changed: Time,
    born: Time,
}

/// A file, directory or link. Lives as long as a name or an open file refers to it.
#[derive(Debug)]
pub(super) struct Inode {
    ino: u64,
    body: Body,
    attributes: Mutex<Attributes>,
    usage: Arc<Usage>,
}

/// Steps in which files' times move, nanoseconds: a guest that touches a file and asks for its times has a clock, which
/// is to be no finer than the others that it can read.
const TIME_STEP_NANOSECONDS: u32 = 100_000;

fn now() -> Time {
    let (seconds, nanoseconds) = atoll_sys::clock::real_time();
    Time { seconds, nanoseconds: nanoseconds - nanoseconds % TIME_STEP_NANOSECONDS }
}

impl Inode {
    /// The root directory, which the quota gives for free.
    pub(super) fn root(usage: &Arc<Usage>) -> Arc<Self> {
        usage.inodes.fetch_add(1, Ordering::Relaxed);
        Self::made(usage, Body::directory(), 0o755)
    }

    pub(super) fn new(usage: &Arc<Usage>, body: Body, mode: u32) -> Result<Arc<Self>, Errno> {
        usage.take_inode()?;
        if let Body::Link(target) = &body
            && let Err(errno) = usage.take_bytes(target.len() as u64)
        {
            usage.give_inode();
            return Err(errno);
        }
        Ok(Self::made(usage, body, mode))
    }

    fn made(usage: &Arc<Usage>, body: Body, mode: u32) -> Arc<Self> {
        let now = now();
        let attributes = Attributes {
            mode: mode & PERMISSION_MASK,
            names: 0,
            accessed: now,
            modified: now,
            changed: now,
            born: now,
        };
        let ino = usage.next_ino.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { ino, body, attributes: Mutex::new(attributes), usage: Arc::clone(usage) })
    }

    pub(super) fn kind(&self) -> FileKind {
        match self.body {
            Body::File(_) => FileKind::Regular,
            Body::Directory(_) => FileKind::Directory,
            Body::Link(_) => FileKind::Symlink,
        }
    }

    pub(super) fn link_target(&self) -> Option<&[u8]> {
        if let Body::Link(target) = &self.body { Some(target) } else { None }
    }

    /// The names of a directory. Call with the layer's lock held.
    pub(super) fn names(&self) -> Result<RwLockReadGuard<'_, Names>, Errno> {
        match &self.body {
            Body::Directory(names) => Ok(names.read().unwrap_or_else(PoisonError::into_inner)),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// The names of a directory, to change them. Call with the layer's lock held for writing.
    pub(super) fn names_mut(&self) -> Result<RwLockWriteGuard<'_, Names>, Errno> {
        match &self.body {
            Body::Directory(names) => Ok(names.write().unwrap_or_else(PoisonError::into_inner)),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub(super) fn content(&self) -> Result<RwLockReadGuard<'_, Vec<u8>>, Errno> {
        match &self.body {
            Body::File(content) => Ok(content.read().unwrap_or_else(PoisonError::into_inner)),
            _ => Err(Errno::EISDIR),
        }
    }

    fn content_mut(&self) -> Result<RwLockWriteGuard<'_, Vec<u8>>, Errno> {
        match &self.body {
            Body::File(content) => Ok(content.write().unwrap_or_else(PoisonError::into_inner)),
            _ => Err(Errno::EISDIR),
        }
    }

    fn attributes(&self) -> MutexGuard<'_, Attributes> {
        self.attributes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes at `offset`, or at the end where there is none.
    pub(super) fn write(&self, data: &[u8], offset: Option<u64>) -> Result<usize, Errno> {
        let mut content = self.content_mut()?;
        if data.is_empty() {
            return Ok(0);
        }
        let start = offset.map_or(Ok(content.len()), usize::try_from).map_err(|_| Errno::EFBIG)?;
        let end = start.checked_add(data.len()).ok_or(Errno::EFBIG)?;
        if end > content.len() {
            self.set_length(&mut content, end)?;
        }
        content[start..end].copy_from_slice(data);
        drop(content);
        self.touch_modified();
        Ok(data.len())
    }

    /// Cuts the file or extends it with zeros.
    pub(super) fn resize(&self, length: u64) -> Result<(), Errno> {
        let mut content = self.content_mut()?;
        self.set_length(&mut content, usize::try_from(length).map_err(|_| Errno::EFBIG)?)?;
        drop(content);
        self.touch_modified();
        Ok(())
    }

    fn set_length(&self, content: &mut Vec<u8>, length: usize) -> Result<(), Errno> {
        let old = content.len();
        if length > old {
            let more = length - old;
            self.usage.take_bytes(more as u64)?;
            if length > content.capacity() {
                let grown = more.max(old / GROWTH_DIVISOR);
                let reserved = content.try_reserve_exact(grown).or_else(|_| content.try_reserve_exact(more));
                if reserved.is_err() {
                    self.usage.give_bytes(more as u64);
                    return Err(Errno::ENOSPC);
                }
            }
            content.resize(length, 0);
        } else {
            content.truncate(length);
            content.shrink_to_fit();
            self.usage.give_bytes((old - length) as u64);
        }
        Ok(())
    }

    pub(super) fn metadata(&self) -> Metadata {
        let (size, names) = match &self.body {
            Body::File(content) => (content.read().unwrap_or_else(PoisonError::into_inner).len() as u64, None),
            Body::Link(target) => (target.len() as u64, None),
            Body::Directory(names) => {
                let names = names.read().unwrap_or_else(PoisonError::into_inner);
                let folders = names.values().filter(|inode| inode.kind() == FileKind::Directory).count();
                (u64::from(BLOCK_BYTES), Some(2 + folders as u32))
            }
        };
        let attributes = self.attributes();
        Metadata {
            dev: self.usage.device,
            ino: self.ino,
            mode: self.kind().mode_bits() | attributes.mode,
            nlink: names.unwrap_or(attributes.names),
            uid: 0,
            gid: 0,
            rdev: 0,
            size,
            block_size: BLOCK_BYTES,
            blocks: size.div_ceil(u64::from(BLOCK_BYTES)) * u64::from(BLOCK_BYTES / 512),
            accessed: attributes.accessed,
            modified: attributes.modified,
            changed: attributes.changed,
            born: attributes.born,
        }
    }

    /// Pays for a further name, which costs as much as an inode; the first one comes with it.
    pub(super) fn add_name(&self) -> Result<(), Errno> {
        self.usage.take_inode()?;
        self.touch_changed();
        Ok(())
    }

    /// A directory has got this name for the inode.
    pub(super) fn named(&self) {
        self.attributes().names += 1;
    }

    /// A directory has lost a name for the inode.
    pub(super) fn unnamed(&self) {
        let mut attributes = self.attributes();
        attributes.names -= 1;
        let remaining = attributes.names;
        drop(attributes);
        if remaining > 0 {
            self.usage.give_inode();
        }
        self.touch_changed();
    }

    /// A directory has lost a name for the inode, and another is about to get one.
    pub(super) fn moved(&self) {
        self.attributes().names -= 1;
    }

    pub(super) fn set_times(&self, accessed: Time, modified: Time) {
        let mut attributes = self.attributes();
        (attributes.accessed, attributes.modified, attributes.changed) = (accessed, modified, now());
    }

    pub(super) fn set_permissions(&self, mode: u32) {
        let mut attributes = self.attributes();
        (attributes.mode, attributes.changed) = (mode & PERMISSION_MASK, now());
    }

    pub(super) fn touch_changed(&self) {
        self.attributes().changed = now();
    }

    pub(super) fn touch_modified(&self) {
        let now = now();
        let mut attributes = self.attributes();
        (attributes.modified, attributes.changed) = (now, now);
    }

    /// Empties a directory that nobody refers to any more.
    fn take_children(&mut self) -> Vec<Arc<Inode>> {
        match &mut self.body {
            Body::Directory(names) => {
                let names = names.get_mut().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(names).into_values().collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        self.usage.give_inode();
        match &mut self.body {
            Body::File(content) => {
                self.usage.give_bytes(content.get_mut().unwrap_or_else(PoisonError::into_inner).len() as u64);
            }
            Body::Link(target) => self.usage.give_bytes(target.len() as u64),
            Body::Directory(_) => {}
        }
        // A guest can nest directories as deep as its quota allows, by renaming trees into each other; dropping them
        // by recursion would overflow the stack.
        let mut orphans = self.take_children();
        while let Some(orphan) = orphans.pop() {
            if let Some(mut inode) = Arc::into_inner(orphan) {
                orphans.append(&mut inode.take_children());
            }
        }
    }
}
