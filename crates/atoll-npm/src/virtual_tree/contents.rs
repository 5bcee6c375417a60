//! What is in a package: its index, read from the store when somebody first asks for it.
//!
//! An index is a list of paths, sorted by their bytes. That is all that is kept of a package: a directory is the run of paths
//! that begin with its name, found by bisection, so directories cost no memory, and a listing leaps from one name to the
//! next.
//!
//! # Memory
//! About 125 bytes a file ([`Contents::bytes`]), of packages that somebody has asked for. When those of one tree come to
//! more than [`KEPT_BYTES_MAX`], the ones that nobody has asked for lately go, to be read again if need be: numbers of
//! files do not depend on that.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError, TryLockError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use atoll_vfs::{Errno, FileKind, MAX_NAME_BYTES, may_wait};

use super::file::Reading;
use super::nodes::{LockedPackage, PackageId};
use crate::{
    link::bins::{SHEBANG_BYTES_MAX, shebang_carriage_return},
    store::{IndexedFile, Package, Store},
};

/// What the indexes of one tree may take together: 32 MiB, enough for 250,000 files, which few trees have. A server has
/// one tree for each deployment.
const KEPT_BYTES_MAX: usize = 32 << 20;

/// What a path in a package leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// The file of this index.
    File(usize),
    /// A directory: index of the first file below it, and how many names deep it lies in the package, from 1.
    Directory { first: usize, depth: usize },
}

/// A package's index, and what was found out of its files.
#[derive(Debug)]
pub(super) struct Contents {
    package: Package,
    commands: Vec<Command>,
}

/// A file that a command runs: it is executable whatever its mode says.
#[derive(Debug)]
struct Command {
    index: usize,
    /// Where its first line has a carriage return at its end, which would make the kernel look for `node\r`: it is left
    /// out. Found out when somebody first asks for the file.
    carriage_return: OnceLock<Option<u64>>,
}

impl Contents {
    fn new(package: Package, locked: &LockedPackage) -> Self {
        let files = package.files();
        let find = |path: &str| files.binary_search_by(|file| file.path.as_str().cmp(path)).ok();
        let commands = locked.commands.iter().filter_map(|path| find(path));
        let commands = commands.map(|index| Command { index, carriage_return: OnceLock::new() }).collect();
        Self { package, commands }
    }

    /// About what it takes.
    fn bytes(&self) -> usize {
        let files = self.package.files().iter();
        size_of::<Self>() + files.map(|file| size_of::<IndexedFile>() + file.path.capacity()).sum::<usize>()
    }

    pub(super) fn file(&self, index: usize) -> &IndexedFile {
        &self.package.files()[index]
    }

    /// What the path (not empty) leads to.
    pub(super) fn find(&self, path: &[u8]) -> Result<Within, Errno> {
        self.look_up(path).ok_or_else(|| self.explain(path))
    }

    fn look_up(&self, path: &[u8]) -> Option<Within> {
        let files = self.package.files();
        let after = match files.binary_search_by(|file| file.path.as_bytes().cmp(path)) {
            Ok(index) => return Some(Within::File(index)),
            Err(after) => after,
        };
        // What is below the path comes after all that sorts between it and the slash: `a-b` is before `a/b`.
        let start = slashed(path);
        let first = after + files[after..].partition_point(|file| file.path.as_bytes() < &start[..]);
        let is_directory = files.get(first).is_some_and(|file| file.path.as_bytes().starts_with(&start));
        let depth = start.split(|byte| *byte == b'/').count() - 1;
        is_directory.then_some(Within::Directory { first, depth })
    }

    /// The path of a directory, by what [`Contents::find`] said of it.
    pub(super) fn folder(&self, first: usize, depth: usize) -> &[u8] {
        let path = self.file(first).path.as_bytes();
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
        &path[..ends.take(depth).last().unwrap_or(0)]
    }

