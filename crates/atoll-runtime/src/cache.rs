//! What is computed once and kept, for later starts in this process and in others: compiled code, transpiled sources.
//!
//! Each entry is a file of its own in a directory of the user's, named by its key. V8 runs bytecode unverified, so an
//! entry is believed only with a keyed digest over key, kind and content, made on this machine; the secret lies outside
//! the cache, readable by its owner alone. A cache that was copied here from elsewhere, or that a guest or another user
//! wrote to, is as good as empty. Entries are written to a temporary name and renamed, so that a killed process leaves
//! none half-written. Anything that goes wrong means that the entry is not there: the cache may be deleted at any moment.
//!
//! What was read and found authentic, or was made here, is also kept in memory ([`memory`]): the next start of a deployment,
//! or of another one with the same files, neither reads nor verifies it again. Compiled code is made at most twice for a key
//! and process ([`Ripeness`]), and the riper one replaces the other only where there is more in it: V8 drops code that
//! was not used for a long time.

#![expect(clippy::disallowed_methods, reason = "owns the cache's directory")]

mod memory;

use atoll_engine::{CodeCache, Ripeness};
use atoll_node::loader::TextCache;
use memory::Memory;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const MAC_BYTES: usize = blake3::OUT_LEN;

/// The digest, and the kind's byte.
const HEADER_BYTES: usize = MAC_BYTES + 1;

/// The longest entry that is read back, bytes: larger ones are not worth their memory twice.
const MAX_ENTRY_BYTES: usize = 64 << 20;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Code(Ripeness),
}

impl Kind {
    const ALL: [Self; 3] = [Self::Text, Self::Code(Ripeness::First), Self::Code(Ripeness::Settled)];

