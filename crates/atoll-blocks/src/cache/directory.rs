//! The directory: who owns it, what is in it, and what has to go.

use super::object::CachedObject;
use super::presence::PresenceMap;
use crate::frames::{Header, Identity};
use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

/// Extensions of an object's files.
const DATA: &str = "data";
const MAP: &str = "map";
/// The unit in which the system says what a file takes.
const BLOCK_BYTES: u64 = 512;
/// Bytes stored while the cache's clock moves by one: what was read within it counts as equally recent.
const EPOCH_BYTES: u64 = 16 << 20;
/// Room that is made when the disk is full before the limits are reached.
const FULL_DISK_BYTES: u64 = 16 << 20;

/// How much a cache may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Content, in bytes.
    pub bytes_max: u64,
    /// What is to stay free on the disk for others, in bytes.
    pub free_bytes_min: u64,
}

/// Why a cache, or an object of it, can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Another process has it.
    #[error("the cache {} is in use by another process; give each its own directory", .0.display())]
    InUse(PathBuf),
    /// The disk, or the directory's permissions.
    #[error("the cache file {}: {source}", path.display())]
    File {
        /// Of the file, or of the directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A directory with the content of objects, owned by this process; see the [module](super).
#[derive(Debug, Clone)]
pub struct Cache {
    shared: Arc<Shared>,
}

/// What all objects of a cache have in common.
#[derive(Debug)]
pub(super) struct Shared {
    directory: PathBuf,
    limits: Limits,
    /// Content of all objects, open or not.
    bytes: AtomicU64,
    /// The cache's clock: it moves with what is stored.
    epoch: AtomicU32,
    stored_bytes: AtomicU64,
    objects: Mutex<Objects>,
    /// An object was closed.
    changed: Condvar,
    /// Locked for as long as the cache or one of its objects lives.
    lock_file: File,
}

#[derive(Debug, Default)]
struct Objects {
    open: BTreeMap<Identity, Weak<CachedObject>>,
    /// Objects that nobody has open, with the bytes they take, the one that was closed first at the front.
    closed: VecDeque<(Identity, u64)>,
}

impl Cache {
    /// Takes a directory, which is made if it is not there.
    pub fn open(directory: &Path, limits: Limits) -> Result<Self, CacheError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CacheError::File { path, source }
        };
        fs::create_dir_all(directory).map_err(failed(directory))?;
        let path = directory.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(failed(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(CacheError::InUse(directory.to_owned())),
            Err(TryLockError::Error(source)) => return Err(CacheError::File { path, source }),
        }
        let closed = list(directory).map_err(failed(directory))?;
        let shared = Shared {
            directory: directory.to_owned(),
            limits,
            bytes: AtomicU64::new(closed.iter().map(|(_, bytes)| bytes).sum()),
            epoch: AtomicU32::new(0),
            stored_bytes: AtomicU64::new(0),
            objects: Mutex::new(Objects { open: BTreeMap::new(), closed }),
            changed: Condvar::new(),
            lock_file: lock,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// An object's content, as far as it is there. All who open it get the same.
    pub fn object(&self, header: &Header) -> Result<Arc<CachedObject>, CacheError> {
        let identity = header.identity();
        let mut objects = self.shared.lock();
        while let Some(open) = objects.open.get(&identity) {
            if let Some(object) = open.upgrade() {
                return Ok(object);
            }
            // It is being closed: its files are its own until it is.
            objects = self.shared.changed.wait(objects).unwrap_or_else(PoisonError::into_inner);
        }
        let object = Arc::new(self.shared.open_files(identity, header)?);
        let known = objects.closed.iter().position(|(closed, _)| *closed == identity);
        let before = known.and_then(|place| objects.closed.remove(place)).map_or(0, |(_, bytes)| bytes);
        // What its files took includes what had not been written down.
        self.shared.bytes.fetch_add(object.present_bytes(), Ordering::Relaxed);
        self.shared.shrank(before);
        objects.open.insert(identity, Arc::downgrade(&object));
        Ok(object)
    }

    /// Bytes of content that are there.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn open_files(self: &Arc<Self>, identity: Identity, header: &Header) -> Result<CachedObject, CacheError> {
        let open = |extension| {
            let path = self.path_of(identity, extension);
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            file.map_err(|source| CacheError::File { path, source })
        };
        let (data, map) = (open(DATA)?, open(MAP)?);
        let presence = prepare(&data, &map, identity, header);
        let failed = |source| CacheError::File { path: self.path_of(identity, DATA), source };
        Ok(CachedObject::new(Arc::clone(self), identity, header.clone(), data, map, presence.map_err(failed)?))
    }

    fn path_of(&self, identity: Identity, extension: &str) -> PathBuf {
        self.directory.join(format!("{identity}.{extension}"))
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Content was stored.
    pub(super) fn grew(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let stored = self.stored_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.epoch.store((stored / EPOCH_BYTES) as u32, Ordering::Relaxed);
    }

    /// Content was taken away.
    pub(super) fn shrank(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// An object was closed by all who had it open, and has written down what it has.
    pub(super) fn closed(&self, identity: Identity, bytes: u64) {
        let mut objects = self.lock();
        objects.open.remove(&identity);
        objects.closed.push_back((identity, bytes));
        drop(objects);
        self.changed.notify_all();
    }

    /// Whether there is room for so many bytes, after evicting what it takes.
    pub(super) fn make_room(&self, bytes: u64) -> bool {
        if bytes > self.limits.bytes_max {
            return false;
        }
        while !self.has_room(bytes) {
            if self.evict_one().is_none() {
                return false;
            }
        }
        true
    }

    fn has_room(&self, bytes: u64) -> bool {
        if self.bytes.load(Ordering::Relaxed) + bytes > self.limits.bytes_max {
            return false;
        }
        // A filesystem that does not say what is free is asked by writing.
        atoll_sys::fs::filesystem(&self.lock_file).map_or(true, |filesystem| {
            let free = filesystem.available_blocks.saturating_mul(filesystem.block_size);
            free >= bytes.saturating_add(self.limits.free_bytes_min)
        })
    }

    /// Makes room after the disk did not take a write.
    pub(super) fn evict_for_full_disk(&self) {
        let mut freed = 0;
        while freed < FULL_DISK_BYTES {
            let Some(bytes) = self.evict_one() else { return };
            freed += bytes;
        }
    }

    /// Evicts an object that nobody has open, or else what has not been used for longest; how many bytes that were.
    /// Nothing, if there is nothing, or it can't be done.
    fn evict_one(&self) -> Option<u64> {
        let mut objects = self.lock();
        if let Some((identity, bytes)) = objects.closed.pop_front() {
            // Under the lock: nobody opens the files meanwhile.
            for extension in [MAP, DATA] {
                // If one stays, its blocks are counted when the cache is opened the next time.
                let _ = fs::remove_file(self.path_of(identity, extension));
            }
            drop(objects);
            self.shrank(bytes);
            return Some(bytes);
        }
        // The last holder of an object waits for the lock when it closes it, and that may be us.
        let open: Vec<Arc<CachedObject>> = objects.open.values().filter_map(Weak::upgrade).collect();
        drop(objects);
        let pieces = open.iter().filter_map(|object| object.oldest_piece().map(|(at, frames)| (at, object, frames)));
        let (_, object, frames) = pieces.min_by_key(|(at, ..)| *at)?;
        object.forget(frames).ok()
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        // Nothing that can panic happens while it is held in the middle of a change.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a write failed since there is no room, for this file or for this user.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// What is there of an object whose files may be new, old, damaged, or of something else.
fn prepare(data: &File, map: &File, identity: Identity, header: &Header) -> io::Result<PresenceMap> {
    let found = data.metadata()?;
    let empty = PresenceMap::new(header.frames());
    let map_bytes = u64::from(empty.pages()) * PresenceMap::PAGE_BYTES as u64;
    if found.len() != header.content_bytes() {
        map.set_len(0)?;
        data.set_len(0)?;
        data.set_len(header.content_bytes())?;
        return Ok(empty);
    }
    let mut bytes = Vec::new();
    map.take(map_bytes).read_to_end(&mut bytes)?;
    let presence = PresenceMap::decode(&bytes, header.frames(), identity);
    let frames = presence.count(0..header.frames());
    if found.blocks() * BLOCK_BYTES > u64::from(frames) * header.frame_bytes() {
        // A process that was killed had stored more than it had written down.
        for absent in presence.absent_runs() {
            let begin = u64::from(absent.start) * header.frame_bytes();
            let end = u64::from(absent.end) * header.frame_bytes();
            atoll_sys::fs::punch_hole(data, begin, end - begin)?;
        }
    }
    Ok(presence)
}

/// The objects of a directory with the bytes that they take, the one that was changed first at the front.
fn list(directory: &Path) -> io::Result<VecDeque<(Identity, u64)>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(DATA)?.strip_suffix('.'));
        // What else is there is not ours.
        if let Some(identity) = name.and_then(Identity::parse) {
            let metadata = entry.metadata()?;
            found.insert((metadata.modified()?, identity), metadata.blocks() * BLOCK_BYTES);
        }
    }
    Ok(found.into_iter().map(|((_, identity), bytes)| (identity, bytes)).collect())
}
