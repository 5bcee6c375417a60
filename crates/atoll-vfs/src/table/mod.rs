//! The guest's tree: mounts, and the calls that programs make on it.

mod attributes;
mod build;
mod open;
mod resolve;
mod watch;

pub use build::{MountError, MountTableBuilder};
pub use open::OpenFile;
pub use watch::Step;

use crate::layer::{
    AccessMode, Directory, File, FinalLink, Layer, LayerError, LayerResult, Metadata, NewFile, OpenOptions, Time,
    check_link_text,
};
use crate::{Ending, Errno, FsError, GuestPath, LayerPath, Listing};
use std::sync::Arc;

/// What a guest may do below a mount point, whatever the layer could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only; anything else is `EROFS`.
    ReadOnly,
    /// Reading and, where the layer can, writing.
    ReadWrite,
}

#[derive(Debug)]
struct Mount {
    point: GuestPath,
    layer: Arc<dyn Layer>,
    access: Access,
    /// Whether another mount point is below. Links of the layer might lead there, so the table follows them itself.
    has_mounts_below: bool,
}

impl Mount {
    fn require(&self, mutates: bool) -> Result<(), Errno> {
        if mutates && self.access == Access::ReadOnly { Err(Errno::EROFS) } else { Ok(()) }
    }
}

/// How often a path is resolved anew when what it leads through is changed meanwhile. Whoever changes it all the time
/// gets `ELOOP`.
const MAX_RESOLUTIONS: u32 = 8;

/// All mounts of a guest. Immutable once built, and shared by its workers.
///
/// Each call names the system call that its error is to carry, because programs see Node's names and several calls
/// share one operation.
#[derive(Debug)]
pub struct MountTable {
    /// Longest mount point first; the last one is `/`.
    mounts: Vec<Mount>,
}

impl MountTable {
    /// Starts a table.
    pub fn builder() -> MountTableBuilder {
        MountTableBuilder::default()
    }

    /// The mount points with their access, longest first.
    pub fn mounts(&self) -> impl Iterator<Item = (&GuestPath, Access)> {
        self.mounts.iter().map(|mount| (&mount.point, mount.access))
    }

    /// Whether what is below a path, links aside, may be another than at first because guests can write there and did.
    pub fn may_have_changed(&self, path: &GuestPath) -> bool {
        let (mount, _) = self.find(path);
        mount.access != Access::ReadOnly && !mount.layer.is_unchanged()
    }

    /// `stat`: metadata of what the path leads to.
    pub fn metadata(&self, path: &GuestPath) -> Result<Metadata, FsError> {
        self.named("stat", path, |table| table.stat(path, FinalLink::Follow))
    }

    /// `lstat`: metadata of what the path names, a link itself included.
    pub fn symlink_metadata(&self, path: &GuestPath) -> Result<Metadata, FsError> {
        self.named("lstat", path, |table| table.stat(path, FinalLink::Keep))
    }

    /// Opens a file or, for reading, a directory.
    pub fn open(&self, path: &GuestPath, options: &OpenOptions) -> Result<OpenFile, FsError> {
        let open =
            |layer: &dyn Layer, below: LayerPath<'_>, options: &OpenOptions| Ok((layer.open(below, options)?, ()));
        self.named("open", path, |table| table.open_errno(path, options, open)).map(|(file, ())| file)
    }

    /// As [`MountTable::open`], with what `fstat` tells of what was opened.
    pub fn open_described(&self, path: &GuestPath, options: &OpenOptions) -> Result<(OpenFile, Metadata), FsError> {
        let open =
            |layer: &dyn Layer, below: LayerPath<'_>, options: &OpenOptions| layer.open_described(below, options);
        self.named("open", path, |table| table.open_errno(path, options, open))
    }

    /// The whole content of a file; `EFBIG` when it is longer than `limit` bytes.
    pub fn read(&self, path: &GuestPath, limit: u64) -> Result<Vec<u8>, FsError> {
        self.named("open", path, |table| {
            if path.wants_directory() {
                table.require_directory(path)?;
                return Err(Errno::EISDIR);
            }
            table.apply(path, FinalLink::Follow, false, |layer, below| layer.read(below, limit))
        })
        .map_err(|error| match error.errno {
            // The open worked; Node names the read, which knows no path.
            Errno::EISDIR | Errno::EIO => FsError::new(error.errno, "read"),
            _ => error,
        })
    }