    fn byte(self) -> u8 {
        match self {
            Self::Text => 0,
            Self::Code(Ripeness::First) => 1,
            Self::Code(Ripeness::Settled) => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.byte() == byte)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct SealedCache {
    directory: PathBuf,
    secret: [u8; blake3::KEY_LEN],
    written: AtomicU64,
    memory: Mutex<Memory>,
}

impl SealedCache {
    /// The cache in `directory`, with the secret in the file `secret`; both are made if they are not there.
    pub fn open(directory: PathBuf, secret: &Path) -> std::io::Result<Self> {
        make_private_directory(&directory)?;
        if let Some(parent) = secret.parent() {
            make_private_directory(parent)?;
        }
        let secret = read_or_make_secret(secret)?;
        Ok(Self { secret, directory, written: AtomicU64::new(0), memory: Mutex::default() })
    }

    fn path(&self, key: &[u8; 32]) -> PathBuf {
        let name = blake3::Hash::from_bytes(*key).to_hex();
        self.directory.join(&name[..2]).join(&name[2..])
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mac(&self, key: &[u8; 32], kind: Kind, content: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(key).update(&[kind.byte()]).update(content);
        hasher.finalize()
    }

    /// The content kept for a key, of a kind that is accepted.
    fn read(&self, key: &[u8; 32], accepts: impl FnOnce(Kind) -> bool) -> Option<Arc<[u8]>> {
        if let Some(known) = self.memory().get(key) {
            return Some(known);
        }
        let (kind, content) = self.read_file(key).filter(|(kind, _)| accepts(*kind))?;
        let ripeness = match kind {
            Kind::Text => None,
            Kind::Code(ripeness) => Some(ripeness),
        };
        self.memory().put(*key, ripeness, &content);
        Some(content)
    }

    fn read_file(&self, key: &[u8; 32]) -> Option<(Kind, Arc<[u8]>)> {
        let mut file = fs::File::open(self.path(key)).ok()?;
        let length = usize::try_from(file.metadata().ok()?.len()).ok()?;
        if !(HEADER_BYTES..=MAX_ENTRY_BYTES).contains(&length) {
            return None;
        }
        let mut header = [0; HEADER_BYTES];
        file.read_exact(&mut header).ok()?;
        let mut content = Vec::with_capacity(length - HEADER_BYTES);
        file.take(MAX_ENTRY_BYTES as u64).read_to_end(&mut content).ok()?;
        let (mac, kind) = header.split_first_chunk::<MAC_BYTES>()?;
        let kind = Kind::from_byte(*kind.first()?)?;
        // `Hash` compares in constant time.
        (self.mac(key, kind, &content) == blake3::Hash::from_bytes(*mac)).then(|| (kind, Arc::from(content)))
    }

    /// Keeps `content` for a key, if that can be done.
    fn write(&self, key: &[u8; 32], kind: Kind, content: &[u8]) {
        // The result is dropped: a cache that can't be written to is an empty one.
        let _ = self.try_write(key, kind, content);
    }

    fn try_write(&self, key: &[u8; 32], kind: Kind, content: &[u8]) -> std::io::Result<()> {
        if content.len() > MAX_ENTRY_BYTES - HEADER_BYTES {
            return Ok(());
        }
        let path = self.path(key);
        if let Some(parent) = path.parent() {
            make_private_directory(parent)?;
        }
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        let mut header = [kind.byte(); HEADER_BYTES];
        header[..MAC_BYTES].copy_from_slice(self.mac(key, kind, content).as_bytes());
        let written = file.write_all(&header).and_then(|()| file.write_all(content));
        let moved = written.and_then(|()| fs::rename(&temporary, &path));
        if moved.is_err() {
            fs::remove_file(&temporary)?;
        }
        moved
    }
}

impl CodeCache for SealedCache {
    fn get(&self, key: &[u8; 32]) -> Option<Arc<[u8]>> {
        self.read(key, |kind| matches!(kind, Kind::Code(_)))
    }

    fn wants(&self, key: &[u8; 32], ripeness: Ripeness) -> bool {
        self.memory().claim(*key, ripeness)
    }

    fn put(&self, key: &[u8; 32], ripeness: Ripeness, code: &[u8]) {
        {
            let mut memory = self.memory();
            if memory.length(key) >= code.len() {
                return;
            }
            memory.put(*key, Some(ripeness), &Arc::from(code));
        }
        self.write(key, Kind::Code(ripeness), code);
    }

    fn refuse(&self, key: &[u8; 32]) {
        self.memory().forget(key);
    }
}

impl TextCache for SealedCache {
    fn get(&self, key: &[u8; 32]) -> Option<Arc<[u8]>> {
        self.read(key, |kind| kind == Kind::Text)
    }

    fn put(&self, key: &[u8; 32], value: &[u8]) {
        self.memory().put(*key, None, &Arc::from(value));
        self.write(key, Kind::Text, value);
    }
}

fn make_private_directory(directory: &Path) -> std::io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(directory)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
}

/// Reads the secret, or makes one. Of several processes that make one at once, one wins and all use its.
fn read_or_make_secret(path: &Path) -> std::io::Result<[u8; blake3::KEY_LEN]> {
    match read_secret(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => fs::remove_file(path)?,
        read => return read,
    }
    let mut secret = [0; blake3::KEY_LEN];
    fs::File::open("/dev/urandom")?.read_exact(&mut secret)?;
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(&secret)?;
    // A hard link fails where a rename would replace the secret that another process has begun to use.
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => read_secret(path),
    }
}

fn read_secret(path: &Path) -> std::io::Result<[u8; blake3::KEY_LEN]> {
    let mut secret = [0; blake3::KEY_LEN];
    fs::File::open(path)?.read_exact(&mut secret)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Home {
        directory: tempfile::TempDir,
    }

    impl Home {
        fn new() -> std::io::Result<Self> {
            Ok(Self { directory: tempfile::tempdir()? })
        }

        fn secret(&self) -> PathBuf {
            self.directory.path().join("state/secret")
        }

        /// The cache as another process would open it: nothing is remembered.
        fn open(&self) -> std::io::Result<SealedCache> {
            SealedCache::open(self.directory.path().join("cache"), &self.secret())
        }
    }

    fn code(cache: &SealedCache, key: &[u8; 32]) -> Option<Vec<u8>> {
        CodeCache::get(cache, key).map(|code| code.to_vec())
    }

    const FIRST: Ripeness = Ripeness::First;
    const SETTLED: Ripeness = Ripeness::Settled;

    #[test]
    fn keeps_what_it_wrote_and_believes_nothing_else() -> std::io::Result<()> {
        let home = Home::new()?;
        let cache = home.open()?;
        let key = [7; 32];
        assert_eq!(code(&cache, &key), None);
        CodeCache::put(&cache, &key, FIRST, b"code");
        assert_eq!(code(&cache, &key).as_deref(), Some(&b"code"[..]));
        assert_eq!(code(&home.open()?, &key).as_deref(), Some(&b"code"[..]));

        // Any byte changed, cut short, made longer, or moved to another key: not there.
        let path = cache.path(&key);
        let entry = fs::read(&path)?;
        for position in 0..entry.len() {
            let mut changed = entry.clone();
            changed[position] ^= 1;
            fs::write(&path, changed)?;
            assert_eq!(code(&home.open()?, &key), None, "byte {position}");
        }
        for length in 0..entry.len() {
            fs::write(&path, &entry[..length])?;
            assert_eq!(code(&home.open()?, &key), None, "cut to {length} bytes");
        }
        fs::write(&path, [&entry[..], b"more"].concat())?;
        assert_eq!(code(&home.open()?, &key), None);
        let other = [8; 32];
        CodeCache::put(&cache, &other, FIRST, b"other");
        fs::copy(cache.path(&other), &path)?;
        assert_eq!(code(&home.open()?, &key), None);

        // A cache from another machine, that is with another secret.
        fs::write(&path, &entry)?;
        let elsewhere = SealedCache::open(cache.directory.clone(), &home.directory.path().join("elsewhere/secret"))?;
        assert_eq!(code(&elsewhere, &key), None);
        assert_eq!(code(&home.open()?, &key).as_deref(), Some(&b"code"[..]), "the entry itself is sound");

        // Text is not code, whatever its key.
        TextCache::put(&cache, &other, b"text");
        assert_eq!(code(&home.open()?, &other), None);
        assert_eq!(TextCache::get(&home.open()?, &other).as_deref(), Some(&b"text"[..]));
        Ok(())
    }

    #[test]
    fn what_was_verified_is_not_read_again() -> std::io::Result<()> {
        let home = Home::new()?;
        let key = [7; 32];
        CodeCache::put(&home.open()?, &key, FIRST, b"code");
        let cache = home.open()?;
        assert_eq!(code(&cache, &key).as_deref(), Some(&b"code"[..]));
        fs::remove_file(cache.path(&key))?;
        assert_eq!(code(&cache, &key).as_deref(), Some(&b"code"[..]));
        assert_eq!(code(&home.open()?, &key), None);
        Ok(())
    }

    #[test]
    fn code_is_made_once_for_each_ripeness_and_replaced_only_by_more() -> std::io::Result<()> {
        let home = Home::new()?;
        let cache = home.open()?;
        let key = [7; 32];
        assert!(cache.wants(&key, FIRST));
        assert!(!cache.wants(&key, FIRST), "somebody makes it already");
        CodeCache::put(&cache, &key, FIRST, b"some code");
        assert!(!cache.wants(&key, FIRST));

        // The next process finds it, and makes riper code, of which there may be less.
        let cache = home.open()?;
        assert_eq!(code(&cache, &key).as_deref(), Some(&b"some code"[..]));
        assert!(!cache.wants(&key, FIRST));
        assert!(cache.wants(&key, SETTLED));
        CodeCache::put(&cache, &key, SETTLED, b"less");
        assert_eq!(code(&cache, &key).as_deref(), Some(&b"some code"[..]));
        assert!(!cache.wants(&key, SETTLED));

        let cache = home.open()?;
        assert_eq!(code(&cache, &key).as_deref(), Some(&b"some code"[..]));
        assert!(cache.wants(&key, SETTLED));
        CodeCache::put(&cache, &key, SETTLED, b"more code than that");
        let cache = home.open()?;
        assert_eq!(code(&cache, &key).as_deref(), Some(&b"more code than that"[..]));
        assert!(!cache.wants(&key, SETTLED));

        // What V8 refuses is replaced, whatever its length.
        cache.refuse(&key);
        assert!(cache.wants(&key, FIRST));
        CodeCache::put(&cache, &key, FIRST, b"new");
        assert_eq!(code(&home.open()?, &key).as_deref(), Some(&b"new"[..]));
        Ok(())
    }

    #[test]
    fn the_secret_is_its_owners_alone() -> std::io::Result<()> {
        let home = Home::new()?;
        home.open()?;
        assert_eq!(fs::metadata(home.secret())?.permissions().mode() & 0o777, 0o600);
        Ok(())
    }
}
