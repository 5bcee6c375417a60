//! What projects use without linking it: the roots of a collection.
//!
//! A project whose tree is virtual has no files of its own, so its packages must stay as long as it does. It registers
//! them: one file in `projects/`, named by a digest of the project's directory and of what it uses, that lists both. A
//! process that serves such a project holds a shared lock on its file.
//!
//! A registration holds its entries while
//! * a process has it locked, which ends with that process however it ends; or
//! * it is the latest one of its project, and the project's directory is still there.
//!
//! So a server keeps what it began with when the project has moved on, and a project that was installed, and is not
//! running, starts without the network. Anything else in `projects/` is removed by the next collection: it takes an
//! exclusive lock first, and a process that gets its shared lock afterwards sees that the file has no name any more and
//! writes a new one.
//!
//! A file is written in `stage/` and locked before it gets its name, so nobody sees half of one, or one that is unlocked
//! although its process lives.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    EntryName, PUBLISH_ATTEMPTS_MAX, Store, StoreError, create_private, entries::listed, locks::lock_shared, package,
    unique_name, uses::is_at,
};
use crate::{extract::PATH_BYTES_MAX, integrity::Integrity};

/// What a registration begins with: the format and its version.
const MAGIC: [u8; 8] = *b"atollpj1";
/// Most packages that a project can register: 2^18. The largest trees known to us have some 10,000.
const PACKAGES_MAX: usize = 1 << 18;
/// Longest registration, in bytes.
const BYTES_MAX: usize = MAGIC.len() + 4 + PATH_BYTES_MAX + PACKAGES_MAX * blake3::OUT_LEN;

/// A registered use, for as long as this is not dropped. The registration itself stays; see the module's description.
#[derive(Debug)]
pub struct Registration {
    _locked: File,
}

/// A registration as a collection sees it.
#[derive(Debug)]
pub(super) struct Registered {
    path: PathBuf,
    file: File,
    /// `None` when it cannot be read.
    content: Option<(PathBuf, Vec<EntryName>)>,
    written: SystemTime,
}

/// What the registrations say.
#[derive(Debug, Default)]
pub(super) struct Roots {
    pub(super) names: HashSet<EntryName>,
    /// Registrations that hold.
    pub(super) live: usize,
    /// Those that were, or would be, forgotten.
    pub(super) forgotten: usize,
}

impl Store {
    /// Registers that the project in this directory uses these packages. Call it after they are in the store, and before
    /// [`USED_FOR`](super::USED_FOR) has passed since they were looked up.
    ///
    /// # Errors
    /// When the registration cannot be written.
    pub fn register<'a>(
        &self,
        project: &Path,
        uses: impl IntoIterator<Item = &'a Integrity>,
    ) -> Result<Registration, StoreError> {
        let wrap = |source| StoreError { action: "register a project in", path: self.projects.clone(), source };
        let names: Vec<EntryName> = uses.into_iter().map(EntryName::of).collect();
        let bytes = encode(project, names).map_err(wrap)?;
        create_private(&self.projects).map_err(wrap)?;
        let path = self.projects.join(blake3::hash(&bytes).to_hex().as_str());
        for _ in 0..PUBLISH_ATTEMPTS_MAX {
            if let Some(registration) = take(&path, &bytes).map_err(wrap)? {
                return Ok(registration);
            }
            if let Some(registration) = self.write(&path, &bytes).map_err(wrap)? {
                return Ok(registration);
            }
        }
        Err(wrap(io::Error::other("other processes keep replacing it")))
    }

    /// A new registration; `None` when there is one in the meantime.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<Option<Registration>> {
        let temporary = super::Temporary(self.stage_dir().join(unique_name()));
        let mut file = File::options().read(true).write(true).create_new(true).open(&temporary.0)?;
        file.write_all(bytes)?;
        file.lock_shared()?;
        match fs::hard_link(&temporary.0, path) {
            Ok(()) => Ok(Some(Registration { _locked: file })),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every registration.
    pub(super) fn registrations(&self) -> Result<Vec<Registered>, StoreError> {
        let mut found = Vec::new();
        for (_, path) in listed(&self.projects)? {
            // Gone, or no file: neither is a registration.
            let Ok(file) = package::open_plain(&path) else { continue };
            let Ok(metadata) = file.metadata() else { continue };
            let Ok(written) = metadata.modified() else { continue };
            if metadata.is_file() {
                let content = read(&file).ok().and_then(|bytes| decode(&bytes));
                found.push(Registered { path, file, content, written });
            }
        }
        Ok(found)
    }

    /// What is held, after forgetting the registrations that hold no more (unless `dry_run`).
    pub(super) fn roots(&self, dry_run: bool) -> Result<Roots, StoreError> {
        let registrations = self.registrations()?;
        let mut latest: HashMap<&Path, SystemTime> = HashMap::new();
        for registered in &registrations {
            if let Some((project, _)) = &registered.content {
                let written = latest.entry(project).or_insert(registered.written);
                *written = registered.written.max(*written);
            }
        }
        let mut roots = Roots::default();
        for registered in &registrations {
            let is_latest = registered.content.as_ref().is_some_and(|(project, _)| {
                latest.get(project.as_path()) == Some(&registered.written) && project.is_dir()
            });
            if !is_latest && registered.file.try_lock().is_ok() {
                roots.forgotten += 1;
                if !dry_run {
                    let wrap = |source| StoreError { action: "remove", path: registered.path.clone(), source };
                    fs::remove_file(&registered.path).map_err(wrap)?;
                }
                continue;
            }
            roots.live += 1;
            roots.names.extend(registered.content.iter().flat_map(|(_, names)| names));
        }
        Ok(roots)
    }
}