    /// As [`MountTable::read`], as text; bytes that are no UTF-8 become U+FFFD.
    pub fn read_to_string(&self, path: &GuestPath, limit: u64) -> Result<String, FsError> {
        let content = self.read(path, limit)?;
        Ok(String::from_utf8(content).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Replaces the content of a file, which is created when missing.
    pub fn write(&self, path: &GuestPath, content: &[u8]) -> Result<(), FsError> {
        self.open(path, &OpenOptions::REPLACE)?.write_all(content)
    }

    /// The names of a directory, in no order that means anything.
    pub fn read_dir(&self, path: &GuestPath) -> Result<Listing, FsError> {
        self.named("scandir", path, |table| {
            table.apply(path, FinalLink::Follow, false, |layer, below| layer.read_dir(below))
        })
    }

    /// As [`MountTable::read_dir`], piece by piece.
    pub fn open_dir(&self, path: &GuestPath) -> Result<Box<dyn Directory>, FsError> {
        self.named("opendir", path, |table| {
            table.apply(path, FinalLink::Follow, false, |layer, below| layer.open_dir(below))
        })
    }

    /// Text of a symbolic link.
    pub fn read_link(&self, path: &GuestPath) -> Result<Vec<u8>, FsError> {
        self.named("readlink", path, |table| {
            if path.wants_directory() {
                table.require_directory(path)?;
                return Err(Errno::EINVAL);
            }
            table.apply(path, FinalLink::Keep, false, |layer, below| layer.read_link(below))
        })
    }

    /// The path without links, `.` and `..`. It must exist.
    pub fn canonicalize(&self, path: &GuestPath) -> Result<GuestPath, FsError> {
        self.named("realpath", path, |table| table.canonical(path))
    }

    /// Whether the guest may do this with the file; only whether it exists when nothing is asked.
    pub fn access(&self, path: &GuestPath, mode: AccessMode) -> Result<(), FsError> {
        self.named("access", path, |table| {
            table.require_wish(path)?;
            let wanted = AccessMode { write: false, ..mode };
            let access = table.apply_with(path, FinalLink::Follow, false, |mount, below| {
                mount.layer.access(below, if mount.access == Access::ReadOnly { wanted } else { mode })?;
                Ok(mount.access)
            })?;
            if mode.write && access == Access::ReadOnly { Err(Errno::EROFS) } else { Ok(()) }
        })
    }

    /// Creates a directory.
    pub fn create_dir(&self, path: &GuestPath, mode: u32) -> Result<(), FsError> {
        self.named("mkdir", path, |table| {
            table.find(path).0.require(true)?;
            table.require_name(path, Errno::EEXIST)?;
            table.apply(path, FinalLink::Keep, true, |layer, below| layer.create_dir(below, mode))
        })
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, path: &GuestPath) -> Result<(), FsError> {
        self.named("rmdir", path, |table| {
            table.find(path).0.require(true)?;
            let unnamed = if path.ending() == Ending::Parent { Errno::ENOTEMPTY } else { Errno::EINVAL };
            table.require_name(path, unnamed)?;
            table.apply_with(path, FinalLink::Keep, true, |mount, below| {
                table.unless_mounted(mount, below)?;
                mount.layer.remove_dir(below)
            })
        })
    }

    /// Removes a name that is no directory.
    pub fn remove_file(&self, path: &GuestPath) -> Result<(), FsError> {
        self.named("unlink", path, |table| {
            table.find(path).0.require(true)?;
            table.require_name(path, Errno::EISDIR)?;
            if path.wants_directory() {
                let is_dir = table.stat(&path.clone().without_slash(), FinalLink::Keep)?.is_dir();
                return Err(if is_dir { Errno::EISDIR } else { Errno::ENOTDIR });
            }
            table.apply(path, FinalLink::Keep, true, |layer, below| layer.remove_file(below))
        })
    }

    /// Removes a name, and where it is a directory all that is below; links are removed, not followed. A mount point below
    /// is `EBUSY`.
    pub fn remove_tree(&self, path: &GuestPath) -> Result<(), FsError> {
        self.named("rm", path, |table| {
            table.find(path).0.require(true)?;
            table.require_name(path, Errno::EINVAL)?;
            // With a slash at the end, a link to a directory is not its own.
            if path.wants_directory() && !table.stat(&path.clone().without_slash(), FinalLink::Keep)?.is_dir() {
                return Err(Errno::ENOTDIR);
            }
            table.apply_with(path, FinalLink::Keep, true, |mount, below| {
                table.unless_mounted(mount, below)?;
                mount.layer.remove_tree(below)
            })
        })
    }

    /// Renames within a mount, replacing what is there as POSIX says.
    pub fn rename(&self, from: &GuestPath, to: &GuestPath) -> Result<(), FsError> {
        self.named("rename", from, |table| {
            table.find(from).0.require(true)?;
            table.find(to).0.require(true)?;
            if from.wants_directory() || to.wants_directory() || from.is_root() || to.is_root() {
                table.require_renaming(from, to)?;
            }
            table.apply_two(from, to, |mount, source, target| {
                table.unless_mounted(mount, source)?;
                table.unless_mounted(mount, target)?;
                mount.layer.rename(source, target)
            })
        })
        .map_err(|error| error.with_dest(to))
    }

    /// Creates a symbolic link with this text. It is not looked at: a link means what it says when it is followed.
    pub fn symlink(&self, target: &[u8], path: &GuestPath) -> Result<(), FsError> {
        use std::os::unix::ffi::OsStrExt;
        let made = self.named("symlink", path, |table| {
            table.find(path).0.require(true)?;
            check_link_text(target)?;
            table.refuse_slash(path)?;
            table.apply(path, FinalLink::Keep, true, |layer, below| layer.symlink(target, below))
        });
        made.map_err(|error| {
            FsError::new(error.errno, "symlink").with_path(std::ffi::OsStr::from_bytes(target)).with_dest(path)
        })
    }

    /// Creates a second name for a file within a mount.
    pub fn hard_link(&self, from: &GuestPath, to: &GuestPath) -> Result<(), FsError> {
        self.named("link", from, |table| {
            table.find(from).0.require(true)?;
            table.find(to).0.require(true)?;
            if from.wants_directory() || to.wants_directory() {
                table.require_linking(from, to)?;
            }
            table.apply_two(from, to, |mount, source, target| mount.layer.hard_link(source, target)).map_err(|errno| {
                // What is wrong with the source comes first, but for what a mount refuses before it looks.
                let source = if errno == Errno::EROFS { Ok(()) } else { table.stat(from, FinalLink::Keep).map(drop) };
                source.err().unwrap_or(errno)
            })
        })
        .map_err(|error| error.with_dest(to))
    }

    /// Sets access and modification time; `last` tells `utimes` from `lutimes`.
    pub fn set_times(&self, path: &GuestPath, last: FinalLink, accessed: Time, modified: Time) -> Result<(), FsError> {
        let syscall = if last == FinalLink::Follow { "utime" } else { "lutime" };
        self.named(syscall, path, |table| {
            table.find(path).0.require(true)?;
            table.require_wish(path)?;
            let last = if path.wants_directory() { FinalLink::Follow } else { last };
            table.apply(path, last, true, |layer, below| layer.set_times(below, last, accessed, modified))
        })
    }

    /// Sets the permission bits, those of `0o777`.
    pub fn set_permissions(&self, path: &GuestPath, mode: u32) -> Result<(), FsError> {
        self.named("chmod", path, |table| {
            table.find(path).0.require(true)?;
            table.require_wish(path)?;
            table.apply(path, FinalLink::Follow, true, |layer, below| layer.set_permissions(below, mode))
        })
    }

    fn named<T>(
        &self,
        syscall: &'static str,
        path: &GuestPath,
        call: impl FnOnce(&Self) -> Result<T, Errno>,
    ) -> Result<T, FsError> {
        call(self).map_err(|errno| FsError::new(errno, syscall).with_path(path))
    }

    fn stat(&self, path: &GuestPath, last: FinalLink) -> Result<Metadata, Errno> {
        // A slash at the end makes a link be followed, and what it leads to be a directory.
        let last = if path.wants_directory() { FinalLink::Follow } else { last };
        let metadata = self.apply(path, last, false, |layer, below| layer.metadata(below, last))?;
        if path.wants_directory() && !metadata.is_dir() { Err(Errno::ENOTDIR) } else { Ok(metadata) }
    }

    fn require_directory(&self, path: &GuestPath) -> Result<(), Errno> {
        if self.stat(path, FinalLink::Follow)?.is_dir() { Ok(()) } else { Err(Errno::ENOTDIR) }
    }

    /// `ENOTDIR` for a path with a slash at its end that leads to something else.
    fn require_wish(&self, path: &GuestPath) -> Result<(), Errno> {
        if path.wants_directory() { self.require_directory(path) } else { Ok(()) }
    }

    /// `unnamed` for a path that names an existing directory by `.` or `..`, of which no name can be made or removed.
    fn require_name(&self, path: &GuestPath, unnamed: Errno) -> Result<(), Errno> {
        if matches!(path.ending(), Ending::Name | Ending::Slash) {
            return Ok(());
        }
        self.require_directory(path)?;
        Err(unnamed)
    }

    /// That the directory is there in which the path's last name is, or would be.
    fn require_parent(&self, path: &GuestPath) -> Result<(), Errno> {
        match path.ending() {
            Ending::Dot => self.require_directory(path),
            Ending::Name | Ending::Slash | Ending::Parent => self.require_directory(&path.parent()),
        }
    }

    /// For a rename where a path is not a plain name: what the kernel finds, in its order.
    fn require_renaming(&self, from: &GuestPath, to: &GuestPath) -> Result<(), Errno> {
        self.require_parent(from)?;
        self.require_parent(to)?;
        let is_name = |path: &GuestPath| !path.is_root() && matches!(path.ending(), Ending::Name | Ending::Slash);
        if !is_name(from) || !is_name(to) {
            return Err(Errno::EBUSY);
        }
        let source = self.stat(&from.clone().without_slash(), FinalLink::Keep)?;
        if source.is_dir() { Ok(()) } else { Err(Errno::ENOTDIR) }
    }

    /// For a hard link where a path wants a directory: of those no links are made, and none where there is something, or
    /// where there is nothing to put a slash after.
    fn require_linking(&self, from: &GuestPath, to: &GuestPath) -> Result<(), Errno> {
        let source = self.stat(from, FinalLink::Keep)?;
        if to.wants_directory() {
            self.refuse_slash(to)?;
        }
        if !source.is_dir() {
            return Ok(());
        }
        self.require_parent(to)?;
        match self.stat(to, FinalLink::Keep) {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) => Err(Errno::EPERM),
            Err(errno) => Err(errno),
        }
    }

    /// For calls that make something which is no directory: with a slash at the end, there is either something already
    /// (`EEXIST`) or nothing to put a slash after (`ENOENT`).
    fn refuse_slash(&self, path: &GuestPath) -> Result<(), Errno> {
        match path.ending() {
            Ending::Name => return Ok(()),
            Ending::Slash => {
                self.stat(&path.clone().without_slash(), FinalLink::Keep)?;
            }
            Ending::Dot | Ending::Parent => self.require_directory(path)?,
        }
        Err(Errno::EEXIST)
    }

    fn canonical(&self, path: &GuestPath) -> Result<GuestPath, Errno> {
        self.require_wish(path)?;
        self.apply_with(path, FinalLink::Follow, false, |mount, below| {
            let names = mount.layer.canonicalize(below)?;
            // What a layer says is checked as if a guest had said it.
            let names = LayerPath::new(&names).ok_or(Errno::EIO)?;
            Ok(mount.point.extended(names))
        })
    }

    fn open_errno<T>(
        &self,
        path: &GuestPath,
        options: &OpenOptions,
        open: impl Fn(&dyn Layer, LayerPath<'_>, &OpenOptions) -> LayerResult<(Box<dyn File>, T)>,
    ) -> Result<(OpenFile, T), Errno> {
        let mutates = options.mutates();
        let mut options = *options;
        if options.directory && options.create != NewFile::Never {
            // As Linux since 6.4; before, a file was made.
            return Err(Errno::EINVAL);
        }
        if path.wants_directory() {
            self.find(path).0.require(mutates)?;
            if options.create != NewFile::Never {
                let exclusive = options.create == NewFile::Always;
                self.require_name(path, if exclusive { Errno::EEXIST } else { Errno::EISDIR })?;
                self.require_parent(path)?;
                return Err(Errno::EISDIR);
            }
            options.directory = true;
            options.final_link = FinalLink::Follow;
        }
        let last = if options.create == NewFile::Always { FinalLink::Keep } else { options.final_link };
        self.apply_with(path, last, mutates, |mount, below| {
            let (file, found) = open(&*mount.layer, below, &options)?;
            Ok((OpenFile::new(file, options, mount.access), found))
        })
    }

    /// `EBUSY` where a mount point is at this place of a mount, or below it.
    fn unless_mounted(&self, mount: &Mount, below: LayerPath<'_>) -> LayerResult<()> {
        if below.is_root() {
            return Err(Errno::EBUSY.into());
        }
        if mount.has_mounts_below {
            let path = mount.point.extended(below);
            if self.mounts.iter().any(|mount| mount.point.strip_prefix(&path).is_some()) {
                return Err(Errno::EBUSY.into());
            }
        }
        Ok(())
    }
}

// `LayerError` is the layers' word to the table; none may leave it.
fn settled(error: LayerError) -> Errno {
    match error {
        LayerError::Errno(errno) => errno,
        LayerError::Leaves => Errno::ELOOP,
    }
}
