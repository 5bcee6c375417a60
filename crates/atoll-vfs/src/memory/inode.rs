//! Files, directories and links in memory.

use super::content::{Content, LowerFile};
use super::lower::Origin;
use super::names::Names;
use super::usage::{Charge, Usage};
use super::watch::{Place, Watchers};
use crate::Errno;
use crate::layer::{FileKind, Metadata, Owner, Time};
use crate::watch::EventKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Reported as the preferred block for I/O and used to count allocated units.
pub(super) const BLOCK_BYTES: u32 = 4096;

/// Permission bits that are stored.
const PERMISSION_MASK: u32 = 0o777;

/// Links that directories are said to have where the filesystem below does not count them.
const UNCOUNTED: u32 = 1;

/// What an inode is.
#[derive(Debug)]
pub(super) enum Body {
    File(RwLock<Content>),
    /// Changed only while the layer's own lock is held for writing.
    Directory(RwLock<Names>),
    Link(Box<[u8]>),
    /// A device, FIFO or socket of a layer below: it has a name, and is never opened.
    Special {
        kind: FileKind,
        rdev: u64,
    },
}

impl Body {
    pub(super) fn file() -> Self {
        Self::File(RwLock::new(Content::Own(Vec::new())))
    }

    pub(super) fn directory() -> Self {
        Self::Directory(RwLock::default())
    }
}

#[derive(Debug)]
pub(super) struct Attributes {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Names of a file or link; of a directory, what `nlink` says: two and the number of its subdirectories.
    pub(super) links: u32,
    pub(super) accessed: Time,
    pub(super) modified: Time,
    pub(super) changed: Time,
    pub(super) born: Time,
    /// Whether this layer is the authority for the inode. Of what was only looked up in a layer below, that one is.
    pub(super) own: bool,
    /// Open files.
    pub(super) open: u32,
    /// The name that it was last given or reached by; kept when the name is removed, as events of open files still tell it.
    pub(super) place: Option<Place>,
}

/// A file, directory or link. Lives as long as a name or an open file refers to it.
#[derive(Debug)]
pub(super) struct Inode {
    ino: u64,
    body: Body,
    attributes: Mutex<Attributes>,
    usage: Arc<Usage>,
    /// Where in the layer below it comes from.
    origin: Option<Origin>,
    pub(super) watchers: Watchers,
}

/// Steps in which files' times move, nanoseconds: a guest that touches a file and asks for its times has a clock, which
/// is to be no finer than the others that it can read.
const TIME_STEP_NANOSECONDS: u32 = 100_000;

fn now() -> Time {
    let (seconds, nanoseconds) = atoll_sys::clock::real_time();
    Time { seconds, nanoseconds: nanoseconds - nanoseconds % TIME_STEP_NANOSECONDS }
}

impl Inode {
    /// A new inode without a name. The text of a link is paid for here, all else as it comes.
    pub(super) fn new(usage: &Arc<Usage>, body: Body, mode: u32) -> Result<Arc<Self>, Errno> {
        if let Body::Link(target) = &body {
            usage.change(Charge::bytes(target.len()))?;
        }
        Ok(Self::made(usage, body, mode))
    }

    fn made(usage: &Arc<Usage>, body: Body, mode: u32) -> Arc<Self> {
        let now = now();
        let attributes = Attributes {
            mode: mode & PERMISSION_MASK,
            uid: 0,
            gid: 0,
            links: if matches!(body, Body::Directory(_)) { 2 } else { 0 },
            accessed: now,
            modified: now,
            changed: now,
            born: now,
            own: true,
            open: 0,
            place: None,
        };
        let (ino, attributes) = (usage.next_ino(), Mutex::new(attributes));
        let (usage, watchers) = (Arc::clone(usage), Watchers::default());
        Arc::new(Self { ino, body, attributes, usage, origin: None, watchers })
    }

    /// An empty root directory, which the quota gives for free.
    pub(super) fn root(usage: &Arc<Usage>) -> Arc<Self> {
        Self::made(usage, Body::directory(), 0o755)
    }

    /// What was looked up in a layer below. It costs nothing until [`Inode::make_own`].
    pub(super) fn of_lower(usage: &Arc<Usage>, ino: u64, body: Body, metadata: &Metadata, origin: Origin) -> Arc<Self> {
        let attributes = Attributes {
            mode: metadata.mode & PERMISSION_MASK,
            uid: metadata.uid,
            gid: metadata.gid,
            links: metadata.nlink,
            accessed: metadata.accessed,
            modified: metadata.modified,
            changed: metadata.changed,
            born: metadata.born,
            own: false,
            open: 0,
            place: None,
        };
        let (attributes, usage) = (Mutex::new(attributes), Arc::clone(usage));
        Arc::new(Self { ino, body, attributes, usage, origin: Some(origin), watchers: Watchers::default() })
    }

