//! Packuments on disk, to be revalidated.
//!
//! One file per package and registry: a proof, the `ETag` and the encoding, a line each, and the body as it came. A file is
//! believed only when this machine wrote it whole ([`MachineKey`]); everything else, as what another process is just writing or a
//! killed one left, is as if it were not there. To ask the registry, its `ETag` is enough, which is read without the rest and
//! need not be believed.

use std::{
    fs, io,
    io::Read as _,
    mem,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use crate::store::{MachineKey, PROOF_BYTES};

/// What the proofs in this cache are for.
const PURPOSE: &str = "atoll packument 2";
/// What is read of a file to find its `ETag`.
const HEAD_BYTES: usize = 1024;
/// Longest `ETag` that is kept: it has to be in what is read to find it.
const ETAG_BYTES_MAX: usize = HEAD_BYTES / 2;
/// Encodings of the body.
const GZIP: &str = "gzip";
const IDENTITY: &str = "identity";
/// Largest file that is read: a packument at its limit and a little.
const FILE_BYTES_MAX: u64 = super::PACKUMENT_BYTES_MAX + HEAD_BYTES as u64;

/// With so many bytes, 32 MiB, it does not matter whether more are coming.
const WAITING_BYTES_MAX: usize = 32 << 20;
/// How much nicer the thread is that keeps them: everything else is more urgent.
const NICENESS: i32 = 10;

#[derive(Clone, Debug)]
pub(super) struct PackumentCache {
    dir: PathBuf,
    key: MachineKey,
}

/// Keeps packuments in a cache when those who bring them have nothing better to do.
#[derive(Debug)]
pub(super) struct Keeper {
    cache: PackumentCache,
    waiting_bytes_max: usize,
    state: Mutex<Keeping>,
}

#[derive(Debug, Default)]
struct Keeping {
    waiting: Batch,
    waiting_bytes: usize,
    /// How many more there may soon be.
    coming: usize,
    thread: Option<(mpsc::SyncSender<Batch>, JoinHandle<()>)>,
}

/// Answers, with where they came from.
type Batch = Vec<(String, Sent)>;

/// As long as there is one, more may be coming.
#[derive(Debug)]
pub(super) struct Coming<'k>(&'k Keeper);

/// A packument as a registry sends it.
#[derive(Debug)]
pub(super) struct Sent {
    /// What to ask with next time, if the registry says.
    pub(super) etag: Option<String>,
    /// The body is compressed.
    pub(super) is_gzip: bool,
    /// The body.
    pub(super) body: Vec<u8>,
}

impl PackumentCache {
    pub(super) fn new(cache_dir: &Path, key: MachineKey) -> Self {
        Self { dir: cache_dir.join("packuments-v3"), key }
    }

    /// What the registry can be asked with: the `ETag` of the answer that is kept. Whether the answer can be believed
    /// shows when it is read.
    pub(super) fn etag(&self, url: &str) -> Option<String> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        fs::File::open(self.path(url)).ok()?.take(HEAD_BYTES as u64).read_to_end(&mut head).ok()?;
        let (etag, _) = split_line(head.get(PROOF_BYTES..)?)?;
        Some(etag.to_owned())
    }

    /// The answer that is kept.
    pub(super) fn read(&self, url: &str) -> Option<Sent> {
        let path = self.path(url);
        if fs::metadata(&path).ok()?.len() > FILE_BYTES_MAX {
            return None;
        }
        let mut bytes = fs::read(path).ok()?;
        let (proof, rest) = bytes.split_at_checked(PROOF_BYTES)?;
        if !self.key.believes(proof, PURPOSE, &[url.as_bytes(), rest]) {
            return None;
        }
        let (etag, rest) = split_line(rest)?;
        let (encoding, body) = split_line(rest)?;
        let (etag, is_gzip, body_bytes) = (Some(etag.to_owned()), encoding == GZIP, body.len());
        let body = bytes.split_off(bytes.len() - body_bytes);
        Some(Sent { etag, is_gzip, body })
    }

    /// Keeps an answer that has an `ETag`. A failure only means that the next installation downloads it again.
    pub(super) fn write(&self, url: &str, sent: &Sent) -> io::Result<()> {
        let Some(etag) = sent.etag.as_deref().filter(|etag| etag.len() <= ETAG_BYTES_MAX) else { return Ok(()) };
        let encoding = if sent.is_gzip { GZIP } else { IDENTITY };
        let head = format!("{etag}\n{encoding}\n");
        let mut bytes = [&[0; PROOF_BYTES], head.as_bytes(), &sent.body].concat();
        let (proof, rest) = bytes.split_at_mut(PROOF_BYTES);
        proof.copy_from_slice(&self.key.prove(PURPOSE, &[url.as_bytes(), rest]));
        let path = self.path(url);
        let written = fs::write(&path, &bytes).or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            fs::create_dir_all(&self.dir)?;
            fs::write(&path, &bytes)
        });
        written.inspect_err(|_| {
            // What was written of it is not believed; it only takes space, which may be what was short.
            let _ = fs::remove_file(&path);
        })
    }

    fn path(&self, url: &str) -> PathBuf {
        self.dir.join(blake3::hash(url.as_bytes()).to_hex().as_str())
    }
}

