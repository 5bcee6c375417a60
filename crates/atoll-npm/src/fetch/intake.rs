//! How one package gets into the store: asked for, received, checked, unpacked, published and handed on by the threads of the
//! client and those that unpack, so that whoever waits for it is woken once.

use std::{
    collections::HashMap,
    io, mem,
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
};

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::{
    FetchError, Wanted,
    arriving::{Arriving, arriving},
    unpackers::Unpackers,
};
use crate::{
    extract::{ExtractError, extract, extract_whole},
    inflate::Inflater,
    integrity::{Hasher, Integrity},
    registry::{Attempt, RegistryClient, TARBALL_BYTES_MAX},
    store::{Entry, Form, Staged, Store},
    waits::Unit,
};

/// Tarballs up to this size are held in memory before they are unpacked: 2 MiB.
const BUFFERED_BYTES_MAX: usize = 2 << 20;
/// What all of them together may have: 64 MiB.
const ALL_BUFFERED_BYTES_MAX: usize = 64 << 20;
/// So are a few up to this size: 16 MiB.
const LARGE_BYTES_MAX: usize = 16 << 20;
/// How many those are.
const LARGE_MAX: usize = 2;
/// What is in memory is decompressed in memory up to this size, 16 MiB, which each thread that unpacks keeps; a large one
/// up to twice that.
const INFLATED_BYTES_MAX: u64 = 16 << 20;
/// Bounds for the number of threads that unpack; between them it is the number of processors.
const UNPACKINGS: std::ops::RangeInclusive<usize> = 2..=8;
/// Results that such a thread tells at once, at most; downloads under way are so many more, in effect.
const TOLD_MAX: usize = 8;
/// Threads that unpack what is still arriving.
const STREAMS_MAX: usize = 4;
/// How much nicer the others are. What is arriving is the largest of all, and one thread has to do it: when it comes last,
/// the other processors have nothing to do.
const NICENESS: i32 = 5;

/// What all packages of an installation share on their way into the store.
pub(super) struct Intake {
    pub(super) client: Arc<RegistryClient>,
    pub(super) store: Store,
    pub(super) form: Form,
    /// For what is in memory.
    pub(super) unpackers: Unpackers,
    /// For what is still arriving.
    streams: Unpackers,
    /// Bytes that may be held in memory before they are unpacked.
    buffered: Semaphore,
    /// For what is large and nevertheless in memory.
    large: Semaphore,
    pub(super) arrivals: Arc<Arrivals>,
}

/// Does something with a package that has come into the store a moment ago, on the thread that brought it.
pub(crate) type Receiver = Arc<dyn Fn(&Integrity, &Entry) + Send + Sync>;

/// What was stored to link from.
#[derive(Default)]
pub(super) struct Arrivals(Mutex<Arrived>);

enum Arrived {
    /// Nobody has asked for it yet.
    Kept(HashMap<Integrity, Entry>),
    /// Is told of each.
    HandedTo(Receiver),
}

impl Default for Arrived {
    fn default() -> Self {
        Self::Kept(HashMap::new())
    }
}

impl Arrivals {
    /// From now on `receiver` is told of what arrives; what it was not told of is the result. Without one, things are kept.
    pub(super) fn hand_to(&self, receiver: Option<Receiver>) -> HashMap<Integrity, Entry> {
        let next = receiver.map_or_else(Arrived::default, Arrived::HandedTo);
        match mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), next) {
            Arrived::Kept(entries) => entries,
            Arrived::HandedTo(_) => HashMap::new(),
        }
    }

    /// A package is there now. `None` is one that another process stored.
    pub(super) fn arrive(&self, integrity: &Integrity, entry: Option<Entry>) {
        let Some(entry) = entry else { return };
        let mut arrived = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = match &mut *arrived {
            Arrived::Kept(entries) => {
                entries.insert(integrity.clone(), entry);
                return;
            }
            Arrived::HandedTo(receiver) => Arc::clone(receiver),
        };
        drop(arrived);
        receiver(integrity, &entry);
    }
}

impl Intake {
    pub(super) fn new(client: &Arc<RegistryClient>, store: &Store, form: Form) -> Self {
        let processors = available_parallelism().map_or(*UNPACKINGS.start(), usize::from);
        let unpackers = Unpackers::new(processors.clamp(*UNPACKINGS.start(), *UNPACKINGS.end()), TOLD_MAX, NICENESS);
        Self {
            client: Arc::clone(client),
            store: store.clone(),
            form,
            unpackers,
            streams: Unpackers::new(STREAMS_MAX, 1, 0),
            buffered: Semaphore::new(ALL_BUFFERED_BYTES_MAX),
            large: Semaphore::new(LARGE_MAX),
            arrivals: Arc::default(),
        }
    }

    /// Waits for what is being unpacked; nothing else is, from now on, and nobody is told of it.
    pub(super) fn end(&self) {
        self.arrivals.hand_to(None);
        self.unpackers.end();
        self.streams.end();
    }

    /// Downloads a package into the store.
    pub(super) async fn download(self: &Arc<Self>, wanted: Wanted) -> Result<(), FetchError> {
        let this = Arc::clone(self);
        self.client.spawn(async move { this.download_here(&wanted).await }).await
    }

    async fn download_here(&self, wanted: &Wanted) -> Result<(), FetchError> {
        let result = self.client.with_retries(|| self.attempt(wanted)).await;
        result.map_err(|(error, attempts)| match error {
            FetchError::Registry { package, source } => {
                FetchError::Registry { package, source: source.after(attempts) }
            }
            other => other,
        })
    }

