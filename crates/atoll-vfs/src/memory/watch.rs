//! Watches of a tree in memory. Events are told by the very calls that change something, and so in order.
//!
//! A directory hears of what happens to its names, also of what is done through an open file: an inode knows the place that it
//! was last given or opened at. That is exact for all that has one name, and for hard links as long as they are not written
//! through files that were opened by different names at once.

use super::Memory;
use super::inode::{Body, Inode};
use super::names::Entry;
use super::shared;
use crate::layer::{FinalLink, LayerError, LayerResult};
use crate::watch::{Event, EventKind, EventSink, Watch};
use crate::{Errno, LayerPath};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError, Weak};

/// Numbers of watches within the process.
static NEXT_WATCH: AtomicU64 = AtomicU64::new(0);

/// A name in a directory.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) directory: Weak<Inode>,
    pub(super) name: Box<[u8]>,
}

/// Who is told what happens to an inode.
#[derive(Debug, Default)]
pub(super) struct Watchers(Mutex<Vec<Watcher>>);

#[derive(Debug)]
struct Watcher {
    number: u64,
    sink: Arc<dyn EventSink>,
    keeper: Weak<Keeper>,
}

/// Keeps a watched inode, until it is gone from the tree. What nobody but a watch refers to is a file of the layer below that
/// was only looked up: who looks it up again must find the same inode.
type Keeper = Mutex<Option<Arc<Inode>>>;

fn kept(keeper: &Keeper) -> Option<Arc<Inode>> {
    keeper.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[derive(Debug)]
struct MemoryWatch {
    number: u64,
    keeper: Arc<Keeper>,
    /// That of the layer below.
    _lower: Option<Box<dyn Watch>>,
}

impl Watch for MemoryWatch {}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        if let Some(inode) = kept(&self.keeper) {
            inode.unwatch(self.number);
        }
    }
}

impl Watchers {
    fn list(&self) -> std::sync::MutexGuard<'_, Vec<Watcher>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self, event: Event<'_>) {
        self.list().iter().for_each(|watcher| watcher.sink.notify(event));
    }
}

impl Inode {
    fn watch(self: &Arc<Self>, sink: &Arc<dyn EventSink>, lower: Option<Box<dyn Watch>>) -> MemoryWatch {
        let number = NEXT_WATCH.fetch_add(1, Ordering::Relaxed);
        let keeper = Arc::new(Mutex::new(Some(Arc::clone(self))));
        let watcher = Watcher { number, sink: Arc::clone(sink), keeper: Arc::downgrade(&keeper) };
        self.watchers.list().push(watcher);
        self.usage().watches(1);
        MemoryWatch { number, keeper, _lower: lower }
    }

    fn unwatch(&self, number: u64) {
        let removed = {
            let mut list = self.watchers.list();
            let index = list.iter().position(|watcher| watcher.number == number);
            index.map(|index| list.swap_remove(index))
        };
        if removed.is_some() {
            self.usage().watches(-1);
        }
    }

    /// Tells those who watch this inode itself.
    pub(super) fn notify(&self, kind: EventKind) {
        if self.usage().is_watched() {
            // Of a watched directory's own end and moves, Linux does not say that it is one.
            let is_directory = self.is_dir() && kind == EventKind::AttributesChanged;
            self.watchers.notify(Event { kind, is_directory, name: None });
        }
    }

    /// Tells those who watch this directory what has happened to one of its names.
    pub(super) fn notify_of(&self, kind: EventKind, name: &[u8], is_directory: bool) {
        if self.usage().is_watched() {
            self.watchers.notify(Event { kind, is_directory, name: Some(name) });
        }
    }

    /// Tells those who watch the directory that the inode is in, and those who watch the inode.
    pub(super) fn notify_all(&self, kind: EventKind) {
        if !self.usage().is_watched() {
            return;
        }
        let place = self.attributes().place.clone();
        if let Some((directory, name)) = place.and_then(|place| Some((place.directory.upgrade()?, place.name))) {
            directory.notify_of(kind, &name, self.is_dir());
        }
        self.notify(kind);
    }