impl Keeper {
    pub(super) fn new(cache: &PackumentCache) -> Self {
        Self { cache: cache.clone(), waiting_bytes_max: WAITING_BYTES_MAX, state: Mutex::default() }
    }

    /// What [is kept](Self::keep) waits until the last of these is dropped.
    pub(super) fn expect(&self) -> Coming<'_> {
        self.state().coming += 1;
        Coming(self)
    }

    /// Keeps an answer, sooner or later. What cannot be kept is downloaded again next time.
    pub(super) fn keep(&self, url: String, sent: Sent) {
        let mut state = self.state();
        state.waiting_bytes += sent.body.len();
        state.waiting.push((url, sent));
        if state.waiting_bytes >= self.waiting_bytes_max {
            self.begin(state);
        }
    }

    /// Has a thread keep what waits. Where there is none to be had, or it is behind with two lots already, does so itself, so
    /// that what is in memory has a bound.
    fn begin(&self, mut state: MutexGuard<'_, Keeping>) {
        let batch = mem::take(&mut state.waiting);
        state.waiting_bytes = 0;
        if batch.is_empty() {
            return;
        }
        if state.thread.is_none() {
            state.thread = self.start();
        }
        let left = match &state.thread {
            Some((sender, _)) => sender.try_send(batch).map_err(|error| match error {
                mpsc::TrySendError::Full(batch) | mpsc::TrySendError::Disconnected(batch) => batch,
            }),
            None => Err(batch),
        };
        drop(state);
        if let Err(batch) = left {
            keep_all(&self.cache, &batch);
        }
    }

    fn start(&self) -> Option<(mpsc::SyncSender<Batch>, JoinHandle<()>)> {
        let (sender, receiver) = mpsc::sync_channel::<Batch>(1);
        let cache = self.cache.clone();
        let work = move || {
            // Without it the order is another one, and nothing else.
            let _ = atoll_sys::priority::lower_current_thread(NICENESS);
            for batch in receiver {
                keep_all(&cache, &batch);
            }
        };
        let thread = thread::Builder::new().name("packuments".to_owned()).spawn(work).ok()?;
        Some((sender, thread))
    }

    fn state(&self) -> MutexGuard<'_, Keeping> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.coming -= 1;
        if state.coming == 0 {
            self.0.begin(state);
        }
    }
}

impl Drop for Keeper {
    /// Waits until all is kept.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        keep_all(&self.cache, &mem::take(&mut state.waiting));
        if let Some((sender, thread)) = state.thread.take() {
            drop(sender);
            // A panic has been reported, and what it left is not believed.
            let _ = thread.join();
        }
    }
}

fn keep_all(cache: &PackumentCache, batch: &[(String, Sent)]) {
    for (url, sent) in batch {
        let _ = cache.write(url, sent);
    }
}

