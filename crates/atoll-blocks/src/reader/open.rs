//! A reader, and how an object is opened.

use super::config::ReaderConfig;
use super::driver::{Driver, ReaderStats, Tracked};
use super::error::OpenError;
use super::object::{Object, Opened};
use super::trace::Recorder;
use crate::cache::{Cache, CacheError};
use crate::frames::{FrameTable, Header, Identity};
use crate::schedule::Ending;
use crate::upstream::{Body, Remote};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

/// Reads objects of one upstream; see the [module](super).
#[derive(Debug)]
pub struct Reader {
    store: Arc<dyn ObjectStore>,
    cache: Cache,
    driver: Arc<Driver>,
    timer: AbortHandle,
    /// Who opens an object that somebody has open gets the same.
    open: Mutex<BTreeMap<Identity, Arc<Entry>>>,
}

/// Locked while the object is being opened.
type Entry = sync::Mutex<Weak<Object>>;

/// The beginning of an object.
struct Begun {
    remote: Remote,
    table: FrameTable,
    /// What came with the header and the table, from the object's first byte on.
    prefix: Bytes,
}

impl Reader {
    /// A reader of a store, whose requests are tasks of this runtime, which should have two threads or more. When the last
    /// holder of the reader and its objects is gone, what is under way is given up.
    ///
    /// Errors: there are no more descriptors.
    ///
    /// # Panics
    /// If the runtime has no I/O, or the configuration contradicts itself.
    pub fn new(
        runtime: Handle,
        store: Arc<dyn ObjectStore>,
        cache: Cache,
        config: ReaderConfig,
    ) -> io::Result<Arc<Self>> {
        let driver = Driver::new(runtime, config)?;
        let timer = driver.runtime.spawn(Arc::clone(&driver).run_timer()).abort_handle();
        Ok(Arc::new(Self { store, cache, driver, timer, open: Mutex::default() }))
    }

    /// Opens a framed object. Its header and its table are read, in one request if the table is not too long, and
    /// believed if they belong to `identity`. All who open the same object get the same.
    ///
    /// What fails is tried again where that may help, for as long as a read may take.
    pub async fn open(self: &Arc<Self>, location: Path, identity: Identity) -> Result<Arc<Object>, OpenError> {
        let mut entry = self.entry(identity).lock_owned().await;
        if let Some(object) = entry.upgrade() {
            return Ok(object);
        }
        let name: Arc<str> = format!("{}/{location}", self.store).into();
        let reader = Arc::clone(self);
        let object = Arc::clone(&name);
        // A task of its own: who leaves does not end it for others, who wait for the lock.
        let opening = self.driver.runtime.spawn(async move {
            let object = reader.open_anew(location, object, identity).await?;
            *entry = Arc::downgrade(&object);
            Ok(object)
        });
        opening.await.unwrap_or(Err(OpenError::Closed { object: name }))
    }

    /// Waits until what has come so far is in the cache, or was found to have no room there.
    pub async fn flush(&self) {
        self.driver.kept.empty().await;
    }

    /// Whether nothing is under way, and nothing will be unless somebody reads.
    pub fn is_idle(&self) -> bool {
        self.driver.is_idle()
    }

    /// What has been done so far.
    pub fn stats(&self) -> ReaderStats {
        self.driver.stats()
    }