    /// The inode has got this name, or was opened by it.
    pub(super) fn placed(&self, directory: &Arc<Self>, name: &[u8]) {
        self.attributes().place = Some(Place { directory: Arc::downgrade(directory), name: name.into() });
    }

    /// The inode has neither names nor open files any more.
    pub(super) fn gone(&self) {
        self.notify(EventKind::DeletedSelf);
        self.notify(EventKind::Ignored);
        let ended = std::mem::take(&mut *self.watchers.list());
        self.usage().watches(-(ended.len() as isize));
        // The caller has the inode: no keeper's is the last one.
        ended.iter().filter_map(|watcher| watcher.keeper.upgrade()).for_each(|keeper| drop(kept(&keeper)));
    }

    /// Where in the layer below the inode's names or bytes are, as long as they are there.
    fn lower_path(&self) -> Option<Box<[u8]>> {
        match self.body() {
            Body::Directory(names) => names.read().unwrap_or_else(PoisonError::into_inner).lower().map(Into::into),
            _ => self.lower_file().map(|file| file.path),
        }
    }
}

impl Memory {
    /// See [`Layer::watch`](crate::Layer::watch).
    pub(crate) fn watched(&self, path: LayerPath<'_>, sink: &Arc<dyn EventSink>) -> LayerResult<Box<dyn Watch>> {
        let _shape = self.reading();
        let inode = shared(&self.look(path, FinalLink::Follow)?);
        let lower = self.watch_below(&inode, sink)?;
        Ok(Box::new(inode.watch(sink, lower)))
    }

    fn watch_below(&self, inode: &Arc<Inode>, sink: &Arc<dyn EventSink>) -> Result<Option<Box<dyn Watch>>, Errno> {
        let Some((lower, path)) = self.lower.as_ref().zip(inode.lower_path()) else { return Ok(None) };
        let path = LayerPath::new(&path).ok_or(Errno::EIO)?;
        let sink: Arc<dyn EventSink> = Arc::new(FromBelow { inode: Arc::downgrade(inode), sink: Arc::clone(sink) });
        match lower.layer().watch(path, &sink) {
            Ok(watch) => Ok(Some(watch)),
            // What cannot be watched, or has gone meanwhile, tells nothing; what happens here is told all the same.
            Err(LayerError::Leaves | LayerError::Errno(Errno::ENOSYS | Errno::ENOENT | Errno::ENOTDIR)) => Ok(None),
            Err(LayerError::Errno(errno)) => Err(errno),
        }
    }

    /// Notes by which name a file was reached that has several, or of which only the layer below knows the name. Call with the
    /// layer's lock held.
    pub(super) fn note_place(&self, inode: &Inode, path: LayerPath<'_>, last: FinalLink) {
        if inode.usage().is_watched()
            && (!inode.is_own() || (!inode.is_dir() && inode.attributes().links > 1))
            && let Ok(found) = self.find(path, last)
            && let Ok(name) = found.named()
        {
            inode.placed(found.directory(), name);
        }
    }
}

/// Passes on what shows of the layer below.
#[derive(Debug)]
struct FromBelow {
    inode: Weak<Inode>,
    sink: Arc<dyn EventSink>,
}

impl FromBelow {
    fn shows(inode: &Inode, event: &Event<'_>) -> bool {
        let (Body::Directory(names), Some(name)) = (inode.body(), event.name) else {
            return match event.kind {
                EventKind::Overflow => true,
                EventKind::Modified => inode.lower_content(),
                _ => !inode.is_own(),
            };
        };
        // Whoever has the lock may wait for the layer below, and that one for us: no waiting here. Better one event too many.
        let names = match names.try_read() {
            Ok(names) => names,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return true,
        };
        match names.get(name) {
            None => names.lower().is_some(),
            Some(Entry::Whiteout) => false,
            Some(Entry::Inode(inode)) => event.kind == EventKind::Modified && inode.lower_content(),
        }
    }
}

impl EventSink for FromBelow {
    fn notify(&self, event: Event<'_>) {
        if let Some(inode) = self.inode.upgrade()
            && Self::shows(&inode, &event)
        {
            self.sink.notify(event);
        }
    }
}