    /// Takes over what the layer below says now, as long as it is the authority; but not the number of links, of which it
    /// does not know what was removed here.
    pub(super) fn refresh(&self, metadata: &Metadata) {
        let mut attributes = self.attributes();
        if attributes.own {
            return;
        }
        attributes.mode = metadata.mode & PERMISSION_MASK;
        (attributes.uid, attributes.gid) = (metadata.uid, metadata.gid);
        (attributes.accessed, attributes.modified) = (metadata.accessed, metadata.modified);
        (attributes.changed, attributes.born) = (metadata.changed, metadata.born);
        drop(attributes);
        if let Body::File(content) = &self.body
            && let Content::Lower(file) = &mut *content.write().unwrap_or_else(PoisonError::into_inner)
        {
            file.size = metadata.size;
        }
    }

    pub(super) fn body(&self) -> &Body {
        &self.body
    }

    pub(super) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// A file was opened.
    pub(super) fn opened(&self) {
        self.attributes().open += 1;
    }

    /// An open file was closed.
    pub(super) fn closed(&self) {
        {
            let mut attributes = self.attributes();
            attributes.open = attributes.open.saturating_sub(1);
        }
        self.end_if_unused();
    }

    /// Tells whoever watches it, if it has lost its last name and nobody has it open.
    pub(super) fn end_if_unused(&self) {
        let is_gone = {
            let attributes = self.attributes();
            attributes.open == 0 && attributes.links == 0
        };
        if is_gone {
            self.gone();
        }
    }

    pub(super) fn kind(&self) -> FileKind {
        match self.body {
            Body::File(_) => FileKind::Regular,
            Body::Directory(_) => FileKind::Directory,
            Body::Link(_) => FileKind::Symlink,
            Body::Special { kind, .. } => kind,
        }
    }

    pub(super) fn is_dir(&self) -> bool {
        matches!(self.body, Body::Directory(_))
    }

    /// Whether both are one, or come from one lower file.
    pub(super) fn is_same(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let of_one_origin = || self.origin.as_ref().zip(other.origin.as_ref()).is_some_and(|(one, two)| one.is(two));
        Arc::ptr_eq(self, other) || of_one_origin()
    }

    pub(super) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
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

