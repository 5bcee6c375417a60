//! The store: packages on this machine, by what their tarballs hash to.
//!
//! # Contract
//! One directory per user, shared by all projects and by any number of processes at once. An entry is one package,
//! unpacked, under a name made from its integrity. [`Store::get`] returns an entry only when it is complete, was stored
//! by this machine and has not been changed since; everything else is as if it were not there, and is replaced.
//!
//! # Layout
//! ```text
//! <store>/v1/<2 hex>/<62 hex>/package/…   the files, as in the tarball without its first path component
//! <store>/v1/<2 hex>/<62 hex>/index       the proof (32 bytes), then the file index; written last
//! <store>/v1/stage/<unique>/              entries in the making, and evicted ones on their way out
//! ```
//! The name is BLAKE3 of the integrity's text. Linking reads the index and never lists a directory.
//!
//! # Belief
//! The index starts with a keyed BLAKE3 over the integrity and the rest of the file. The key ([`MachineKey`]) is not in
//! the store. A store that came from elsewhere, for instance from a shared CI cache, is therefore not believed at all:
//! its entries are fetched again. Changes in place, the hazard of hard links, are caught by size and modification time
//! of every file, which are compared before it is used: by [`Store::get`] for a whole entry, by the linker for the files
//! of an entry that it has from [`Store::index`].
//!
//! # Concurrency and crashes
//! An entry is built in `stage/` and becomes visible by one rename after the index is written, so there are no half
//! entries. Two processes that store the same package both build it; the second rename finds the name taken and discards
//! its own. An entry that is not believed is renamed into `stage/` before its replacement takes the name. A killed
//! process leaves a directory in `stage/`; it is removed once it is older than [`STAGE_KEPT`]. Nothing is synced: after a
//! power loss a file can lack its last writes; the size comparison finds those whose size was not written either.

mod index;
mod key;
mod package;

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

pub use index::IndexedFile;
pub use key::MachineKey;
pub(crate) use key::PROOF_BYTES;
pub use package::Package;

use crate::integrity::Integrity;

/// How long a directory in `stage/` may be in the making before it counts as left behind by a killed process.
pub const STAGE_KEPT: Duration = Duration::from_hours(24);
/// How often to try to take an entry's name while other processes replace it.
const PUBLISH_ATTEMPTS_MAX: usize = 8;
/// Largest index that is read, in bytes: 200 bytes a file for the most files that an unpacked tarball may have.
const INDEX_BYTES_MAX: u64 = 200 * crate::extract::ENTRIES_MAX as u64;
/// What the proofs in this store are for.
const PURPOSE: &str = "atoll store entry 1";

/// The store of one user.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    key: MachineKey,
}

/// A believed package in the store.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The directory that has the package's files.
    pub files_dir: PathBuf,
    /// Its files.
    pub files: Vec<IndexedFile>,
}

/// An entry in the making. Dropping it removes it.
#[derive(Debug)]
pub struct Staged {
    dir: PathBuf,
}

/// The store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("the package store cannot {action} {path}: {source}")]
pub struct StoreError {
    /// What it tried, as a verb.
    pub action: &'static str,
    /// Where.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

impl Store {
    /// Opens the store at `root`, creating it if need be: for this user only.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(root: &Path, key: MachineKey) -> Result<Self, StoreError> {
        let store = Self { root: root.join("v1"), key };
        let stage = store.stage_dir();
        create_private(&stage).map_err(|source| StoreError { action: "create", path: stage.clone(), source })?;
        sweep(&stage);
        Ok(store)
    }

    /// The entry for this integrity, if there is one that can be believed and whose files are as they were stored.
    ///
    /// Looks at every file's size and modification time.
    pub fn get(&self, integrity: &Integrity) -> Option<Entry> {
        let entry = self.index(integrity)?;
        entry.files.iter().all(|file| is_untouched(&entry.files_dir, file)).then_some(entry)
    }

    /// The entry for this integrity, if its index can be believed. The files are not looked at: who uses one compares it
    /// with what the index says, as the linker does when it has the file's directory open anyway.
    pub fn index(&self, integrity: &Integrity) -> Option<Entry> {
        let dir = self.entry_dir(integrity);
        let files = self.read_index(&dir, integrity)?;
        Some(Entry { files_dir: dir.join("package"), files })
    }

    /// A new directory to unpack a package into.
    pub fn stage(&self) -> Result<Staged, StoreError> {
        let dir = self.stage_dir().join(unique_name());
        let staged = Staged { dir: dir.clone() };
        fs::create_dir_all(dir.join("package")).map_err(|source| StoreError { action: "create", path: dir, source })?;
        Ok(staged)
    }

