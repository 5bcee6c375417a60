//! Brings packages into the store: download ∥ hash ∥ inflate ∥ write, and nothing is published before it is verified.
//!
//! A small tarball (most are) is downloaded whole, hashed, and only then unpacked; so are a few larger ones at a time. One
//! that is larger still is unpacked while it arrives, through a bounded queue, into an entry of the store that nobody sees
//! until the hash is right. Unpacking runs on threads of its own, a few at once: it is bound by processors and disk, the
//! download by the network. What has to wait for the network has other threads than what need not. The entry has the form
//! that the caller needs, so every byte is written once.
//!
//! Cancel: dropping the future ends the downloads; an unpacking that is under way runs to its end or to the end of its
//! input, and removes or publishes its directory itself.

mod unpackers;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    io::{self, BufRead, Read},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::available_parallelism,
    time::Instant,
};

use bytes::{Buf, Bytes};
use futures_util::{StreamExt, stream};
use tokio::sync::{Semaphore, mpsc};

use crate::{
    extract::{ExtractError, extract, extract_whole},
    inflate::Inflater,
    integrity::{Hasher, Integrity},
    lock::{LockEntry, Platform},
    manifest::Manifest,
    packument::{Packument, VersionDocument},
    registry::{Attempt, RegistryClient, RegistryError, TARBALL_BYTES_MAX},
    report::{Progress, Reporter, Stage},
    resolve::{PackumentSource, SourceError},
    store::{Entry, Form, Staged, Store, StoreError},
    threads::blocking,
    waits::Unit,
};
use unpackers::Unpackers;

/// Downloads under way at once.
pub const DOWNLOADS_MAX: usize = 32;
/// Tarballs up to this size are held in memory before they are unpacked: 2 MiB. With all downloads under way that is
/// 64 MiB.
const BUFFERED_BYTES_MAX: usize = 2 << 20;
/// So are a few up to this size: 16 MiB.
const LARGE_BYTES_MAX: usize = 16 << 20;
/// How many those are.
const LARGE_MAX: usize = 2;
/// What is in memory is decompressed in memory up to this size, 16 MiB, which each thread that unpacks keeps; a large one
/// up to twice that.
const INFLATED_BYTES_MAX: u64 = 16 << 20;
/// Chunks on their way from the network to an unpacking. A chunk is what a socket read gives, at most 64 KiB or so.
const QUEUE_CHUNKS_MAX: usize = 32;
/// Bounds for the number of threads that unpack; between them it is the number of processors.
const UNPACKINGS: std::ops::RangeInclusive<usize> = 2..=8;
/// Results that such a thread tells at once, at most; downloads under way are so many more, in effect.
const TOLD_MAX: usize = 8;
/// Threads that unpack what is still arriving.
const STREAMS_MAX: usize = 4;
/// How much nicer the others are. What is arriving is the largest of all, and one thread has to do it: when it comes last,
/// the other processors have nothing to do.
const NICENESS: i32 = 5;
/// Guesses of the resolver waiting for a download; more are forgotten, and fetched when they are certain.
const GUESSES_MAX: usize = 4096;

/// A package to bring in.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Name and version, for errors.
    pub package: String,
    /// Where its tarball is.
    pub url: String,
    /// What it has to hash to.
    pub integrity: Integrity,
}

/// Why a package could not be brought in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The registry did not give it.
    #[error("{package} could not be downloaded: {source}")]
    Registry {
        /// Name and version.
        package: String,
        /// Why.
        source: RegistryError,
    },
    /// What came is not what was promised. Nothing of it was stored.
    #[error("{package} is not what was expected: expected {expected}, found {found} ({url})")]
    Integrity {
        /// Name and version.
        package: String,
        /// Where it came from.
        url: String,
        /// The promised integrity.
        expected: String,
        /// The integrity of what came.
        found: String,
    },
    /// The promised bytes came, and they are no package that can be unpacked.
    #[error("{package} cannot be unpacked: {source}")]
    Archive {
        /// Name and version.
        package: String,
        /// Why.
        source: ExtractError,
    },
    /// The store could not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no thread to unpack on.
    #[error("{package} cannot be unpacked: no thread can be started: {source}")]
    Thread {
        /// Name and version.
        package: String,
        /// Why not.
        source: io::Error,
    },
}

impl FetchError {
    /// What to do about it, as one sentence.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Registry { source, .. } => source.hint(),
            Self::Integrity { .. } => Some(
                "Either the download was damaged on the way, or the registry serves something else than when the \
                 lockfile was written; nothing was stored.",
            ),
            Self::Archive { .. } => Some("The package itself is at fault; another version may be better."),
            Self::Store(_) => Some("Check the free space and the permissions of the store's directory."),
            Self::Thread { .. } => Some("Check the limits for processes and memory of this user and container."),
        }
    }
}