    pub(super) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    fn entry(&self, identity: Identity) -> Arc<Entry> {
        // Nothing in here panics in the middle of a change.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, entry| {
            let is_unused = Arc::strong_count(entry) == 1;
            !(is_unused && entry.try_lock().is_ok_and(|object| object.strong_count() == 0))
        });
        Arc::clone(open.entry(identity).or_default())
    }

    async fn open_anew(
        self: Arc<Self>,
        location: Path,
        name: Arc<str>,
        identity: Identity,
    ) -> Result<Arc<Object>, OpenError> {
        let begun = self.begin_with_patience(&location, &name, identity).await?;
        let cache = self.cache.clone();
        let header = begun.table.header().clone();
        let cached = self.driver.runtime.spawn_blocking(move || -> Result<_, CacheError> {
            let cached = cache.object(&header)?;
            let present: Vec<_> = cached.presence().present_runs().collect();
            Ok((cached, present))
        });
        let Ok(cached) = cached.await else { return Err(OpenError::Closed { object: name }) };
        let (cached, present) = cached?;
        let layout = begun.table.layout(self.driver.config.chunk_bytes);
        let Begun { remote, table, prefix } = begun;
        let recorder = Recorder::new(layout.frames());
        let opened = Arc::new(Opened { name, remote, table, layout: layout.clone(), cached, recorder });
        let id = self.driver.tell(|state, _| {
            let id = state.scheduler.open(layout);
            for frames in present {
                state.scheduler.mark_ready(id, frames);
            }
            state.objects.insert(id, Tracked { opened: Arc::clone(&opened), held: BTreeMap::new() });
            id
        });
        let object = Object::new(Arc::clone(&self), Arc::clone(&opened), id);
        // Frames that came with the table need not come again.
        for frame in 0..opened.layout.frames() {
            let end = opened.layout.offset(frame + 1) as usize;
            if end > prefix.len() {
                break;
            }
            let stored = prefix.slice(opened.layout.offset(frame) as usize..end);
            let (Ok(content), false) =
                (opened.table.content(frame, stored), opened.cached.presence().contains(frame..frame + 1))
            else {
                continue;
            };
            let Some(room) = self.driver.kept.try_room(content.len()) else { break };
            self.driver.tell(|state, _| {
                state.stats.verified_frames += 1;
                state.hold(id, frame, content, Some(room), 0);
                state.scheduler.mark_ready(id, frame..frame + 1);
            });
        }
        Ok(Arc::new(object))
    }

    /// Reads the beginning of an object, as often as it takes.
    async fn begin_with_patience(
        &self,
        location: &Path,
        name: &Arc<str>,
        identity: Identity,
    ) -> Result<Begun, OpenError> {
        let config = &self.driver.config.schedule;
        let give_up_at = Instant::now() + config.read_timeout;
        for attempt in 1.. {
            let error = match self.begin(location, name, identity).await {
                Ok(begun) => return Ok(begun),
                Err(error) => error,
            };
            let ending = match &error {
                OpenError::Upstream(error) => Some(error.ending()),
                _ => None,
            };
            let wish = match (&error, ending) {
                (_, Some(Ending::Failed { retry_after })) => retry_after,
                (OpenError::TimedOut { .. }, _) => None,
                // It may have been damaged on its way.
                (OpenError::Header { .. } | OpenError::Table { .. }, _) if attempt < config.corrupt_attempts_max => {
                    None
                }
                _ => return Err(error),
            };
            let pause = self.driver.tell(|state, _| state.scheduler.pause(attempt));
            let pause = pause.max(wish.unwrap_or_default().min(config.retry_max));
            if Instant::now() + pause >= give_up_at {
                return Err(error);
            }
            sleep(pause).await;
        }
        unreachable!("attempts have no end")
    }

    async fn begin(&self, location: &Path, name: &Arc<str>, identity: Identity) -> Result<Begun, OpenError> {
        let config = &self.driver.config;
        let prefix_bytes = config.prefix_bytes.max(Header::BYTES as u64);
        let opening = Remote::open_body(Arc::clone(&self.store), location.clone(), prefix_bytes);
        let patience = config.schedule.first_byte_timeout;
        let began = Instant::now();
        let opened = timeout(patience, opening).await;
        let late = || OpenError::TimedOut { object: Arc::clone(name) };
        let (remote, body) = opened.map_err(|_| late())??;
        let first_byte = began.elapsed();
        let stall = config.schedule.stall_timeout;
        let mut prefix = BytesMut::new();
        collect(body, stall, &mut prefix, name).await?;
        let transfer = began.elapsed().saturating_sub(first_byte);
        self.driver.tell(|state, _| state.scheduler.measured(first_byte, prefix.len() as u64, transfer));
        let header = Header::believe(&prefix, identity);
        let header = header.map_err(|source| OpenError::Header { object: Arc::clone(name), source })?;
        if remote.size() != header.object_bytes() {
            let (object, expected, found) = (Arc::clone(name), header.object_bytes(), remote.size());
            return Err(OpenError::Size { object, expected, found });
        }
        let table_end = header.frames_begin();
        if (prefix.len() as u64) < table_end {
            let rest = timeout(patience, remote.get(prefix.len() as u64..table_end)).await;
            collect(rest.map_err(|_| late())??, stall, &mut prefix, name).await?;
        }
        let prefix = prefix.freeze();
        let table = FrameTable::believe(&header, &prefix[Header::BYTES..table_end as usize]);
        let table = table.map_err(|source| OpenError::Table { object: Arc::clone(name), source })?;
        Ok(Begun { remote, table, prefix })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.timer.abort();
        self.driver.end();
    }
}

/// Reads all of a body, which may take any time as long as it goes on.
async fn collect(mut body: Body, stall: Duration, into: &mut BytesMut, name: &Arc<str>) -> Result<(), OpenError> {
    loop {
        let next = timeout(stall, body.next()).await;
        let next = next.map_err(|_| OpenError::TimedOut { object: Arc::clone(name) })?;
        match next.transpose()? {
            Some(bytes) => into.extend_from_slice(&bytes),
            None => return Ok(()),
        }
    }
}