    /// Why there is nothing at a path, as a kernel finds out from its first name on.
    fn explain(&self, path: &[u8]) -> Errno {
        let mut end = 0;
        for name in path.split(|byte| *byte == b'/') {
            if name.len() > MAX_NAME_BYTES {
                return Errno::ENAMETOOLONG;
            }
            end += name.len();
            if end == path.len() {
                break;
            }
            match self.look_up(&path[..end]) {
                Some(Within::Directory { .. }) => {}
                Some(Within::File(_)) => return Errno::ENOTDIR,
                None => return Errno::ENOENT,
            }
            end += 1;
        }
        Errno::ENOENT
    }

    /// The names in the directory at `path` (empty for the package itself), in the order of their bytes.
    pub(super) fn list(&self, path: &[u8], each: &mut dyn FnMut(&[u8], FileKind)) {
        let files = self.package.files();
        let start = if path.is_empty() { Vec::new() } else { slashed(path) };
        let mut index = files.partition_point(|file| file.path.as_bytes() < &start[..]);
        while let Some(rest) = files.get(index).and_then(|file| file.path.as_bytes().strip_prefix(&start[..])) {
            let Some(end) = rest.iter().position(|byte| *byte == b'/') else {
                each(rest, FileKind::Regular);
                index += 1;
                continue;
            };
            each(&rest[..end], FileKind::Directory);
            // To behind everything in that directory: `0` is what follows the slash.
            let mut after = [&start[..], &rest[..end]].concat();
            after.push(b'/' + 1);
            index += files[index..].partition_point(|file| file.path.as_bytes() < &after[..]);
        }
    }

    /// Whether a file may be executed.
    pub(super) fn is_executable(&self, index: usize) -> bool {
        self.file(index).executable || self.command(index).is_some()
    }

    fn command(&self, index: usize) -> Option<&Command> {
        self.commands.iter().find(|command| command.index == index)
    }

    /// Where a byte of the stored file is left out.
    ///
    /// # Errors
    /// See [`Contents::open`]; only for files that commands run, and only the first time.
    pub(super) fn left_out(&self, index: usize) -> Result<Option<u64>, Unreadable> {
        let Some(command) = self.command(index) else { return Ok(None) };
        if let Some(known) = command.carriage_return.get() {
            return Ok(*known);
        }
        let file = self.open_stored(index, None)?;
        let mut start = [0; SHEBANG_BYTES_MAX];
        let count = file.fill(&mut start, 0).map_err(Unreadable::Fails)?;
        let found = shebang_carriage_return(&start[..count]).map(|at| at as u64);
        Ok(*command.carriage_return.get_or_init(|| found))
    }

    /// Bytes of a file as it is shown.
    pub(super) fn size(&self, index: usize) -> Result<u64, Unreadable> {
        Ok(self.file(index).bytes - u64::from(self.left_out(index)?.is_some()))
    }

    /// Opens a file.
    pub(super) fn open(&self, index: usize) -> Result<Reading, Unreadable> {
        let left_out = self.left_out(index)?;
        self.open_stored(index, left_out)
    }

    fn open_stored(&self, index: usize, left_out: Option<u64>) -> Result<Reading, Unreadable> {
        may_wait().map_err(Unreadable::Fails)?;
        let (file, start, length) = self.package.open(index).map_err(|error| Unreadable::of(&error))?;
        // What the store says of the same file twice must agree.
        if length != self.file(index).bytes {
            return Err(Unreadable::Damaged);
        }
        Ok(Reading::new(file, start, length, left_out))
    }
}

/// Why a file of a package, or its index, cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is gone from the store, or is not what was stored.
    Damaged,
    /// Something else, which says nothing about the package.
    Fails(Errno),
}

impl Unreadable {
    fn of(error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{InvalidData, NotADirectory, NotFound};
        if matches!(error.kind(), NotFound | NotADirectory | InvalidData) {
            return Self::Damaged;
        }
        let is_short = [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM];
        let errno = is_short.into_iter().find(|errno| error.raw_os_error() == Some(errno.raw()));
        Self::Fails(errno.unwrap_or(Errno::EIO))
    }
}