    pub(super) fn content(&self) -> Result<RwLockReadGuard<'_, Content>, Errno> {
        match &self.body {
            Body::File(content) => Ok(content.read().unwrap_or_else(PoisonError::into_inner)),
            Body::Special { .. } => Err(Errno::EACCES),
            _ => Err(Errno::EISDIR),
        }
    }

    fn content_mut(&self) -> Result<RwLockWriteGuard<'_, Content>, Errno> {
        match &self.body {
            Body::File(content) => Ok(content.write().unwrap_or_else(PoisonError::into_inner)),
            Body::Special { .. } => Err(Errno::EACCES),
            _ => Err(Errno::EISDIR),
        }
    }

    /// The file of the layer below whose bytes are still this one's.
    pub(super) fn lower_file(&self) -> Option<LowerFile> {
        match &*self.content().ok()? {
            Content::Lower(file) => Some(file.clone()),
            Content::Own(_) => None,
        }
    }

    /// Whether its bytes are those of the layer below, or may be: this never waits.
    pub(super) fn lower_content(&self) -> bool {
        match &self.body {
            Body::File(content) => content.try_read().map_or(true, |content| matches!(&*content, Content::Lower(_))),
            _ => false,
        }
    }

    pub(super) fn attributes(&self) -> MutexGuard<'_, Attributes> {
        self.attributes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes at `offset`, or at the end where there is none.
    pub(super) fn write(&self, data: &[u8], offset: Option<u64>) -> Result<usize, Errno> {
        let mut content = self.content_mut()?;
        if data.is_empty() {
            return Ok(0);
        }
        content.write(data, offset, &self.usage)?;
        drop(content);
        self.touch_modified();
        self.notify_all(EventKind::Modified);
        Ok(data.len())
    }

    /// Cuts the file or extends it with zeros.
    pub(super) fn resize(&self, length: u64) -> Result<(), Errno> {
        self.content_mut()?.resize(length, &self.usage)?;
        self.touch_modified();
        self.notify_all(EventKind::Modified);
        Ok(())
    }

    /// See [`Content::copy_up`].
    pub(super) fn copy_up(&self, emptied: bool) -> Result<(), Errno> {
        self.content_mut()?.copy_up(emptied, &self.usage)
    }

    pub(super) fn metadata(&self) -> Metadata {
        let (size, rdev) = match &self.body {
            Body::File(content) => (content.read().unwrap_or_else(PoisonError::into_inner).len(), 0),
            Body::Link(target) => (target.len() as u64, 0),
            Body::Directory(_) => (u64::from(BLOCK_BYTES), 0),
            Body::Special { rdev, .. } => (0, *rdev),
        };
        let attributes = self.attributes();
        Metadata {
            dev: self.usage.device,
            ino: self.ino,
            mode: self.kind().mode_bits() | attributes.mode,
            nlink: attributes.links,
            uid: attributes.uid,
            gid: attributes.gid,
            rdev,
            size,
            block_size: BLOCK_BYTES,
            blocks: size.div_ceil(u64::from(BLOCK_BYTES)) * u64::from(BLOCK_BYTES / 512),
            accessed: attributes.accessed,
            modified: attributes.modified,
            changed: attributes.changed,
            born: attributes.born,
        }
    }

    pub(super) fn is_own(&self) -> bool {
        self.attributes().own
    }

    /// What [`Inode::make_own`] is to cost.
    pub(super) fn own_charge(&self) -> Charge {
        match &self.body {
            Body::Link(target) if !self.is_own() => Charge::bytes(target.len()),
            _ => Charge::default(),
        }
    }

    /// This layer is the authority from now on. [`Inode::own_charge`] has been paid.
    pub(super) fn make_own(&self) {
        self.attributes().own = true;
    }

    /// To change attributes through an open file, which knows no name: an inode that nothing but the file keeps is kept
    /// from now on, at the price of an entry.
    pub(super) fn make_own_unnamed(self: &Arc<Self>) -> Result<(), Errno> {
        if !self.is_own()
            && let Some(origin) = &self.origin
        {
            origin.pin(self, &self.usage)?;
            self.make_own();
            if self.attributes().links == 0 {
                // It has no name to be kept for, or has lost it since.
                origin.unpin(&self.usage);
            }
        }
        Ok(())
    }

    /// A directory has got this name for the inode.
    pub(super) fn named(&self) {
        if !self.is_dir() {
            self.attributes().links += 1;
        }
    }

    /// A directory has lost a name for the inode.
    pub(super) fn unnamed(&self) {
        let mut attributes = self.attributes();
        // A removed directory has no links at all, not even its own.
        attributes.links = if self.is_dir() { 0 } else { attributes.links.saturating_sub(1) };
        attributes.changed = now();
    }

    /// This directory has got a subdirectory.
    pub(super) fn gained_directory(&self) {
        let mut attributes = self.attributes();
        if attributes.links != UNCOUNTED {
            attributes.links += 1;
        }
    }

    /// This directory has lost a subdirectory.
    pub(super) fn lost_directory(&self) {
        let mut attributes = self.attributes();
        if attributes.links > 2 {
            attributes.links -= 1;
        }
    }

    pub(super) fn set_times(&self, accessed: Time, modified: Time) {
        let mut attributes = self.attributes();
        (attributes.accessed, attributes.modified, attributes.changed) = (accessed, modified, now());
        drop(attributes);
        self.notify_all(EventKind::AttributesChanged);
    }

    pub(super) fn set_permissions(&self, mode: u32) {
        let mut attributes = self.attributes();
        (attributes.mode, attributes.changed) = (mode & PERMISSION_MASK, now());
        drop(attributes);
        self.notify_all(EventKind::AttributesChanged);
    }

    pub(super) fn set_owner(&self, owner: Owner) {
        let mut attributes = self.attributes();
        attributes.uid = owner.uid.unwrap_or(attributes.uid);
        attributes.gid = owner.gid.unwrap_or(attributes.gid);
        attributes.changed = now();
        drop(attributes);
        if owner != Owner::default() {
            self.notify_all(EventKind::AttributesChanged);
        }
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
            Body::Directory(names) => names.get_mut().unwrap_or_else(PoisonError::into_inner).clear(&self.usage),
            _ => Vec::new(),
        }
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        let own = self.is_own();
        match &mut self.body {
            Body::File(content) => {
                if let Content::Own(bytes) = content.get_mut().unwrap_or_else(PoisonError::into_inner) {
                    self.usage.give(Charge::bytes(bytes.len()));
                }
            }
            Body::Link(target) if own => self.usage.give(Charge::bytes(target.len())),
            _ => {}
        }
        if let Some(origin) = &self.origin {
            origin.forget();
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
