//! Reads everything that is in the store.

use std::{
    fmt, fs,
    io::{self, Read},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    Form, Store, StoreError,
    content::{CONTENT_BYTES, ContentHasher},
    convert::{Source, in_place_order},
    entries::Found,
    uses::is_at,
};
use crate::threads;

/// Threads that read, at most: hashing is bound by processors, reading by the disk.
const READERS_MAX: usize = 8;
/// Bytes hashed at once, 128 KiB.
const BUFFER_BYTES: usize = 128 << 10;

/// How far a verification is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Entries that have been read.
    pub done: usize,
    /// Entries there are.
    pub total: usize,
    /// Bytes that have been read and were right.
    pub bytes: u64,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Entries that are right in every byte.
    pub good: usize,
    /// Files in them.
    pub files: usize,
    /// Bytes of these files.
    pub bytes: u64,
    /// Entries that are not, in the order of their names.
    pub bad: Vec<Bad>,
}

/// An entry that is not right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Its path in the store.
    pub entry: String,
    /// Its form.
    pub form: Form,
    /// What is wrong.
    pub problem: Problem,
    /// Whether it was removed.
    pub removed: bool,
}

/// What can be wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It has no proof that this machine stored it: it came from elsewhere, or its index is damaged or missing.
    NotBelieved,
    /// A file is missing, has another size or modification time, or cannot be read.
    File {
        /// Its path in the package.
        path: String,
        /// What the system says.
        error: String,
    },
    /// A file has other bytes than when it was stored.
    Content {
        /// Its path in the package.
        path: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBelieved => formatter.write_str("was not stored by this machine, or its index is damaged"),
            Self::File { path, error } => write!(formatter, "\"{path}\": {error}"),
            Self::Content { path } => write!(formatter, "\"{path}\" has other bytes than when it was stored"),
        }
    }
}

impl Store {
    /// Reads every entry, on a few threads: its proof, and the hash of every file. Bad entries are removed, unless
    /// `dry_run`; they will be fetched again when they are needed. `progress` hears of every entry.
    ///
    /// # Errors
    /// When the store cannot be listed, or a bad entry not be removed.
    pub fn verify(&self, dry_run: bool, progress: &(dyn Fn(VerifyProgress) + Sync)) -> Result<Verified, StoreError> {
        let found = self.found()?;
        let total = found.len();
        let (done, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
        let result = Mutex::new(Ok(Verified::default()));
        let result_so_far = || result.lock().unwrap_or_else(PoisonError::into_inner);
        progress(VerifyProgress { total, ..VerifyProgress::default() });
        let readers = thread::available_parallelism().map_or(1, usize::from).min(READERS_MAX);
        threads::share_out(readers, found, &|entry: Found| {
            if result_so_far().is_err() {
                return;
            }
            let outcome = self.verify_one(&entry, dry_run);
            if let Ok(Some(Ok(good))) = &outcome {
                bytes.fetch_add(good.bytes, Ordering::Relaxed);
            }
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            progress(VerifyProgress { done, total, bytes: bytes.load(Ordering::Relaxed) });
            let mut result = result_so_far();
            match (&mut *result, outcome) {
                (Ok(verified), Ok(outcome)) => verified.count(outcome),
                (Ok(_), Err(error)) => *result = Err(error),
                (Err(_), _) => {}
            }
        });
        let mut verified = result.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        verified.bad.sort_by(|one, other| one.entry.cmp(&other.entry));
        Ok(verified)
    }

    /// `None` when it is not there any more.
    fn verify_one(&self, found: &Found, dry_run: bool) -> Result<Option<Result<Good, Bad>>, StoreError> {
        let before = fs::symlink_metadata(&found.path).ok();
        let problem = match self.check(found) {
            Ok(good) => return Ok(Some(Ok(good))),
            Err(problem) => problem,
        };
        // It can have been collected, or replaced, since the store was listed.
        let is_there = before.is_some_and(|before| is_at(&before, &found.path));
        if !is_there {
            return Ok(None);
        }
        let removed = !dry_run && self.take_out(&found.path)?;
        Ok(Some(Err(Bad { entry: found.label(), form: found.form, problem, removed })))
    }

    fn check(&self, found: &Found) -> Result<Good, Problem> {
        let (package, _) = self.examine(found).ok_or(Problem::NotBelieved)?;
        let (mut source, contents) = (Source::new(), self.key.contents());
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut good = Good { files: 0, bytes: 0 };
        for index in in_place_order(&package) {
            let file = &package.files()[index];
            let file_problem = |error: io::Error| Problem::File { path: file.path.clone(), error: error.to_string() };
            let content = source.content(&package, index).map_err(file_problem)?;
            let hash = hash(content, file.bytes, contents.hasher(), &mut buffer).map_err(file_problem)?;
            if hash != file.content {
                return Err(Problem::Content { path: file.path.clone() });
            }
            good.files += 1;
            good.bytes += file.bytes;
        }
        Ok(good)
    }
}

/// A right entry.
struct Good {
    files: usize,
    bytes: u64,
}

impl Verified {
    fn count(&mut self, outcome: Option<Result<Good, Bad>>) {
        match outcome {
            Some(Ok(good)) => {
                self.good += 1;
                self.files += good.files;
                self.bytes += good.bytes;
            }
            Some(Err(bad)) => self.bad.push(bad),
            None => {}
        }
    }
}

fn hash(
    content: &mut dyn Read,
    bytes: u64,
    mut hasher: ContentHasher,
    buffer: &mut [u8],
) -> io::Result<[u8; CONTENT_BYTES]> {
    let mut left = bytes;
    while left > 0 {
        let piece = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        content.read_exact(&mut buffer[..piece])?;
        hasher.update(&buffer[..piece]);
        left -= piece as u64;
    }
    Ok(hasher.finish())
}