/// Fetches packages, for one installation.
pub struct Fetcher<'a> {
    client: &'a RegistryClient,
    store: &'a Store,
    reporter: &'a dyn Reporter,
    form: Form,
    /// For what is in memory.
    unpackers: Unpackers,
    /// For what is still arriving.
    streams: Unpackers,
    /// For what is large and nevertheless in memory.
    large: Semaphore,
    /// When the first download began.
    started: OnceLock<Instant>,
    /// Downloads begun.
    begun: AtomicUsize,
    /// Packages that were downloaded, verified and stored.
    stored: AtomicUsize,
    /// Packages that the store had in the other form.
    converted: AtomicUsize,
    /// What was stored to link from, until it is [taken](Fetcher::take).
    entries: Mutex<HashMap<Integrity, Entry>>,
}

impl<'a> Fetcher<'a> {
    /// A fetcher from these registries into this store, of packages to link from ([`Form::Unpacked`]).
    pub fn new(client: &'a RegistryClient, store: &'a Store, reporter: &'a dyn Reporter) -> Self {
        let processors = available_parallelism().map_or(*UNPACKINGS.start(), usize::from);
        let unpackers = Unpackers::new(processors.clamp(*UNPACKINGS.start(), *UNPACKINGS.end()), TOLD_MAX, NICENESS);
        Self {
            client,
            store,
            reporter,
            form: Form::Unpacked,
            unpackers,
            streams: Unpackers::new(STREAMS_MAX, 1, 0),
            large: Semaphore::new(LARGE_MAX),
            started: OnceLock::new(),
            begun: AtomicUsize::new(0),
            stored: AtomicUsize::new(0),
            converted: AtomicUsize::new(0),
            entries: Mutex::default(),
        }
    }

    /// The same fetcher, for packages that are needed in this form. With [`Form::Packed`] an unpacked entry that the store
    /// has already is as good: a reader takes either.
    #[must_use]
    pub fn with_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// How many packages this one brought in.
    pub fn stored(&self) -> usize {
        self.stored.load(Ordering::Relaxed)
    }

