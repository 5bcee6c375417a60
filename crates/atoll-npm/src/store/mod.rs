//! The store: packages on this machine, by what their tarballs hash to.
//!
//! # Contract
//! One directory per user, shared by all projects and by any number of processes at once. An entry is one package, under a
//! name made from its integrity, in one of two forms or in both: *packed*, one file that has everything ([`Form::Packed`]),
//! or *unpacked*, a directory to link from ([`Form::Unpacked`]). It is stored in the form that is needed first; the other
//! one is made from that when it is needed, without the network. What the store gives is complete, was stored by this
//! machine, and has not been changed since as far as a look can tell; everything else is as if it were not there, and is
//! replaced. Whoever makes one form of the other compares every byte with the hashes in the index.
//!
//! # Layout
//! ```text
//! <store>/v1/<2 hex>/<62 hex>.pack        a packed entry: contents, index, proof
//! <store>/v1/<2 hex>/<62 hex>/<number>    an unpacked one: its files, numbered as they came; from the 64th on
//!                             <n>/<number>    in directories of 64, which have their first file's number
//! <store>/v1/<2 hex>/<62 hex>/index       …: the proof (32 bytes), then the index, which has their paths; written last
//! <store>/v1/stage/<unique>               entries in the making, and evicted ones on their way out
//! <store>/projects/<64 hex>               what a project uses without linking it
//! ```
//! The name is BLAKE3 of the integrity's text. Linking reads the index and never lists a directory.
//!
//! # Belief
//! Every index comes with a keyed BLAKE3 over the entry's name and the index, and the index has a keyed hash of every file
//! ([`content`]). The key ([`MachineKey`]) is not in the store. A store that came from elsewhere, for instance from a shared CI cache, is
//! therefore not believed at all: its entries are fetched again. A proof is made only after the tarball's integrity was
//! right. Changes in place, the hazard of hard links, are caught by size and modification time of every unpacked file,
//! which [`Store::get`] compares before an entry is used; nothing links to a pack, and its permissions let nobody write.
//! [`Store::verify`] reads everything.
//!
//! # Concurrency and crashes
//! An entry is built in `stage/` and becomes visible by one rename after its proof is written, so there are no half entries.
//! Two processes that store the same package both build it; the second rename finds the name taken and discards its own, so
//! that a pack that somebody reads lazily stays the same file. An entry that is not believed is renamed into `stage/` before
//! its replacement takes the name. A killed process leaves something in `stage/`; it is removed once it is older than
//! [`STAGE_KEPT`]. Nothing is synced: after a power loss a file can lack writes; a pack without its last ones has no footer,
//! of unpacked files the size comparison finds those whose size was not written either, and [`Store::verify`] finds the rest.
//! How entries are collected while others use them is in `uses`, what projects hold in `projects`.

mod collect;
mod content;
mod convert;
mod directory;
mod entries;
mod index;
mod key;
mod locks;
mod pack;
mod package;
mod projects;
mod staged;
mod uses;
mod verify;

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

pub use collect::{CollectOptions, Collected, Removed, UNUSED_FOR};
pub(crate) use directory::write_name;
pub use entries::Status;
pub use index::{Form, IndexedFile, decode as decode_index};
pub use key::MachineKey;
pub(crate) use key::PROOF_BYTES;
pub use package::Package;
pub use projects::Registration;
pub(crate) use staged::StageError;
pub use staged::Staged;
use staged::{Temporary, Writer};
pub use uses::{MARKED_EVERY, USED_FOR};
pub use verify::{Bad, Problem, Verified, VerifyProgress};

use crate::integrity::Integrity;

/// How long something in `stage/` may be in the making before it counts as left behind by a killed process.
pub const STAGE_KEPT: Duration = Duration::from_hours(24);
/// How often to try to take an entry's name while other processes replace it.
const PUBLISH_ATTEMPTS_MAX: usize = 8;

/// The store of one user.
#[derive(Clone, Debug)]
pub struct Store {
    /// Where entries are.
    root: PathBuf,
    /// Where projects register.
    projects: PathBuf,
    key: MachineKey,
}