/// The indexes of a tree's packages, as far as they are in memory.
#[derive(Debug)]
pub(super) struct Shelf {
    slots: Box<[Slot]>,
    bytes: AtomicUsize,
    bytes_max: usize,
    /// Where the last search for something to drop ended.
    hand: Mutex<usize>,
}

#[derive(Debug, Default)]
struct Slot {
    kept: Mutex<Option<Arc<Contents>>>,
    /// Somebody has asked for it since the hand passed.
    was_used: AtomicBool,
}

impl Shelf {
    pub(super) fn new(packages: usize) -> Self {
        Self::with_room(packages, KEPT_BYTES_MAX)
    }

    fn with_room(packages: usize, bytes_max: usize) -> Self {
        let mut slots = Vec::new();
        slots.resize_with(packages, Slot::default);
        Self { slots: slots.into(), bytes: AtomicUsize::new(0), bytes_max, hand: Mutex::new(0) }
    }

    /// Bytes of all that is kept.
    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The index of a package, read once however many ask at a time.
    pub(super) fn get(
        &self,
        id: PackageId,
        locked: &LockedPackage,
        store: &Store,
    ) -> Result<Arc<Contents>, Unreadable> {
        let slot = &self.slots[id as usize];
        let contents = {
            let mut kept = match slot.kept.try_lock() {
                Ok(kept) => kept,
                // Somebody reads it.
                Err(TryLockError::WouldBlock) => {
                    may_wait().map_err(Unreadable::Fails)?;
                    slot.kept.lock().unwrap_or_else(PoisonError::into_inner)
                }
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            };
            slot.was_used.store(true, Ordering::Relaxed);
            if let Some(contents) = &*kept {
                return Ok(Arc::clone(contents));
            }
            may_wait().map_err(Unreadable::Fails)?;
            let package = store.package(&locked.integrity).ok_or(Unreadable::Damaged)?;
            let contents = Arc::new(Contents::new(package, locked));
            self.bytes.fetch_add(contents.bytes(), Ordering::Relaxed);
            *kept = Some(Arc::clone(&contents));
            contents
        };
        self.make_room(id as usize);
        Ok(contents)
    }

    /// Drops what was not used since the hand last came by, until the rest fits. Two rounds find something unless one
    /// package alone is too large, which stays.
    fn make_room(&self, newest: usize) {
        if self.bytes() <= self.bytes_max {
            return;
        }
        let mut hand = self.hand.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..2 * self.slots.len() {
            if self.bytes() <= self.bytes_max {
                return;
            }
            *hand = (*hand + 1) % self.slots.len();
            let slot = &self.slots[*hand];
            if *hand == newest || slot.was_used.swap(false, Ordering::Relaxed) {
                continue;
            }
            // One that is being read at the moment is in use.
            let Ok(mut kept) = slot.kept.try_lock() else { continue };
            if let Some(contents) = kept.take() {
                self.bytes.fetch_sub(contents.bytes(), Ordering::Relaxed);
            }
        }
    }
}