    /// The package as it was stored by this one, once: whoever asks again gets it from the store.
    pub(crate) fn take(&self, integrity: &Integrity) -> Option<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(integrity)
    }

    fn keep(&self, integrity: &Integrity, entry: Option<Entry>) {
        if let Some(entry) = entry {
            self.entries.lock().unwrap_or_else(PoisonError::into_inner).insert(integrity.clone(), entry);
        }
    }

    /// Reports the end of fetching, if there was any.
    pub fn finish(&self) {
        if let Some(started) = self.started.get() {
            self.reporter.stage_finished(Stage::Fetch, started.elapsed());
        }
    }

    /// Where the tarball of a lockfile's entry is.
    pub(crate) fn url_of(&self, name: &str, version: &str, resolved: Option<&str>) -> String {
        self.client.tarball_url(name, version, resolved)
    }

    /// Fetches all of them, the same integrity once. Stops at the first that fails.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch_all(&self, wanted: Vec<Wanted>) -> Result<(), FetchError> {
        let mut seen = HashSet::new();
        let wanted: Vec<Wanted> = wanted.into_iter().filter(|one| seen.insert(one.integrity.clone())).collect();
        self.begin(wanted.len());
        let mut downloads = stream::iter(wanted).map(|one| self.fetch(one)).buffer_unordered(DOWNLOADS_MAX);
        while let Some(result) = downloads.next().await {
            result?;
        }
        Ok(())
    }

    /// Counts downloads before they happen.
    fn begin(&self, count: usize) {
        if count == 0 {
            return;
        }
        let total = self.begun.fetch_add(count, Ordering::Relaxed) + count;
        self.started.get_or_init(|| {
            self.reporter.stage_started(Stage::Fetch, total);
            Instant::now()
        });
    }

    /// Brings one in: from the store's pack, when an unpacked entry is wanted and there is one, or else by a download.
    async fn fetch(&self, wanted: Wanted) -> Result<(), FetchError> {
        if self.form == Form::Unpacked
            && self.store.may_have_pack(&wanted.integrity)
            && self.unpack_pack(&wanted).await?
        {
            self.converted.fetch_add(1, Ordering::Relaxed);
        } else {
            self.download(&wanted).await?;
            self.stored.fetch_add(1, Ordering::Relaxed);
        }
        let progress = Progress {
            done: self.stored.load(Ordering::Relaxed) + self.converted.load(Ordering::Relaxed),
            total: self.begun.load(Ordering::Relaxed),
            bytes: self.client.bytes_received(),
        };
        self.reporter.progressed(Stage::Fetch, progress);
        Ok(())
    }

    /// Whether there is an unpacked entry now.
    async fn unpack_pack(&self, wanted: &Wanted) -> Result<bool, FetchError> {
        let (store, integrity) = (self.store.clone(), wanted.integrity.clone());
        let waiting = self.client.waits().begin(format!("unpacking {} from its pack", wanted.package), Unit::None);
        let unpacked = self.unpackers.run(move |_| store.unpacked(&integrity)).await;
        drop(waiting);
        let unpacked = unpacked.map_err(|source| FetchError::Thread { package: wanted.package.clone(), source })??;
        let is_there = unpacked.is_some();
        self.keep(&wanted.integrity, unpacked.filter(|entry| entry.is_new));
        Ok(is_there)
    }

    async fn download(&self, wanted: &Wanted) -> Result<(), FetchError> {
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
        let promised = download.total.map_or(0, |total| usize::try_from(total).unwrap_or(usize::MAX));
        let is_large = (BUFFERED_BYTES_MAX..LARGE_BYTES_MAX).contains(&promised);
        // Held until it is unpacked. Until then the network waits, too.
        let large = if is_large { self.large.acquire().await.ok() } else { None };
        let buffered_max = if large.is_some() { LARGE_BYTES_MAX } else { BUFFERED_BYTES_MAX };
        let mut start = Vec::with_capacity(promised.min(buffered_max));
        while start.len() < buffered_max {
            let chunk = self.client.chunk(&mut download, TARBALL_BYTES_MAX).await.map_err(from_registry)?;
            let Some(chunk) = chunk else {
                let inflated_max = INFLATED_BYTES_MAX * if large.is_some() { 2 } else { 1 };
                return self.unpack_whole(wanted, Bytes::from(start), inflated_max).await;
            };
            start.extend_from_slice(&chunk);
        }
        drop(large);

        let (sender, receiver) = mpsc::channel(QUEUE_CHUNKS_MAX);
        let unpacking = self.unpack_arriving(wanted, ChunkReader::new(wanted, Bytes::from(start), receiver));
        let downloading = async move {
            while let Some(chunk) = self.client.chunk(&mut download, TARBALL_BYTES_MAX).await? {
                if sender.send(Some(chunk)).await.is_err() {
                    // The unpacking gave up; its error says why.
                    return Ok(());
                }
            }
            // A reader that is gone has an error of its own.
            let _ = sender.send(None).await;
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
    async fn unpack_arriving(&self, wanted: &Wanted, mut reader: ChunkReader) -> Result<(), Attempt<FetchError>> {
        let (store, form, package) = (self.store.clone(), self.form, wanted.clone());
        let work = move |_: &mut Inflater| {
            let mut staged = store.stage(form).map_err(|error| Attempt::Final(error.into()))?;
            let extracted = extract(&mut reader, &mut staged);
            if extracted.is_err() {
                // Wrong bytes explain a wrong archive: hash what is left.
                let _ = io::copy(&mut reader, &mut io::sink());
            }
            package.check(reader.hasher)?;
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
        let result = threads.run(work).await;
        drop(waiting);
        let no_thread = |source| FetchError::Thread { package: wanted.package.clone(), source };
        self.keep(&wanted.integrity, result.map_err(|error| Attempt::Final(no_thread(error)))??);
        Ok(())
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

/// Reads chunks as they come, and hashes them.
struct ChunkReader {
    current: Bytes,
    /// `Some(chunk)`, then `None` at the end. A queue that closes without `None` was cut off.
    queue: mpsc::Receiver<Option<Bytes>>,
    is_over: bool,
    hasher: Hasher,
}

impl ChunkReader {
    fn new(wanted: &Wanted, current: Bytes, queue: mpsc::Receiver<Option<Bytes>>) -> Self {
        Self { current, queue, is_over: false, hasher: wanted.integrity.hasher() }
    }
}

impl BufRead for ChunkReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() && !self.is_over {
            match self.queue.blocking_recv() {
                Some(Some(chunk)) => self.current = chunk,
                Some(None) => self.is_over = true,
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the download broke off")),
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, count: usize) {
        self.hasher.update(&self.current[..count]);
        self.current.advance(count);
    }
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let count = buffer.len().min(there.len());
        buffer[..count].copy_from_slice(&there[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// A source for the resolver that starts downloading what will very likely be needed.
pub struct Eager<'a> {
    client: &'a Arc<RegistryClient>,
    guesses: mpsc::Sender<Arc<VersionDocument>>,
    reporter: &'a dyn Reporter,
    asked: AtomicUsize,
    answered: AtomicUsize,
    /// Names that something wanted needs. The resolver also looks at what would be installed beside optional peers if
    /// they were there; that is not worth a download.
    needed: Mutex<HashSet<String>>,
}

/// The resolver's guesses, to be downloaded by [`Fetcher::follow`].
#[derive(Debug)]
pub struct Guesses(mpsc::Receiver<Arc<VersionDocument>>);

impl<'a> Eager<'a> {
    /// A source for this project, and the guesses that it passes on.
    pub fn new(client: &'a Arc<RegistryClient>, manifest: &Manifest, reporter: &'a dyn Reporter) -> (Self, Guesses) {
        let (sender, receiver) = mpsc::channel(GUESSES_MAX);
        let (asked, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let sections = [
            &manifest.dependencies,
            &manifest.dev_dependencies,
            &manifest.optional_dependencies,
            &manifest.peer_dependencies,
        ];
        let needed = Mutex::new(sections.into_iter().flatten().map(real_name).collect());
        (Self { client, guesses: sender, reporter, asked, answered, needed }, Guesses(receiver))
    }
}

impl fmt::Debug for Fetcher<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Fetcher")
            .field("client", &self.client)
            .field("stored", &self.stored)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Eager<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Eager").field("client", &self.client).finish_non_exhaustive()
    }
}

impl PackumentSource for Eager<'_> {
    async fn packument(&self, name: &str) -> Result<Arc<Packument>, SourceError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let result = self.client.packument(name).await;
        let progress = Progress {
            done: self.answered.fetch_add(1, Ordering::Relaxed) + 1,
            total: self.asked.load(Ordering::Relaxed),
            bytes: self.client.bytes_received(),
        };
        self.reporter.progressed(Stage::Resolve, progress);
        result
    }

    fn likely(&self, document: &Arc<VersionDocument>) {
        let mut needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        if !needed.contains(&document.name) {
            return;
        }
        let is_mandatory = |name: &String| !document.peer_dependencies_meta.get(name).is_some_and(|meta| meta.optional);
        let peers = document.peer_dependencies.iter().filter(|(name, _)| is_mandatory(name));
        needed.extend(document.dependencies.iter().chain(&document.optional_dependencies).chain(peers).map(real_name));
        // A full queue only means that this one is fetched later.
        let _ = self.guesses.try_send(Arc::clone(document));
    }
}

/// The name that a dependency is published under: an alias names it in its specification.
fn real_name((name, wanted): (&String, &String)) -> String {
    let Some(target) = wanted.strip_prefix("npm:") else { return name.clone() };
    let version_at = target.char_indices().skip(1).find(|(_, character)| *character == '@');
    target[..version_at.map_or(target.len(), |(at, _)| at)].to_owned()
}

impl Fetcher<'_> {
    /// Downloads guesses until their source is dropped. Failures are left for the real fetch to find again and report.
    pub async fn follow(&self, guesses: Guesses, platform: &Platform) {
        let mut seen = HashSet::new();
        let documents = stream::unfold(guesses.0, async |mut receiver| {
            let document = receiver.recv().await?;
            Some((document, receiver))
        });
        documents
            .filter_map(|document| std::future::ready(self.guess(&document, platform, &mut seen)))
            .for_each_concurrent(DOWNLOADS_MAX, async |wanted| {
                if !self.is_stored(&wanted.integrity).await {
                    self.begin(1);
                    if self.fetch(wanted).await.is_err() {
                        self.begun.fetch_sub(1, Ordering::Relaxed);
                    }
                }
            })
            .await;
    }

    fn guess(&self, document: &VersionDocument, platform: &Platform, seen: &mut HashSet<Integrity>) -> Option<Wanted> {
        let lists = LockEntry {
            os: document.os.clone(),
            cpu: document.cpu.clone(),
            libc: document.libc.clone(),
            ..LockEntry::default()
        };
        let integrity = Integrity::parse(&document.dist.integrity()?).ok()?;
        if !platform.fits(&lists) || !seen.insert(integrity.clone()) {
            return None;
        }
        let url = self.client.tarball_url(&document.name, &document.version, Some(&document.dist.tarball));
        Some(Wanted { package: format!("{}@{}", document.name, document.version), url, integrity })
    }

    async fn is_stored(&self, integrity: &Integrity) -> bool {
        if !self.store.contains(integrity) {
            return false;
        }
        let (store, form, integrity) = (self.store.clone(), self.form, integrity.clone());
        let look = move || match form {
            Form::Packed => store.package(&integrity).is_some(),
            Form::Unpacked => store.get(&integrity).is_some(),
        };
        blocking(look).await
    }
}