    /// Makes a staged package visible. The caller has verified that its files came out of bytes of this `integrity`.
    /// When another process was first, its entry is returned and `staged` discarded.
    pub fn publish(&self, staged: Staged, integrity: &Integrity, files: Vec<IndexedFile>) -> Result<Entry, StoreError> {
        let index = index::encode(&files);
        let mut bytes = self.key.prove(PURPOSE, &[integrity.to_string().as_bytes(), &index]).to_vec();
        bytes.extend_from_slice(&index);
        let index_path = staged.dir.join("index");
        fs::write(&index_path, bytes).map_err(|source| StoreError { action: "write", path: index_path, source })?;

        let dir = self.entry_dir(integrity);
        let wrap = |source| StoreError { action: "publish", path: dir.clone(), source };
        for _ in 0..PUBLISH_ATTEMPTS_MAX {
            match fs::rename(&staged.dir, &dir) {
                Ok(()) => {
                    // The directory now has another name: nothing is left to remove.
                    std::mem::forget(staged);
                    return Ok(Entry { files_dir: dir.join("package"), files });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let parent = dir.parent().unwrap_or(&self.root);
                    fs::create_dir_all(parent).map_err(wrap)?;
                }
                Err(error) if is_taken(&error) => {
                    if let Some(entry) = self.get(integrity) {
                        return Ok(entry);
                    }
                    self.evict(integrity)?;
                }
                Err(error) => return Err(wrap(error)),
            }
        }
        Err(wrap(io::Error::other("other processes keep replacing it")))
    }

    /// Takes an entry out, believed or not. No error when there is none.
    pub fn evict(&self, integrity: &Integrity) -> Result<(), StoreError> {
        let dir = self.entry_dir(integrity);
        let away = Staged { dir: self.stage_dir().join(unique_name()) };
        match fs::rename(&dir, &away.dir) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(StoreError { action: "evict", path: dir, source }),
        }
    }

    fn read_index(&self, dir: &Path, integrity: &Integrity) -> Option<Vec<IndexedFile>> {
        let mut file = fs::File::open(dir.join("index")).ok()?;
        let length = file.metadata().ok().filter(fs::Metadata::is_file)?.len();
        if length > INDEX_BYTES_MAX {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        file.read_exact(&mut bytes).ok()?;
        let (proof, index) = bytes.split_at_checked(key::PROOF_BYTES)?;
        if !self.key.believes(proof, PURPOSE, &[integrity.to_string().as_bytes(), index]) {
            return None;
        }
        index::decode(index)
    }

    fn entry_dir(&self, integrity: &Integrity) -> PathBuf {
        let name = blake3::hash(integrity.to_string().as_bytes()).to_hex();
        self.root.join(&name[..2]).join(&name[2..])
    }

    fn stage_dir(&self) -> PathBuf {
        self.root.join("stage")
    }
}

impl Staged {
    /// Where the package's files go.
    pub fn files_dir(&self) -> PathBuf {
        self.dir.join("package")
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What cannot be removed now is removed once it is old. An evicted entry can be anything.
        let _ = fs::remove_dir_all(&self.dir).or_else(|_| fs::remove_file(&self.dir));
    }
}

/// The modification time in the index's unit.
pub(crate) fn modified_ns(metadata: &fs::Metadata) -> i128 {
    use std::os::unix::fs::MetadataExt;
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

fn is_untouched(files_dir: &Path, file: &IndexedFile) -> bool {
    fs::symlink_metadata(files_dir.join(&file.path)).is_ok_and(|metadata| {
        metadata.is_file() && metadata.len() == file.bytes && modified_ns(&metadata) == file.modified_ns
    })
}

fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory
    )
}

/// Makes a directory, and those above it that are missing, for this user only.
fn create_private(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Removes what killed processes left in `stage/`. Best effort: a failure costs disk space, nothing else. The clock is
/// the file system's own: a file made now says what time it is there.
pub(crate) fn sweep(stage: &Path) {
    let clock = stage.join(unique_name());
    let now = fs::write(&clock, []).and_then(|()| fs::metadata(&clock)?.modified());
    let _ = fs::remove_file(&clock);
    let (Ok(now), Ok(entries)) = (now, fs::read_dir(stage)) else { return };
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age > STAGE_KEPT)) {
            let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }
}

/// A name that no other process or thread on this machine uses at the moment.
pub(crate) fn unique_name() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let mut random = [0; 8];
    // Without a source of randomness the process id and the count still keep live names apart.
    let _ = getrandom::fill(&mut random);
    format!("{:x}-{count:x}-{:016x}", std::process::id(), u64::from_le_bytes(random))
}
