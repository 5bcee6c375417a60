//! Brings packages into the store: download ∥ hash ∥ inflate ∥ write, and nothing is published before it is verified.
//!
//! A small tarball (most are) is downloaded whole, hashed, and only then unpacked; so are a few larger ones at a time. One
//! that is larger still is unpacked while it arrives, through a bounded queue, into an entry of the store that nobody sees
//! until the hash is right. Unpacking runs on threads of its own, a few at once: it is bound by processors and disk, the
//! download by the network. What has to wait for the network has other threads than what need not. The entry has the form
//! that the caller needs, so every byte is written once. Who builds with packages hears of each from the thread that brought
//! it, and can go on there with what is still in the processor's cache.
//!
//! Cancel: dropping the future ends the downloads; an unpacking that is under way runs to its end or to the end of its
//! input, and removes or publishes its directory itself.

mod arriving;
mod intake;
mod unpackers;

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap, HashSet},
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use futures_util::{
    StreamExt,
    stream::{self, FuturesUnordered},
};
use tokio::sync::{Semaphore, mpsc};

use crate::{
    extract::ExtractError,
    integrity::Integrity,
    lock::{LockEntry, Platform},
    manifest::Manifest,
    packument::{Packument, VersionDocument},
    registry::{RegistryClient, RegistryError},
    report::{Progress, Reporter, Stage},
    resolve::{PackumentSource, SourceError},
    store::{Entry, Form, Store, StoreError},
    threads::blocking,
    waits::Unit,
};
use intake::Intake;
pub(crate) use intake::Receiver;

/// Packages on their way into the store at once.
pub const DOWNLOADS_MAX: usize = 64;
/// Of them, guesses of the resolver, which asks for documents at the same time.
const FOLLOWED_MAX: usize = 32;
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
    /// How many bytes it may unpack to. The larger one is more urgent: whatever comes last is unpacked by one thread, while the
    /// others have nothing to do.
    pub bytes: u64,
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
    intake: Arc<Intake>,
    reporter: &'a dyn Reporter,
    /// When the first download began.
    started: OnceLock<Instant>,
    /// Downloads begun.
    begun: AtomicUsize,
    /// Packages that were downloaded, verified and stored.
    stored: AtomicUsize,
    /// Packages that the store had in the other form.
    converted: AtomicUsize,
    guessed: Mutex<Guessed>,
    /// One for each download that may be under way.
    slots: Semaphore,
}

/// What came of the resolver's guesses.
#[derive(Debug, Default)]
struct Guessed {
    /// What they unpack to, in bytes, as far as their registries say.
    bytes: HashMap<Integrity, u64>,
    /// Those that are being fetched.
    begun: HashSet<Integrity>,
}

/// The downloads of guesses that go on after the resolution.
#[derive(Default)]
pub struct Following<'f>(Option<Pin<Box<dyn Future<Output = ()> + Send + 'f>>>);

impl Following<'_> {
    /// Whether there may be any.
    pub fn is_going_on(&self) -> bool {
        self.0.is_some()
    }

    /// Drives them to their end. Can be dropped and called again.
    pub async fn end(&mut self) {
        if let Some(following) = &mut self.0 {
            following.await;
            self.0 = None;
        }
    }
}

impl fmt::Debug for Following<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Following").field(&self.is_going_on()).finish()
    }
}

impl<'a> Fetcher<'a> {
    /// A fetcher from these registries into this store, of packages in the form in which they are needed. With
    /// [`Form::Packed`] an unpacked entry that the store has already is as good: a reader takes either.
    pub fn new(client: &Arc<RegistryClient>, store: &Store, form: Form, reporter: &'a dyn Reporter) -> Self {
        Self {
            intake: Arc::new(Intake::new(client, store, form)),
            reporter,
            started: OnceLock::new(),
            begun: AtomicUsize::new(0),
            stored: AtomicUsize::new(0),
            converted: AtomicUsize::new(0),
            guessed: Mutex::default(),
            slots: Semaphore::new(DOWNLOADS_MAX),
        }
    }

    /// How many packages this one brought in.
    pub fn stored(&self) -> usize {
        self.stored.load(Relaxed)
    }

    /// From now on `receiver` is told of what arrives to link from, on the thread that brought it; the result is what has
    /// arrived before. Without a receiver, things are kept for the next one.
    pub(crate) fn hand_to(&self, receiver: Option<Receiver>) -> HashMap<Integrity, Entry> {
        self.intake.arrivals.hand_to(receiver)
    }

    /// Reports the end of fetching, if there was any.
    pub fn finish(&self) {
        if let Some(started) = self.started.get() {
            self.reporter.stage_finished(Stage::Fetch, started.elapsed());
        }
    }