/// A believed package to link from.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The directory that has the package's files: see [`IndexedFile::place_in_entry`].
    pub dir: PathBuf,
    /// Its files.
    pub files: Vec<IndexedFile>,
    /// A moment ago its files were as the index says: this process wrote them then, or looked at each. They need not be compared
    /// again.
    pub is_fresh: bool,
}

impl Entry {
    /// How large its index is, in bytes.
    pub(crate) fn index_bytes(&self) -> u64 {
        index::encoded_bytes(&self.files, Form::Unpacked) as u64
    }
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

/// BLAKE3 of an integrity's text, which an entry is stored under and its proof is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct EntryName([u8; blake3::OUT_LEN]);

impl EntryName {
    fn of(integrity: &Integrity) -> Self {
        Self(*blake3::hash(integrity.to_string().as_bytes()).as_bytes())
    }
}

impl Store {
    /// Opens the store at `root`, creating it if need be: for this user only. One that cannot be written to is good for
    /// what it has.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(root: &Path, key: MachineKey) -> Result<Self, StoreError> {
        let store = Self { root: root.join("v1"), projects: root.join("projects"), key };
        let stage = store.stage_dir();
        create_private(&stage).map_err(|source| StoreError { action: "create", path: stage.clone(), source })?;
        sweep(&stage);
        Ok(store)
    }

    /// The unpacked entry for this integrity, if there is one that can be believed.
    ///
    /// Looks at every file's size and modification time.
    pub fn get(&self, integrity: &Integrity) -> Option<Entry> {
        self.untouched(&EntryName::of(integrity))
    }

    fn untouched(&self, name: &EntryName) -> Option<Entry> {
        self.indexed(name).filter(|entry| {
            let is_untouched = |file: &IndexedFile| {
                fs::symlink_metadata(entry.dir.join(file.place_in_entry()))
                    .is_ok_and(|metadata| directory::is_untouched(&metadata, file))
            };
            entry.files.iter().all(is_untouched)
        })
    }

    /// The unpacked entry for this integrity as its believed index describes it, without a look at the files.
    pub fn index(&self, integrity: &Integrity) -> Option<Entry> {
        self.indexed(&EntryName::of(integrity))
    }

    /// How large the index is of what is under this integrity's name to link from, believed or not, in bytes: one `statx`.
    pub(crate) fn index_bytes(&self, integrity: &Integrity) -> Option<u64> {
        let dir = self.path(&EntryName::of(integrity), Form::Unpacked);
        fs::symlink_metadata(directory::index_path(&dir)).ok().map(|metadata| metadata.len())
    }

    fn indexed(&self, name: &EntryName) -> Option<Entry> {
        let dir = self.path(name, Form::Unpacked);
        let path = directory::index_path(&dir);
        let file = package::open_plain(&path).ok()?;
        let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
        let files = directory::believe(&file, metadata.len(), name, &self.key).ok()??;
        uses::note(&file, &path, &metadata).then_some(Entry { dir, files, is_fresh: false })
    }

    /// The package for this integrity, if there is one that can be believed: packed, or else unpacked. Looks at no file of
    /// an unpacked one; [`Package::open`] does.
    pub fn package(&self, integrity: &Integrity) -> Option<Package> {
        let name = EntryName::of(integrity);
        self.pack(&name).or_else(|| {
            let Entry { dir, files, .. } = self.indexed(&name)?;
            Some(Package::unpacked(dir, files))
        })
    }

    fn pack(&self, name: &EntryName) -> Option<Package> {
        let path = self.path(name, Form::Packed);
        let file = package::open_plain(&path).ok()?;
        let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
        let believed = pack::believe(&file, metadata.len(), name, &self.key).ok()??;
        uses::note(&file, &path, &metadata).then(|| Package::packed(path, believed))
    }

    /// Whether there is something under this integrity's name in either form, believed or not: one `access`, or two, which
    /// cost less than a `stat`, for whoever asks about thousands.
    pub fn contains(&self, integrity: &Integrity) -> bool {
        let name = EntryName::of(integrity);
        let is_there = |path: &Path| rustix::fs::access(path, rustix::fs::Access::EXISTS).is_ok();
        is_there(&self.path(&name, Form::Packed)) || is_there(&directory::index_path(&self.path(&name, Form::Unpacked)))
    }

