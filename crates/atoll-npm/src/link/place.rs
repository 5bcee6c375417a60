//! Brings one file from the store to a project, the cheapest way that the file system allows.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use crate::store::IndexedFile;

/// How files get from the store into a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Another name for the same file. Measured as the cheapest on every file system; on overlayfs a file of a lower layer
    /// is copied up by it, so there it costs what a copy costs and nothing is gained.
    Hardlink,
    /// A file of its own that shares blocks until one is written (btrfs, XFS, bcachefs).
    Reflink,
    /// A copy.
    Copy,
}

const METHODS: [Method; 3] = [Method::Hardlink, Method::Reflink, Method::Copy];

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

    /// Makes `to` the same file as `from`, or its equal.
    pub(crate) fn place(&self, from: &Path, to: &Path, file: &IndexedFile) -> io::Result<()> {
        loop {
            let method = self.method();
            let result = match method {
                Method::Hardlink => fs::hard_link(from, to),
                Method::Reflink => reflink(from, to, file.executable),
                Method::Copy => return copy(from, to, file.executable),
            };
            match result {
                Ok(()) => return Ok(()),
                // This one file has all the names that it can have.
                Err(error) if error.kind() == io::ErrorKind::TooManyLinks => return copy(from, to, file.executable),
                Err(error) if is_unsupported(&error) => self.give_up(method, &error),
                Err(error) => return Err(error),
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
pub(crate) fn copy(from: &Path, to: &Path, executable: bool) -> io::Result<()> {
    let mut source = fs::File::open(from)?;
    let mut target = create(to, executable)?;
    io::copy(&mut source, &mut target)?;
    Ok(())
}

fn create(path: &Path, executable: bool) -> io::Result<fs::File> {
    let mode = if executable { 0o755 } else { 0o644 };
    fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

#[cfg(target_os = "linux")]
fn reflink(from: &Path, to: &Path, executable: bool) -> io::Result<()> {
    let source = fs::File::open(from)?;
    let target = create(to, executable)?;
    rustix::fs::ioctl_ficlone(&target, &source).map_err(|errno| {
        // Out of the way of the copy that follows; if that fails too, it reports.
        let _ = fs::remove_file(to);
        errno.into()
    })
}

#[cfg(not(target_os = "linux"))]
fn reflink(_from: &Path, _to: &Path, _executable: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Errors that mean "never between these two places": another file system or bind mount (EXDEV), not for this user or
/// not on this file system (EPERM, EACCES, ENOTSUP, ENOSYS, ENOTTY, EINVAL).
fn is_unsupported(error: &io::Error) -> bool {
    use rustix::io::Errno;
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
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn file() -> IndexedFile {
        IndexedFile { path: "a".to_owned(), bytes: 5, executable: true, ..IndexedFile::default() }
    }

    #[test]
    fn each_method_gives_the_same_content() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        fs::write(&from, "hello").unwrap();
        let placer = Placer::new();
        placer.place(&from, &dir.path().join("linked"), &file()).unwrap();
        assert_eq!(placer.method(), Method::Hardlink);
        assert_eq!(fs::metadata(&from).unwrap().nlink(), 2);

        placer.give_up(Method::Hardlink, &io::Error::other("because"));
        placer.place(&from, &dir.path().join("cloned-or-copied"), &file()).unwrap();
        placer.give_up(Method::Reflink, &io::Error::other("again"));
        placer.place(&from, &dir.path().join("copied"), &file()).unwrap();
        assert_eq!(placer.method(), Method::Copy);
        assert_eq!(placer.refusal().as_deref(), Some("because"));
        for name in ["cloned-or-copied", "copied"] {
            let path = dir.path().join(name);
            assert_eq!(fs::read_to_string(&path).unwrap(), "hello");
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o111, 0o111);
        }
        assert_eq!(fs::metadata(&from).unwrap().nlink(), 2);
    }

    #[test]
    fn another_file_system_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let Ok(other) = tempfile::tempdir_in("/dev/shm") else { return };
        let device = |path: &Path| fs::metadata(path).unwrap().dev();
        if device(dir.path()) == device(other.path()) {
            return;
        }
        let from = dir.path().join("from");
        fs::write(&from, "hello").unwrap();
        let placer = Placer::new();
        let to = other.path().join("to");
        placer.place(&from, &to, &file()).unwrap();
        assert_eq!(placer.method(), Method::Copy);
        assert!(placer.refusal().is_some());
        assert_eq!(fs::read_to_string(to).unwrap(), "hello");
    }

    #[test]
    fn a_missing_source_is_not_a_reason_to_change_the_method() {
        let dir = tempfile::tempdir().unwrap();
        let placer = Placer::new();
        let error = placer.place(&dir.path().join("none"), &dir.path().join("to"), &file()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(placer.method(), Method::Hardlink);
    }
}