    async fn attempt(&self, wanted: &Wanted) -> Result<(), Attempt<FetchError>> {
        let from_registry =
            |failed: Attempt| failed.map(|source| FetchError::Registry { package: wanted.package.clone(), source });
        let mut download = self.client.tarball_once(&wanted.url, &wanted.package).await.map_err(from_registry)?;
        let promised = download.total.map(|total| usize::try_from(total).unwrap_or(usize::MAX));
        // Held until it is unpacked, as is what follows. Until then the network waits, too.
        let room = promised.map_or(BUFFERED_BYTES_MAX, |bytes| bytes.min(BUFFERED_BYTES_MAX));
        let _room = self.buffered.acquire_many(u32::try_from(room).unwrap_or(u32::MAX)).await.ok();
        let promised = promised.unwrap_or(0);
        let is_large = (BUFFERED_BYTES_MAX..LARGE_BYTES_MAX).contains(&promised);
        let large = if is_large { self.large.acquire().await.ok() } else { None };
        let buffered_max = if large.is_some() { LARGE_BYTES_MAX } else { BUFFERED_BYTES_MAX };
        let mut start = Vec::with_capacity(promised.min(buffered_max));
        while start.len() < buffered_max {
            let chunk = self.client.chunk(&mut download, TARBALL_BYTES_MAX).await.map_err(from_registry)?;
            let Some(chunk) = chunk else {
                drop(download);
                let inflated_max = INFLATED_BYTES_MAX * if large.is_some() { 2 } else { 1 };
                return self.unpack_whole(wanted, Bytes::from(start), inflated_max).await;
            };
            start.extend_from_slice(&chunk);
        }
        drop(large);

        let (sender, arriving) = arriving(Bytes::from(start), wanted.integrity.hasher());
        let unpacking = self.unpack_arriving(wanted, arriving);
        let downloading = async move {
            while let Some(chunk) = self.client.chunk(&mut download, TARBALL_BYTES_MAX).await? {
                if !sender.send(chunk).await {
                    // The unpacking gave up; its error says why.
                    return Ok(());
                }
            }
            sender.end();
            Ok(())
        };
        let (downloaded, unpacked) = tokio::join!(downloading, unpacking);
        // When the download broke off, the unpacking's error is only its echo.
        downloaded.map_err(from_registry)?;
        unpacked
    }

    /// Checks, unpacks, publishes: nothing is inflated before it is known to be right.
    async fn unpack_whole(
        &self,
        wanted: &Wanted,
        compressed: Bytes,
        inflated_max: u64,
    ) -> Result<(), Attempt<FetchError>> {
        let (store, form, package) = (self.store.clone(), self.form, wanted.clone());
        let work = move |inflater: &mut Inflater| {
            let mut hasher = package.integrity.hasher();
            hasher.update(&compressed);
            package.check(hasher)?;
            let mut staged = store.stage(form).map_err(|error| Attempt::Final(error.into()))?;
            let extracted = extract_whole(&compressed, inflater, inflated_max, &mut staged);
            inflater.shrink(INFLATED_BYTES_MAX);
            package.publish(extracted, staged, &store)
        };
        self.unpack(&self.unpackers, wanted, work).await
    }

    /// Unpacks, checks, publishes.
    async fn unpack_arriving(&self, wanted: &Wanted, mut arriving: Arriving) -> Result<(), Attempt<FetchError>> {
        let (store, form, package) = (self.store.clone(), self.form, wanted.clone());
        let work = move |_: &mut Inflater| {
            let mut staged = store.stage(form).map_err(|error| Attempt::Final(error.into()))?;
            let extracted = extract(&mut arriving, &mut staged);
            if extracted.is_err() {
                // Wrong bytes explain a wrong archive: hash what is left.
                let _ = io::copy(&mut arriving, &mut io::sink());
            }
            package.check(arriving.hasher)?;
            package.publish(extracted, staged, &store)
        };
        self.unpack(&self.streams, wanted, work).await
    }

    async fn unpack(
        &self,
        threads: &Unpackers,
        wanted: &Wanted,
        work: impl FnOnce(&mut Inflater) -> Result<Option<Entry>, Attempt<FetchError>> + Send + 'static,
    ) -> Result<(), Attempt<FetchError>> {
        let waiting = self.client.waits().begin(format!("unpacking {}", wanted.package), Unit::None);
        let (arrivals, integrity) = (Arc::clone(&self.arrivals), wanted.integrity.clone());
        let result = threads.run(move |inflater| work(inflater).map(|entry| arrivals.arrive(&integrity, entry))).await;
        drop(waiting);
        let no_thread = |source| FetchError::Thread { package: wanted.package.clone(), source };
        result.map_err(|error| Attempt::Final(no_thread(error)))?
    }
}

impl Wanted {
    /// Whether what came is what was promised.
    fn check(&self, hasher: Hasher) -> Result<(), Attempt<FetchError>> {
        self.integrity.check(hasher).map_err(|found| {
            let error = FetchError::Integrity {
                package: self.package.clone(),
                url: self.url.clone(),
                expected: self.integrity.to_string(),
                found,
            };
            Attempt::Again(error, None)
        })
    }

    /// Publishes what was extracted from the right bytes.
    fn publish(
        &self,
        extracted: Result<(), ExtractError>,
        staged: Staged,
        store: &Store,
    ) -> Result<Option<Entry>, Attempt<FetchError>> {
        let published = match extracted {
            Ok(()) => store.publish(staged, &self.integrity).map_err(FetchError::from),
            Err(ExtractError::Write { source, .. }) => Err(staged.write_error(source).into()),
            Err(source) => Err(FetchError::Archive { package: self.package.clone(), source }),
        };
        published.map_err(Attempt::Final)
    }
}