    /// Whether something has the name of this package's pack.
    pub(crate) fn may_have_pack(&self, integrity: &Integrity) -> bool {
        fs::symlink_metadata(self.path(&EntryName::of(integrity), Form::Packed)).is_ok()
    }

    /// A new entry to [`extract`](crate::extract::extract) a package into.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn stage(&self, form: Form) -> Result<Staged, StoreError> {
        let path = self.stage_dir().join(unique_name());
        Staged::create(path.clone(), form, self.key.contents()).map_err(|source| StoreError {
            action: "create",
            path,
            source,
        })
    }

    /// Makes a staged package visible. The caller has verified that its files came out of bytes of this `integrity`.
    /// When another process was first, `staged` is discarded. Otherwise, and if it is unpacked, it is returned.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn publish(&self, staged: Staged, integrity: &Integrity) -> Result<Option<Entry>, StoreError> {
        self.publish_as(staged, &EntryName::of(integrity))
    }

    fn publish_as(&self, staged: Staged, name: &EntryName) -> Result<Option<Entry>, StoreError> {
        let Staged { writer, mut files, temporary, .. } = staged;
        files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        let (form, sealed) = match writer {
            Writer::Pack(writer) => (Form::Packed, writer.seal(name, &files, &self.key)),
            Writer::Directory(_) => (Form::Unpacked, directory::seal(&temporary.0, name, &files, &self.key)),
        };
        sealed.map_err(|source| StoreError { action: "write", path: temporary.0.clone(), source })?;
        let is_mine = self.put(temporary, name, form)?;
        let dir = self.path(name, form);
        Ok((is_mine && form == Form::Unpacked).then_some(Entry { dir, files, is_fresh: true }))
    }

    /// Whether this one has the name now, and not another process's.
    fn put(&self, temporary: Temporary, name: &EntryName, form: Form) -> Result<bool, StoreError> {
        let path = self.path(name, form);
        let wrap = |source| StoreError { action: "publish", path: path.clone(), source };
        for _ in 0..PUBLISH_ATTEMPTS_MAX {
            match rename_to_free(&temporary.0, &path) {
                Ok(()) => {
                    temporary.keep();
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let parent = path.parent().unwrap_or(&self.root);
                    fs::create_dir_all(parent).map_err(wrap)?;
                }
                Err(error) if is_taken(&error) => {
                    if self.is_believed(name, form) {
                        return Ok(false);
                    }
                    self.take_out(&path)?;
                }
                Err(error) => return Err(wrap(error)),
            }
        }
        Err(wrap(io::Error::other("other processes keep replacing it")))
    }

    /// Whether there is an entry of this form that would be used.
    fn is_believed(&self, name: &EntryName, form: Form) -> bool {
        match form {
            Form::Packed => self.pack(name).is_some(),
            Form::Unpacked => self.untouched(name).is_some(),
        }
    }

    /// Takes an entry out, in every form, believed or not. No error when there is none.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn evict(&self, integrity: &Integrity) -> Result<(), StoreError> {
        let name = EntryName::of(integrity);
        for form in [Form::Unpacked, Form::Packed] {
            self.take_out(&self.path(&name, form))?;
        }
        Ok(())
    }

    fn path(&self, name: &EntryName, form: Form) -> PathBuf {
        let name = blake3::Hash::from_bytes(name.0).to_hex();
        let (shard, rest) = name.split_at(2);
        match form {
            Form::Packed => self.root.join(shard).join(format!("{rest}.{PACK_EXTENSION}")),
            Form::Unpacked => self.root.join(shard).join(rest),
        }
    }

    fn stage_dir(&self) -> PathBuf {
        self.root.join("stage")
    }
}

/// What the names of packs end with.
const PACK_EXTENSION: &str = "pack";

/// The modification time in the index's unit.
pub(crate) fn modified_ns(metadata: &fs::Metadata) -> i128 {
    use std::os::unix::fs::MetadataExt;
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

/// Renames without taking anything's place. Where the file system cannot promise that, a directory still takes no other's
/// place; of two packs the later one stays, and [`Package::open`] tells if it is another one.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::{
        fs::{CWD, RenameFlags, renameat_with},
        io::Errno,
    };
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => fs::rename(from, to),
        other => Ok(other?),
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AlreadyExists
            | io::ErrorKind::DirectoryNotEmpty
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
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