/// The first line, and what follows it.
fn split_line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use rustix::fs::{FileType, Mode};

    use super::*;

    #[test]
    fn only_what_this_machine_wrote_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let cache = PackumentCache::new(dir.path(), MachineKey::open(&state).unwrap());
        let sent = |etag: Option<&str>| Sent { etag: etag.map(str::to_owned), is_gzip: true, body: b"{\n}\n".to_vec() };
        assert!(cache.read("http://r/a").is_none() && cache.etag("http://r/a").is_none());
        cache.write("http://r/a", &sent(Some("\"1\""))).unwrap();
        assert_eq!(cache.etag("http://r/a").as_deref(), Some("\"1\""));
        let kept = cache.read("http://r/a").unwrap();
        assert_eq!((kept.etag.as_deref(), kept.is_gzip, &kept.body[..]), (Some("\"1\""), true, &b"{\n}\n"[..]));
        assert!(cache.read("http://r/b").is_none());

        let path = cache.path("http://r/a");
        let mut bytes = fs::read(&path).unwrap();
        for end in 0..bytes.len() {
            fs::write(&path, &bytes[..end]).unwrap();
            assert!(cache.read("http://r/a").is_none(), "a file that was cut is not believed");
            let _ = cache.etag("http://r/a");
        }
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(cache.read("http://r/a").is_none(), "a changed file is not believed");

        cache.write("http://r/a", &sent(Some("\"1\""))).unwrap();
        let elsewhere = PackumentCache::new(dir.path(), MachineKey::open(&dir.path().join("other")).unwrap());
        assert!(elsewhere.read("http://r/a").is_none(), "another machine's file is not believed");

        for etag in [None, Some("x".repeat(ETAG_BYTES_MAX + 1).as_str())] {
            cache.write("http://r/c", &sent(etag)).unwrap();
            assert!(cache.etag("http://r/c").is_none() && cache.read("http://r/c").is_none());
        }
        cache.write("http://r/c", &sent(Some("x".repeat(ETAG_BYTES_MAX).as_str()))).unwrap();
        assert!(cache.etag("http://r/c").is_some() && cache.read("http://r/c").is_some());
    }

    /// A cache, and a keeper that has a thread write when this many bytes wait.
    fn keeper(dir: &Path, waiting_bytes_max: usize) -> (PackumentCache, Keeper) {
        let cache = PackumentCache::new(dir, MachineKey::open(&dir.join("state")).unwrap());
        fs::create_dir_all(&cache.dir).unwrap();
        let mut keeper = Keeper::new(&cache);
        keeper.waiting_bytes_max = waiting_bytes_max;
        (cache, keeper)
    }

    fn sent(body: &[u8]) -> Sent {
        Sent { etag: Some("1".to_owned()), is_gzip: false, body: body.to_vec() }
    }

    #[test]
    fn what_is_kept_waits_until_nothing_more_is_coming() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, keeper) = keeper(dir.path(), usize::MAX);
        let (first, last) = (keeper.expect(), keeper.expect());
        for url in ["a", "b"] {
            keeper.keep(url.to_owned(), sent(url.as_bytes()));
        }
        drop(first);
        assert!(cache.read("a").is_none() && keeper.state().thread.is_none());
        drop(last);
        assert!(keeper.state().thread.is_some() && keeper.state().waiting.is_empty());
        // What comes for no reason that was told is kept in the end.
        keeper.keep("c".to_owned(), sent(b"c"));
        drop(keeper);
        for url in ["a", "b", "c"] {
            assert_eq!(cache.read(url).unwrap().body, url.as_bytes());
        }
    }

    #[test]
    fn on_a_disk_that_hangs_two_lots_wait_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, keeper) = keeper(dir.path(), 4);
        // Opening it for writing waits for somebody who reads.
        rustix::fs::mknodat(rustix::fs::CWD, cache.path("0"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let coming = keeper.expect();
        for url in ["0", "1", "2", "3", "4"] {
            keeper.keep(url.to_owned(), sent(b"body"));
        }
        let written = ["1", "2", "3", "4"].into_iter().filter(|url| cache.read(url).is_some()).count();
        assert!(written >= 3, "{written}");
        assert!(fs::read(cache.path("0")).unwrap().ends_with(b"body"));
        drop(coming);
        drop(keeper);
        assert!(["1", "2", "3", "4"].into_iter().all(|url| cache.read(url).is_some()));
    }
}
