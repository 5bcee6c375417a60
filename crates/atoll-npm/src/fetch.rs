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

mod intake;
mod unpackers;

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashSet},
    fmt, io,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use futures_util::{
    StreamExt,
    stream::{self, FuturesUnordered},
};
use tokio::sync::mpsc;

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

/// Downloads under way at once.
pub const DOWNLOADS_MAX: usize = 32;
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
        }
    }

    /// How many packages this one brought in.
    pub fn stored(&self) -> usize {
        self.stored.load(Relaxed)
    }

    /// The package as it was stored by this one, once: whoever asks again gets it from the store.
    pub(crate) fn take(&self, integrity: &Integrity) -> Option<Entry> {
        self.intake.take(integrity)
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
        let total = self.begun.fetch_add(count, Relaxed) + count;
        self.started.get_or_init(|| {
            self.reporter.stage_started(Stage::Fetch, total);
            Instant::now()
        });
    }

    /// Brings one in: from the store's pack, when an unpacked entry is wanted and there is one, or else by a download.
    async fn fetch(&self, wanted: Wanted) -> Result<(), FetchError> {
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
        let unpacked = self.intake.unpackers.run(move |_| store.unpacked(&integrity)).await;
        drop(waiting);
        let unpacked = unpacked.map_err(|source| FetchError::Thread { package: wanted.package.clone(), source })??;
        let is_there = unpacked.is_some();
        self.intake.keep(&wanted.integrity, unpacked.filter(|entry| entry.is_new));
        Ok(is_there)
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
    /// What its registry says that it unpacks to; what is to be expected, where it does not say.
    bytes: u64,
    /// Of equals, the first comes first.
    nth: Reverse<usize>,
    wanted: Wanted,
}

impl Ord for Guess {
    /// The larger one is more urgent: whatever comes last is unpacked by one thread, while the others have nothing to do.
    fn cmp(&self, other: &Self) -> Ordering {
        (self.bytes, self.nth).cmp(&(other.bytes, other.nth))
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
    /// Downloads guesses until their source is dropped, what is large before what is small. Failures are left for the real
    /// fetch to find again and report.
    pub async fn follow(&self, guesses: Guesses, manifest: &Manifest, platform: &Platform) {
        let Guesses(mut guesses) = guesses;
        let (mut seen, mut waiting, mut downloads) = (HashSet::new(), BinaryHeap::new(), FuturesUnordered::new());
        let mut is_over = false;
        loop {
            while downloads.len() < DOWNLOADS_MAX {
                let Some(Guess { wanted, .. }) = waiting.pop() else { break };
                downloads.push(self.follow_one(wanted));
            }
            tokio::select! {
                biased;
                document = guesses.recv(), if !is_over => match document {
                    Some(document) => waiting.extend(self.guess(&document, manifest, platform, &mut seen)),
                    None => is_over = true,
                },
                Some(()) = downloads.next(), if !downloads.is_empty() => {}
                else => return,
            }
        }
    }

    async fn follow_one(&self, wanted: Wanted) {
        if !self.is_stored(&wanted.integrity).await {
            self.begin(1);
            if self.fetch(wanted).await.is_err() {
                self.begun.fetch_sub(1, Relaxed);
            }
        }
    }

    fn guess(
        &self,
        document: &VersionDocument,
        manifest: &Manifest,
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
        let wanted = Wanted { package: format!("{}@{}", document.name, document.version), url, integrity };
        let expected = || expected_bytes(&lists, manifest.depends_on(&document.name));
        Some(Guess { bytes: document.dist.unpacked_size.unwrap_or_else(expected), nth: Reverse(seen.len()), wanted })
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
            bytes,
            nth: Reverse(nth),
            wanted: Wanted { package: format!("{nth}"), url: String::new(), integrity: integrity.clone() },
        };
        let mut guesses = BinaryHeap::from([guess(0, 0), guess(1, 7), guess(2, 200_000_000), guess(3, 7), guess(4, 0)]);
        let order: Vec<String> = std::iter::from_fn(|| Some(guesses.pop()?.wanted.package)).collect();
        assert_eq!(order, ["2", "1", "3", "0", "4"]);
    }
}
