//! The secret that makes this machine's proofs.

use std::{
    fmt, fs,
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::store::{content::ContentKey, unique_name};

/// 32 random bytes in a file of mode 0600, outside the store and the cache: whoever can hand us a store, say through a
/// shared CI cache, can still not make us believe it.
#[derive(Clone)]
pub struct MachineKey([u8; KEY_BYTES]);

/// A BLAKE3 key.
const KEY_BYTES: usize = 32;
/// File name in the state directory.
const FILE_NAME: &str = "store-key";
/// What files' contents are hashed with is a proof for this.
const CONTENTS_PURPOSE: &str = "atoll store contents 1";
/// How often to look again when other processes create or replace the key at the same time.
const ATTEMPTS_MAX: usize = 8;

/// A proof: keyed BLAKE3.
pub(crate) const PROOF_BYTES: usize = blake3::OUT_LEN;

impl MachineKey {
    /// Reads the key from `state_dir`, or makes one. A key that others can read is replaced: everything proved with it
    /// is no longer believed.
    ///
    /// # Errors
    /// When the directory cannot be made or the file cannot be read or written.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        super::create_private(state_dir)?;
        let path = state_dir.join(FILE_NAME);
        for _ in 0..ATTEMPTS_MAX {
            match read(&path) {
                Ok(Some(key)) => return Ok(Self(key)),
                // Unusable: out of the way. Losing this race to another process is fine.
                Ok(None) => match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            create(&path)?;
        }
        Err(io::Error::other(format!("{} keeps changing", path.display())))
    }

    /// What the contents of files are hashed with.
    pub(super) fn contents(&self) -> ContentKey {
        ContentKey::new(self.prove(CONTENTS_PURPOSE, &[]))
    }

    /// A proof that this machine stored these parts together, for this purpose.
    pub(crate) fn prove(&self, purpose: &str, parts: &[&[u8]]) -> [u8; PROOF_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }

    /// Whether `proof` is one. Comparison takes the same time wherever they differ.
    pub(crate) fn believes(&self, proof: &[u8], purpose: &str, parts: &[&[u8]]) -> bool {
        let expected = blake3::Hash::from_bytes(self.prove(purpose, parts));
        <[u8; PROOF_BYTES]>::try_from(proof).is_ok_and(|proof| expected == blake3::Hash::from_bytes(proof))
    }
}

impl fmt::Debug for MachineKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MachineKey(…)")
    }
}

/// `None` when the file is no key or others can read it.
fn read(path: &Path) -> io::Result<Option<[u8; KEY_BYTES]>> {
    let file = fs::File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Ok(None);
    }
    let mut key = Vec::with_capacity(KEY_BYTES);
    (&file).take(KEY_BYTES as u64 + 1).read_to_end(&mut key)?;
    Ok(key.try_into().ok())
}

/// Writes a new key beside and links it into place, so that of several processes one wins and no half key is ever seen.
fn create(path: &Path) -> io::Result<()> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let mut temporary = PathBuf::from(path);
    temporary.set_file_name(format!("{FILE_NAME}.{}", unique_name()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(&key)?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_per_directory_and_secret() {
        let dir = tempfile::tempdir().unwrap();
        let first = MachineKey::open(dir.path()).unwrap();
        let second = MachineKey::open(dir.path()).unwrap();
        assert_eq!(first.0, second.0);
        let path = dir.path().join(FILE_NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_ne!(MachineKey::open(dir.path()).unwrap().0, first.0, "a key that others could read is replaced");
    }

    #[test]
    fn proofs_bind_purpose_and_boundaries() {
        let key = MachineKey([1; KEY_BYTES]);
        let proof = key.prove("a", &[b"bc", b"d"]);
        assert!(key.believes(&proof, "a", &[b"bc", b"d"]));
        assert!(!key.believes(&proof, "a", &[b"b", b"cd"]));
        assert!(!key.believes(&proof, "x", &[b"bc", b"d"]));
        assert!(!key.believes(&proof[1..], "a", &[b"bc", b"d"]));
        assert!(!MachineKey([2; KEY_BYTES]).believes(&proof, "a", &[b"bc", b"d"]));
    }
}
