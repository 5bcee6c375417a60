//! Brings one file from the store to a project, the cheapest way that the file system allows.
//!
//! Both files are named relative to a descriptor of a directory that they are in or under: the kernel then walks a part of
//! the path only, and whatever happens to the directories' names meanwhile, source and target are where they were.

use std::{
    fs::File,
    io,
    os::fd::BorrowedFd,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use atoll_sys::{
    Errno,
    fs::{FileType, Mode, OFlags, Stat, link_at, open_at, stat, stat_at},
    overlay,
};

use crate::store::IndexedFile;

/// How files get from the store into a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Another name for the same file. The cheapest on every file system, but for files in a lower layer of an overlayfs: see
    /// [`Placer::spare_lower_layers`].
    Hardlink,
    /// A file of its own that shares blocks until one is written (btrfs, XFS, bcachefs).
    Reflink,
    /// A copy.
    Copy,
}

const METHODS: [Method; 3] = [Method::Hardlink, Method::Reflink, Method::Copy];

/// What came of placing a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It is there.
    Done,
    /// The stored file is gone, or is not what the index says. Nothing was placed.
    Damaged,
}

/// A file's name under an open directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'a> {
    pub(crate) dir: BorrowedFd<'a>,
    pub(crate) name: &'a str,
}

/// The method in use, chosen by trying: each is used until the kernel says that it cannot work here at all.
#[derive(Debug)]
pub(crate) struct Placer {
    method: AtomicU8,
    refusal: Mutex<Option<String>>,
}

impl Placer {
    pub(crate) fn new() -> Self {
        Self { method: AtomicU8::new(0), refusal: Mutex::new(None) }
    }

    pub(crate) fn method(&self) -> Method {
        METHODS[usize::from(self.method.load(Ordering::Relaxed))]
    }

    /// Why hard links are not used, when they are not.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives hard links up when a package of the store lies in a lower layer of an overlayfs, as the store of an image does in a
    /// container. The kernel copies such a file to the upper layer before it links it, and waits for the disk: measured as 2.6 ms for
    /// a file of 15 kB, where a copy takes 0.13 ms, and a link in the upper layer 0.025 ms. Where the kernel does not tell
    /// which layer it is, a copy loses less.
    pub(crate) fn spare_lower_layers(&self, package: BorrowedFd<'_>) {
        if self.method() == Method::Hardlink && !matches!(overlay::is_in_upper(package), Ok(Some(true))) {
            let reason = "the store is in a lower layer of an overlayfs, where a link takes longer than a copy";
            self.give_up(Method::Hardlink, &io::Error::other(reason));
        }
    }

    /// Makes `to` the same file as `from`, or its equal, if `from` is what the index says. What `is_fresh` needs not be
    /// compared for a link.
    pub(crate) fn place(&self, from: At<'_>, to: At<'_>, file: &IndexedFile, is_fresh: bool) -> io::Result<Placed> {
        loop {
            let method = self.method();
            let result = match method {
                Method::Hardlink => hard_link(from, to, Some(file).filter(|_| !is_fresh)),
                Method::Reflink => reflink(from, to, file),
                Method::Copy => return copy(from, to, file),
            };
            match result {
                // This one file has all the names that it can have.
                Err(error) if error.kind() == io::ErrorKind::TooManyLinks => return copy(from, to, file),
                Err(error) if is_unsupported(&error) => self.give_up(method, &error),
                other => return other,
            }
        }
    }

    fn give_up(&self, method: Method, error: &io::Error) {
        let (current, next) = (method as u8, method as u8 + 1);
        if self.method.compare_exchange(current, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
            refusal.get_or_insert_with(|| error.to_string());
        }
    }
}

/// A file that shares nothing with the store, for packages whose files will be written to.
pub(crate) fn copy(from: At<'_>, to: At<'_>, file: &IndexedFile) -> io::Result<Placed> {
    let Some(mut source) = open_untouched(from, file)? else { return Ok(Placed::Damaged) };
    io::copy(&mut source, &mut create(to, file.executable)?)?;
    Ok(Placed::Done)
}

