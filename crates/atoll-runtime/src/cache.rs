//! What is computed once and kept between processes: compiled code, transpiled sources.
//!
//! Each entry is a file of its own in a directory of the user's, named by its key. V8 runs bytecode unverified, so an
//! entry is believed only with a keyed digest over key and content, made on this machine; the secret lies outside the
//! cache, readable by its owner alone. A cache that was copied here from elsewhere, or that a guest or another user wrote
//! to, is as good as empty. Entries are written to a temporary name and renamed, so that a killed process leaves none half-written.
//! Anything that goes wrong means that the entry is not there: the cache may be deleted at any moment.

#![expect(clippy::disallowed_methods, reason = "owns the cache's directory")]

use atoll_engine::CodeCache;
use atoll_node::loader::TextCache;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const MAC_BYTES: usize = blake3::OUT_LEN;

/// The longest entry that is read back, bytes: larger ones are not worth their memory twice.
const MAX_ENTRY_BYTES: usize = 64 << 20;

/// See the module's documentation.
#[derive(Debug)]
pub struct SealedCache {
    directory: PathBuf,
    secret: [u8; blake3::KEY_LEN],
    written: AtomicU64,
}

impl SealedCache {
    /// The cache in `directory`, with the secret in the file `secret`; both are made if they are not there.
    pub fn open(directory: PathBuf, secret: &Path) -> std::io::Result<Self> {
        make_private_directory(&directory)?;
        if let Some(parent) = secret.parent() {
            make_private_directory(parent)?;
        }
        Ok(Self { secret: read_or_make_secret(secret)?, directory, written: AtomicU64::new(0) })
    }

    fn path(&self, key: &[u8; 32]) -> PathBuf {
        let name = blake3::Hash::from_bytes(*key).to_hex();
        self.directory.join(&name[..2]).join(&name[2..])
    }

    fn mac(&self, key: &[u8; 32], content: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(key).update(content);
        hasher.finalize()
    }

    /// The content kept for a key.
    pub fn read(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        let mut file = fs::File::open(self.path(key)).ok()?;
        let length = usize::try_from(file.metadata().ok()?.len()).ok()?;
        if !(MAC_BYTES..=MAX_ENTRY_BYTES).contains(&length) {
            return None;
        }
        let mut mac = [0; MAC_BYTES];
        file.read_exact(&mut mac).ok()?;
        let mut content = Vec::with_capacity(length - MAC_BYTES);
        file.take(MAX_ENTRY_BYTES as u64).read_to_end(&mut content).ok()?;
        // `Hash` compares in constant time.
        (self.mac(key, &content) == blake3::Hash::from_bytes(mac)).then_some(content)
    }

    /// Keeps `content` for a key, if that can be done.
    pub fn write(&self, key: &[u8; 32], content: &[u8]) {
        // The result is dropped: a cache that can't be written to is an empty one.
        let _ = self.try_write(key, content);
    }

    fn try_write(&self, key: &[u8; 32], content: &[u8]) -> std::io::Result<()> {
        if content.len() > MAX_ENTRY_BYTES - MAC_BYTES {
            return Ok(());
        }
        let path = self.path(key);
        if let Some(parent) = path.parent() {
            make_private_directory(parent)?;
        }
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        let written = file.write_all(self.mac(key, content).as_bytes()).and_then(|()| file.write_all(content));
        let moved = written.and_then(|()| fs::rename(&temporary, &path));
        if moved.is_err() {
            fs::remove_file(&temporary)?;
        }
        moved
    }
}

impl CodeCache for SealedCache {
    fn get(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        self.read(key)
    }

    fn put(&self, key: &[u8; 32], code: &[u8]) {
        self.write(key, code);
    }
}

impl TextCache for SealedCache {
    fn get(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        self.read(key)
    }

    fn put(&self, key: &[u8; 32], value: &[u8]) {
        self.write(key, value);
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

    #[test]
    fn keeps_what_it_wrote_and_believes_nothing_else() -> std::io::Result<()> {
        let home = tempfile::tempdir()?;
        let (directory, secret) = (home.path().join("cache"), home.path().join("state/secret"));
        let cache = SealedCache::open(directory.clone(), &secret)?;
        let key = [7; 32];
        assert_eq!(cache.read(&key), None);
        cache.write(&key, b"code");
        assert_eq!(cache.read(&key).as_deref(), Some(&b"code"[..]));
        assert_eq!(SealedCache::open(directory.clone(), &secret)?.read(&key).as_deref(), Some(&b"code"[..]));

        // Any byte changed, cut short, or moved to another key: not there.
        let path = cache.path(&key);
        let entry = fs::read(&path)?;
        for position in 0..entry.len() {
            let mut changed = entry.clone();
            changed[position] ^= 1;
            fs::write(&path, changed)?;
            assert_eq!(cache.read(&key), None, "byte {position}");
        }
        fs::write(&path, &entry[..entry.len() - 1])?;
        assert_eq!(cache.read(&key), None);
        let other = [8; 32];
        cache.write(&other, b"other");
        fs::copy(cache.path(&other), &path)?;
        assert_eq!(cache.read(&key), None);

        // A cache from another machine, that is with another secret.
        fs::write(&path, &entry)?;
        let elsewhere = SealedCache::open(directory, &home.path().join("elsewhere/secret"))?;
        assert_eq!(elsewhere.read(&key), None);
        Ok(())
    }

    #[test]
    fn the_secret_is_its_owners_alone() -> std::io::Result<()> {
        let home = tempfile::tempdir()?;
        let secret = home.path().join("state/secret");
        SealedCache::open(home.path().join("cache"), &secret)?;
        assert_eq!(fs::metadata(&secret)?.permissions().mode() & 0o777, 0o600);
        Ok(())
    }
}