fn slashed(path: &[u8]) -> Vec<u8> {
    [path, b"/"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        integrity::Integrity,
        store::{Form, MachineKey},
    };

    /// A store with packages of these files.
    fn stored(packages: &[&[&str]]) -> (tempfile::TempDir, Store, Vec<LockedPackage>) {
        let home = tempfile::tempdir().unwrap();
        let key = MachineKey::open(&home.path().join("state")).unwrap();
        let store = Store::open(&home.path().join("store"), key).unwrap();
        let publish = |(number, paths): (usize, &&[&str])| {
            let digest = format!("sha1-{:A<26}A=", "ABCDEFGHIJ".chars().nth(number).unwrap());
            let integrity = Integrity::parse(&digest).unwrap();
            let mut staged = store.stage(Form::Packed).unwrap();
            for path in *paths {
                staged.file((*path).to_owned(), false, path.len() as u64, &mut path.as_bytes()).ok().unwrap();
            }
            store.publish(staged, &integrity).unwrap();
            LockedPackage { label: format!("p{number}").into(), integrity, commands: Box::default() }
        };
        let packages = packages.iter().enumerate().map(publish).collect();
        (home, store, packages)
    }

    const SORTED: &[&str] = &["a", "b-c", "b/c", "b/d/e", "b/d0", "b0", "c.js", "c/d"];

    #[test]
    fn directories_are_runs_of_paths() {
        let (_home, store, packages) = stored(&[SORTED]);
        let shelf = Shelf::new(1);
        let contents = shelf.get(0, &packages[0], &store).unwrap();
        let list = |path: &str| {
            let mut names = Vec::new();
            contents.list(path.as_bytes(), &mut |name, kind| {
                names.push((String::from_utf8(name.to_vec()).unwrap(), kind == FileKind::Directory));
            });
            names
        };
        let names =
            |names: &[(&str, bool)]| names.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect::<Vec<_>>();
        let top = [("a", false), ("b-c", false), ("b", true), ("b0", false), ("c.js", false), ("c", true)];
        assert_eq!(list(""), names(&top));
        assert_eq!(list("b"), names(&[("c", false), ("d", true), ("d0", false)]));
        assert_eq!(list("b/d"), names(&[("e", false)]));
        assert_eq!(contents.find(b"b/d"), Ok(Within::Directory { first: 3, depth: 2 }));
        assert_eq!(contents.folder(3, 2), b"b/d");
        assert_eq!(contents.find(b"b/d0"), Ok(Within::File(4)));
        let long = "x".repeat(256);
        for (path, errno) in [
            ("b/", Errno::ENOENT),
            ("x", Errno::ENOENT),
            ("x/y", Errno::ENOENT),
            ("a/x", Errno::ENOTDIR),
            ("a/x/y", Errno::ENOTDIR),
            ("b/c/d", Errno::ENOTDIR),
            ("b/d/f", Errno::ENOENT),
            (&long, Errno::ENAMETOOLONG),
            (&format!("b/{long}"), Errno::ENAMETOOLONG),
            (&format!("x/{long}"), Errno::ENOENT),
            (&format!("a/{long}"), Errno::ENOTDIR),
        ] {
            assert_eq!(contents.find(path.as_bytes()), Err(errno), "{path}");
        }
    }

    #[test]
    fn what_was_not_used_lately_makes_room() {
        let (_home, store, packages) = stored(&[SORTED, SORTED, SORTED, SORTED]);
        let one = {
            let shelf = Shelf::new(1);
            shelf.get(0, &packages[0], &store).unwrap();
            shelf.bytes()
        };
        assert!((400..2000).contains(&one), "{one} bytes for eight files");
        let shelf = Shelf::with_room(4, 2 * one);
        let kept = |shelf: &Shelf| -> Vec<bool> {
            shelf.slots.iter().map(|slot| slot.kept.lock().unwrap().is_some()).collect()
        };
        for id in [0, 1, 2, 3, 0, 1, 2] {
            let contents = shelf.get(id, &packages[id as usize], &store).unwrap();
            assert_eq!(contents.find(b"b/c"), Ok(Within::File(2)));
            assert!(shelf.bytes() <= 2 * one);
            assert!(kept(&shelf)[id as usize], "the one that was asked for stays");
        }
        assert_eq!(kept(&shelf).iter().filter(|kept| **kept).count() * one, shelf.bytes());
        // One that is too large alone is kept until another one comes.
        let shelf = Shelf::with_room(4, one / 2);
        for id in 0..4 {
            shelf.get(id, &packages[id as usize], &store).unwrap();
            assert_eq!(shelf.bytes(), one);
        }
    }
}