/// Takes part in a registration that is there and says the same. `None` when it must be written anew.
fn take(path: &Path, bytes: &[u8]) -> io::Result<Option<Registration>> {
    let file = match package::open_plain(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // A collection holds its lock for as long as it takes to remove the name.
    lock_shared(&file)?;
    let is_named = is_at(&file.metadata()?, path);
    if is_named && read(&file)? != bytes {
        fs::remove_file(path)?;
        return Ok(None);
    }
    if is_named {
        // Of several registrations of the project this is the latest one now.
        let _ = file.set_modified(SystemTime::now());
    }
    Ok(is_named.then_some(Registration { _locked: file }))
}

fn read(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Magic, length of the directory's path (u32, little endian), the path, the names in ascending order.
fn encode(project: &Path, mut names: Vec<EntryName>) -> io::Result<Vec<u8>> {
    let path = project.as_os_str().as_bytes();
    names.sort_unstable();
    names.dedup();
    if path.len() > PATH_BYTES_MAX || names.len() > PACKAGES_MAX || !project.is_absolute() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the project's path or its tree is too long"));
    }
    let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + path.len() + names.len() * blake3::OUT_LEN);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&(path.len() as u32).to_le_bytes());
    bytes.extend_from_slice(path);
    bytes.extend(names.iter().flat_map(|name| name.0));
    Ok(bytes)
}

/// Reads what [`encode`] wrote; `None` when it did not.
fn decode(bytes: &[u8]) -> Option<(PathBuf, Vec<EntryName>)> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (path, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (names, left) = rest.as_chunks::<{ blake3::OUT_LEN }>();
    let is_whole = left.is_empty() && path.len() <= PATH_BYTES_MAX && names.len() <= PACKAGES_MAX;
    is_whole.then(|| (PathBuf::from(OsStr::from_bytes(path)), names.iter().map(|name| EntryName(*name)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_registered_is_read() {
        let names = vec![EntryName([2; 32]), EntryName([1; 32]), EntryName([2; 32])];
        let project = Path::new(OsStr::from_bytes(b"/a\xff\n/b"));
        let bytes = encode(project, names).unwrap();
        let expected = (project.to_path_buf(), vec![EntryName([1; 32]), EntryName([2; 32])]);
        assert_eq!(decode(&bytes), Some(expected));
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_none_or(|(_, names)| names.len() < 2), "cut at {end}");
        }
        assert!(encode(Path::new("relative"), Vec::new()).is_err());
    }
}