    /// Where the tarball of a lockfile's entry is.
    pub(crate) fn url_of(&self, name: &str, version: &str, resolved: Option<&str>) -> String {
        self.intake.client.tarball_url(name, version, resolved)
    }

    /// Fetches all of them, the same integrity once, large ones first, and brings downloads of guesses to their end meanwhile:
    /// what is among them is not fetched here, whatever becomes of it there. Stops at the first that fails.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch_all(&self, mut wanted: Vec<Wanted>, following: &mut Following<'_>) -> Result<(), FetchError> {
        {
            let guessed = self.guessed();
            let mut seen = guessed.begun.clone();
            wanted.retain(|one| seen.insert(one.integrity.clone()));
            for one in &mut wanted {
                one.bytes = guessed.bytes.get(&one.integrity).copied().unwrap_or(one.bytes);
            }
        }
        wanted.sort_by_key(|one| Reverse(one.bytes));
        self.begin(wanted.len());
        let mut downloads = stream::iter(wanted).map(|one| self.fetch(one)).buffer_unordered(DOWNLOADS_MAX);
        let fetching = async {
            while let Some(result) = downloads.next().await {
                result?;
            }
            Ok(())
        };
        let guesses = async {
            following.end().await;
            Ok(())
        };
        tokio::try_join!(fetching, guesses).map(|_| ())
    }

    fn guessed(&self) -> MutexGuard<'_, Guessed> {
        self.guessed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts downloads before they happen.
    fn begin(&self, count: usize) {
        if count == 0 {
            return;
        }
        let total = self.begun.fetch_add(count, Relaxed) + count;
        self.started.get_or_init(|| {
            self.reporter.stage_started(Stage::Fetch, total);
            Instant::now()
        });
    }

    /// Brings one in: from the store's pack, when an unpacked entry is wanted and there is one, or else by a download.
    async fn fetch(&self, wanted: Wanted) -> Result<(), FetchError> {
        // It is never closed.
        let _slot = self.slots.acquire().await.ok();
        if self.intake.form == Form::Unpacked
            && self.intake.store.may_have_pack(&wanted.integrity)
            && self.unpack_pack(&wanted).await?
        {
            self.converted.fetch_add(1, Relaxed);
        } else {
            self.intake.download(wanted).await?;
            self.stored.fetch_add(1, Relaxed);
        }
        let progress = Progress {
            done: self.stored.load(Relaxed) + self.converted.load(Relaxed),
            total: self.begun.load(Relaxed),
            bytes: self.intake.client.bytes_received(),
        };
        self.reporter.progressed(Stage::Fetch, progress);
        Ok(())
    }

    /// Whether there is an unpacked entry now.
    async fn unpack_pack(&self, wanted: &Wanted) -> Result<bool, FetchError> {
        let (store, integrity) = (self.intake.store.clone(), wanted.integrity.clone());
        let waits = self.intake.client.waits();
        let waiting = waits.begin(format!("unpacking {} from its pack", wanted.package), Unit::None);
        let arrivals = Arc::clone(&self.intake.arrivals);
        let unpack = move |_: &mut _| {
            let unpacked = store.unpacked(&integrity)?;
            let is_there = unpacked.is_some();
            arrivals.arrive(&integrity, unpacked.filter(|entry| entry.is_fresh));
            Ok(is_there)
        };
        let unpacked = self.intake.unpackers.run(unpack).await;
        drop(waiting);
        unpacked.map_err(|source| FetchError::Thread { package: wanted.package.clone(), source })?
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

/// How many bytes a package may unpack to, which lockfiles don't say, nor do all registries. Programs that were compiled for one
/// platform are large mostly, and what a project asks for by itself is larger than what that needs. What is large and comes
/// last keeps one processor busy and the others waiting, so it should come first.
pub(crate) fn expected_bytes(entry: &LockEntry, is_direct: bool) -> u64 {
    let is_of_platform = !(entry.os.is_empty() && entry.cpu.is_empty());
    match (is_of_platform, is_direct) {
        (true, _) => 16 << 20,
        (false, true) => 2 << 20,
        (false, false) => 128 << 10,
    }
}

/// A package that will very likely be needed.
struct Guess {
    wanted: Wanted,
    /// Of equals, the first comes first.
    nth: Reverse<usize>,
}

impl Ord for Guess {
    /// The more urgent one is greater.
    fn cmp(&self, other: &Self) -> Ordering {
        (self.wanted.bytes, self.nth).cmp(&(other.wanted.bytes, other.nth))
    }
}

impl PartialOrd for Guess {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Guess {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Guess {}

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

impl Drop for Fetcher<'_> {
    /// What is written to the store belongs to an installation that is still there.
    fn drop(&mut self) {
        self.intake.end();
    }
}

impl fmt::Debug for Fetcher<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Fetcher")
            .field("client", &self.intake.client)
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
        self.asked.fetch_add(1, Relaxed);
        let result = self.client.packument(name).await;
        let progress = Progress {
            done: self.answered.fetch_add(1, Relaxed) + 1,
            total: self.asked.load(Relaxed),
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
    /// Downloads guesses, what is large before what is small, until their source is dropped; then it ends with those that it
    /// has begun. Failures are left for the real fetch to find again and report.
    pub fn follow<'f>(
        &'f self,
        guesses: Guesses,
        is_direct: impl Fn(&str) -> bool + Send + 'f,
        platform: &'f Platform,
    ) -> Following<'f> {
        let Guesses(mut guesses) = guesses;
        Following(Some(Box::pin(async move {
            let (mut seen, mut waiting, mut downloads) = (HashSet::new(), BinaryHeap::new(), FuturesUnordered::new());
            let mut is_over = false;
            loop {
                // What was not begun when the resolution ended is fetched by who knows whether it is needed.
                while downloads.len() < FOLLOWED_MAX && !guesses.is_closed() {
                    let Some(Guess { wanted, .. }) = waiting.pop() else { break };
                    downloads.push(self.follow_one(wanted));
                }
                tokio::select! {
                    biased;
                    document = guesses.recv(), if !is_over => match document {
                        Some(document) => waiting.extend(self.guess(&document, &is_direct, platform, &mut seen)),
                        None => is_over = true,
                    },
                    Some(()) = downloads.next(), if !downloads.is_empty() => {}
                    else => return,
                }
            }
        })))
    }

    async fn follow_one(&self, wanted: Wanted) {
        self.guessed().begun.insert(wanted.integrity.clone());
        let integrity = wanted.integrity.clone();
        if !self.is_stored(&integrity).await {
            self.begin(1);
            if self.fetch(wanted).await.is_err() {
                self.begun.fetch_sub(1, Relaxed);
            }
        }
        self.guessed().begun.remove(&integrity);
    }

    fn guess(
        &self,
        document: &VersionDocument,
        is_direct: impl Fn(&str) -> bool,
        platform: &Platform,
        seen: &mut HashSet<Integrity>,
    ) -> Option<Guess> {
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
        let url = self.intake.client.tarball_url(&document.name, &document.version, Some(&document.dist.tarball));
        let package = format!("{}@{}", document.name, document.version);
        let bytes = document.dist.unpacked_size.unwrap_or_else(|| expected_bytes(&lists, is_direct(&document.name)));
        self.guessed().bytes.insert(integrity.clone(), bytes);
        Some(Guess { wanted: Wanted { package, url, integrity, bytes }, nth: Reverse(seen.len()) })
    }

    async fn is_stored(&self, integrity: &Integrity) -> bool {
        if !self.intake.store.contains(integrity) {
            return false;
        }
        let (store, form, integrity) = (self.intake.store.clone(), self.intake.form, integrity.clone());
        let look = move || match form {
            Form::Packed => store.package(&integrity).is_some(),
            Form::Unpacked => store.get(&integrity).is_some(),
        };
        blocking(look).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_guessed_the_largest_comes_first() {
        let integrity = Integrity::parse(&format!("sha512-{}==", "A".repeat(86))).unwrap();
        let guess = |nth: usize, bytes: u64| Guess {
            wanted: Wanted { package: format!("{nth}"), url: String::new(), integrity: integrity.clone(), bytes },
            nth: Reverse(nth),
        };
        let mut guesses = BinaryHeap::from([guess(0, 0), guess(1, 7), guess(2, 200_000_000), guess(3, 7), guess(4, 0)]);
        let order: Vec<String> = std::iter::from_fn(|| Some(guesses.pop()?.wanted.package)).collect();
        assert_eq!(order, ["2", "1", "3", "0", "4"]);
    }

    #[test]
    fn what_is_made_for_a_platform_is_probably_larger_than_what_is_asked_for_than_the_rest() {
        let lists = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        let of = |os: &[&str], cpu: &[&str]| LockEntry { os: lists(os), cpu: lists(cpu), ..LockEntry::default() };
        let platform = expected_bytes(&of(&["linux"], &["x64"]), false);
        assert_eq!(platform, expected_bytes(&of(&[], &["wasm32"]), true));
        let (direct, other) = (expected_bytes(&of(&[], &[]), true), expected_bytes(&of(&[], &[]), false));
        assert!(platform > direct && direct > other);
    }
}