/// Links; `file` is what to compare with before.
fn hard_link(from: At<'_>, to: At<'_>, file: Option<&IndexedFile>) -> io::Result<Placed> {
    if let Some(file) = file {
        match stat_at(from.dir, from.name.as_bytes()) {
            Ok(stat) if is_untouched(&stat, file) => {}
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Placed::Damaged),
            Err(errno) => return Err(errno.into()),
        }
    }
    match link_at(from.dir, from.name.as_bytes(), to.dir, to.name.as_bytes()) {
        Ok(()) => Ok(Placed::Done),
        // Either went away just now.
        Err(errno @ (Errno::NOENT | Errno::NOTDIR)) if stat_at(from.dir, from.name.as_bytes()) == Err(errno) => {
            Ok(Placed::Damaged)
        }
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(target_os = "linux")]
fn reflink(from: At<'_>, to: At<'_>, file: &IndexedFile) -> io::Result<Placed> {
    let Some(source) = open_untouched(from, file)? else { return Ok(Placed::Damaged) };
    let target = create(to, file.executable)?;
    match rustix::fs::ioctl_ficlone(&target, &source) {
        Ok(()) => Ok(Placed::Done),
        Err(errno) => {
            // Out of the way of the copy that follows; if that fails too, it reports.
            let _ = atoll_sys::fs::unlink_at(to.dir, to.name.as_bytes());
            Err(errno.into())
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn reflink(_from: At<'_>, _to: At<'_>, _file: &IndexedFile) -> io::Result<Placed> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The stored file; `None` when it is gone or is not what the index says.
fn open_untouched(from: At<'_>, file: &IndexedFile) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let source = match open_at(from.dir, from.name.as_bytes(), flags, Mode::empty()) {
        Ok(source) => source,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    Ok(is_untouched(&stat(&source)?, file).then(|| source.into()))
}

/// Whether a stored file is still what was stored: changes in place, through a hard link in some project, leave another
/// size or another time.
fn is_untouched(stat: &Stat, file: &IndexedFile) -> bool {
    let modified_ns = i128::from(stat.modified.seconds) * 1_000_000_000 + i128::from(stat.modified.nanoseconds);
    FileType::from_raw_mode(stat.mode).is_file() && stat.size == file.bytes && modified_ns == file.modified_ns
}

pub(super) fn create(to: At<'_>, executable: bool) -> io::Result<File> {
    let mode = Mode::from_raw_mode(if executable { 0o755 } else { 0o644 });
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    Ok(open_at(to.dir, to.name.as_bytes(), flags, mode)?.into())
}

/// Errors that mean "never between these two places": another file system or bind mount (EXDEV), not for this user or
/// not on this file system (EPERM, EACCES, ENOTSUP, ENOSYS, ENOTTY, EINVAL).
fn is_unsupported(error: &io::Error) -> bool {
    let unsupported = [
        Errno::XDEV,
        Errno::PERM,
        Errno::ACCESS,
        Errno::NOTSUP,
        Errno::OPNOTSUPP,
        Errno::NOSYS,
        Errno::NOTTY,
        Errno::INVAL,
    ];
    error.kind() == io::ErrorKind::Unsupported
        || Errno::from_io_error(error).is_some_and(|errno| unsupported.contains(&errno))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::{fd::AsFd, unix::fs::MetadataExt},
        path::Path,
    };

    use super::*;
    use crate::store::modified_ns;

    /// A folder with the executable file `from`, and what an index says about it.
    fn stored() -> (tempfile::TempDir, IndexedFile) {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        fs::write(&from, "hello").unwrap();
        let metadata = fs::metadata(&from).unwrap();
        let modified_ns = modified_ns(&metadata);
        (
            dir,
            IndexedFile { path: "from".to_owned(), bytes: 5, executable: true, modified_ns, ..IndexedFile::default() },
        )
    }

    fn place(placer: &Placer, from: &Path, to: &Path, name: &str, file: &IndexedFile) -> io::Result<Placed> {
        let (from, to) = (File::open(from).unwrap(), File::open(to).unwrap());
        placer.place(At { dir: from.as_fd(), name: "from" }, At { dir: to.as_fd(), name }, file, false)
    }

    #[test]
    fn each_method_gives_the_same_content() {
        let (dir, file) = stored();
        let placer = Placer::new();
        let place = |name| assert_eq!(place(&placer, dir.path(), dir.path(), name, &file).unwrap(), Placed::Done);
        place("linked");
        assert_eq!(placer.method(), Method::Hardlink);
        assert_eq!(fs::metadata(dir.path().join("from")).unwrap().nlink(), 2);

        placer.give_up(Method::Hardlink, &io::Error::other("because"));
        place("cloned-or-copied");
        placer.give_up(Method::Reflink, &io::Error::other("again"));
        place("copied");
        assert_eq!(placer.method(), Method::Copy);
        assert_eq!(placer.refusal().as_deref(), Some("because"));
        for name in ["cloned-or-copied", "copied"] {
            let path = dir.path().join(name);
            assert_eq!(fs::read_to_string(&path).unwrap(), "hello");
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o111, 0o111);
        }
        assert_eq!(fs::metadata(dir.path().join("from")).unwrap().nlink(), 2);
    }

    #[test]
    fn another_file_system_is_noticed() {
        let (dir, file) = stored();
        let Ok(other) = tempfile::tempdir_in("/dev/shm") else { return };
        let device = |path: &Path| fs::metadata(path).unwrap().dev();
        if device(dir.path()) == device(other.path()) {
            return;
        }
        let placer = Placer::new();
        assert_eq!(place(&placer, dir.path(), other.path(), "to", &file).unwrap(), Placed::Done);
        assert_eq!(placer.method(), Method::Copy);
        assert!(placer.refusal().is_some());
        assert_eq!(fs::read_to_string(other.path().join("to")).unwrap(), "hello");
    }

    #[test]
    fn what_the_index_does_not_know_is_not_placed_by_any_method() {
        type Damage = fn(&Path);
        let damages: [(&str, Damage); 5] = [
            ("gone", |from| fs::remove_file(from).unwrap()),
            ("longer", |from| fs::write(from, "hello!").unwrap()),
            ("changed in place", |from| {
                let time = rustix::fs::Timespec { tv_sec: 1, tv_nsec: 0 };
                let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
                rustix::fs::futimens(File::options().write(true).open(from).unwrap(), &times).unwrap();
            }),
            ("a link", |from| {
                fs::rename(from, from.with_file_name("elsewhere")).unwrap();
                std::os::unix::fs::symlink("elsewhere", from).unwrap();
            }),
            ("a directory", |from| {
                fs::remove_file(from).unwrap();
                fs::create_dir(from).unwrap();
            }),
        ];
        for (name, damage) in damages {
            for given_up in 0..METHODS.len() {
                let (dir, file) = stored();
                damage(&dir.path().join("from"));
                let placer = Placer::new();
                for method in &METHODS[..given_up] {
                    placer.give_up(*method, &io::Error::other("because"));
                }
                let placed = place(&placer, dir.path(), dir.path(), "to", &file).unwrap();
                assert_eq!(placed, Placed::Damaged, "{name}, {:?}", METHODS[given_up]);
                if name == "gone" {
                    let folder = File::open(dir.path()).unwrap();
                    let (from, to) = (At { dir: folder.as_fd(), name: "from" }, At { dir: folder.as_fd(), name: "to" });
                    assert_eq!(placer.place(from, to, &file, true).unwrap(), Placed::Damaged, "also when it is fresh");
                }
                assert_eq!(placer.method(), METHODS[given_up], "{name} is no reason to change the method");
                assert!(fs::symlink_metadata(dir.path().join("to")).is_err(), "{name}");
            }
        }
    }

    #[test]
    fn a_file_with_all_its_names_is_copied_alone() {
        let (dir, file) = stored();
        let placer = Placer::new();
        let from = dir.path().join("from");
        // ext4 allows 65,000 names, other file systems more than is worth trying.
        let is_full = (0..65_000).any(|name| {
            fs::hard_link(&from, dir.path().join(name.to_string()))
                .is_err_and(|error| error.kind() == io::ErrorKind::TooManyLinks)
        });
        assert_eq!(place(&placer, dir.path(), dir.path(), "to", &file).unwrap(), Placed::Done);
        assert_eq!(placer.method(), Method::Hardlink);
        let metadata = fs::metadata(dir.path().join("to")).unwrap();
        assert_eq!(metadata.nlink() == 1, is_full);
        assert_eq!(metadata.mode() & 0o111 == 0o111, is_full, "a copy has the mode of the index");
    }
}
