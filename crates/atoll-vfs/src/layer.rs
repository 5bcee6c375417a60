//! What a source of files must be able to do.

use crate::watch::{EventSink, Watch};
use crate::{Errno, LayerPath, Listing, MAX_PATH_BYTES};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Type of a directory entry or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A file with bytes.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

impl FileKind {
    const FORMAT_MASK: u32 = 0o170_000;

    /// The kind that the type bits of a mode (`S_IFMT`) stand for.
    pub const fn from_mode(mode: u32) -> Self {
        match mode & Self::FORMAT_MASK {
            0o040_000 => Self::Directory,
            0o120_000 => Self::Symlink,
            0o010_000 => Self::Fifo,
            0o140_000 => Self::Socket,
            0o020_000 => Self::CharDevice,
            0o060_000 => Self::BlockDevice,
            _ => Self::Regular,
        }
    }

    /// The type bits of a mode.
    pub const fn mode_bits(self) -> u32 {
        match self {
            Self::Regular => 0o100_000,
            Self::Directory => 0o040_000,
            Self::Symlink => 0o120_000,
            Self::Fifo => 0o010_000,
            Self::Socket => 0o140_000,
            Self::CharDevice => 0o020_000,
            Self::BlockDevice => 0o060_000,
        }
    }
}

/// A point in time: seconds since 1970-01-01T00:00:00Z and nanoseconds (below 10⁹) after.
pub type Time = atoll_sys::fs::Time;

/// What `stat` tells. Fields as in Linux's `statx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Device number; tells layers apart.
    pub dev: u64,
    /// Number of the file within its layer.
    pub ino: u64,
    /// Type and permission bits (`S_IFMT | 0o7777`).
    pub mode: u32,
    /// Number of names.
    pub nlink: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Device that a device file stands for.
    pub rdev: u64,
    /// Bytes of content; of a link, of its target's text.
    pub size: u64,
    /// Preferred block for I/O, in bytes.
    pub block_size: u32,
    /// Allocated units of 512 bytes.
    pub blocks: u64,
    /// Last access.
    pub accessed: Time,
    /// Last change of the content.
    pub modified: Time,
    /// Last change of the metadata.
    pub changed: Time,
    /// Creation.
    pub born: Time,
}

impl Metadata {
    /// The type of the file.
    pub const fn kind(&self) -> FileKind {
        FileKind::from_mode(self.mode)
    }

    /// Whether it is a directory.
    pub const fn is_dir(&self) -> bool {
        matches!(self.kind(), FileKind::Directory)
    }

    /// Whether it is a regular file.
    pub const fn is_file(&self) -> bool {
        matches!(self.kind(), FileKind::Regular)
    }
}

/// Whether a symbolic link in the last component is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinalLink {
    /// It is followed (`stat`).
    Follow,
    /// The link itself is meant (`lstat`).
    Keep,
}

/// What `access` asks for. All false: does it exist?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccessMode {
    /// May it be read?
    pub read: bool,
    /// May it be written?
    pub write: bool,
    /// May it be executed, or the directory searched?
    pub execute: bool,
}

/// Whether `open` may create the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NewFile {
    /// It must exist.
    #[default]
    Never,
    /// It is created when it does not exist (`O_CREAT`).
    IfMissing,
    /// It is created and must not exist (`O_CREAT | O_EXCL`).
    Always,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenOptions {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Every write goes to the end.
    pub append: bool,
    /// The content is dropped. Counts as writing.
    pub truncate: bool,
    /// Whether it may be created.
    pub create: NewFile,
    /// It must be a directory (`O_DIRECTORY`).
    pub directory: bool,
    /// Whether a link in the last component is followed; [`FinalLink::Keep`] fails with `ELOOP` on one (`O_NOFOLLOW`).
    pub final_link: FinalLink,
    /// Permission bits of a file that is created; only those of `0o777` are used.
    pub mode: u32,
}

impl OpenOptions {
    /// For reading what exists.
    pub const READ: Self = Self {
        read: true,
        write: false,
        append: false,
        truncate: false,
        create: NewFile::Never,
        directory: false,
        final_link: FinalLink::Follow,
        mode: 0o666,
    };

    /// For writing a new content: created when missing, emptied when not.
    pub const REPLACE: Self =
        Self { read: false, write: true, truncate: true, create: NewFile::IfMissing, ..Self::READ };

    /// Whether it may change anything, and so is refused by read-only mounts.
    pub const fn mutates(&self) -> bool {
        self.write || self.append || self.truncate || !matches!(self.create, NewFile::Never)
    }
}

/// Owner and group to be set; none leaves what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owner {
    /// Owner's number.
    pub uid: Option<u32>,
    /// Group's number.
    pub gid: Option<u32>,
}

/// What `statfs` tells of a filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Type of the filesystem, as Linux numbers them.
    pub kind: u64,
    /// Bytes of a block.
    pub block_size: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Blocks not in use.
    pub free_blocks: u64,
    /// Blocks that the guest may still take.
    pub available_blocks: u64,
    /// Inodes in all.
    pub inodes: u64,
    /// Inodes not in use.
    pub free_inodes: u64,
}

/// Why a layer did not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayerError {
    /// The operation failed.
    #[error("{0}")]
    Errno(#[from] Errno),
    /// A symbolic link of the path is absolute or climbs above the layer's root, or the path refuses links: whoever knows
    /// the whole tree must resolve it. Nothing was done.
    #[error("a symbolic link leads out of the layer")]
    Leaves,
}

impl From<atoll_sys::Errno> for LayerError {
    fn from(errno: atoll_sys::Errno) -> Self {
        Self::Errno(errno.into())
    }
}

/// Result of a layer's operation.
pub type LayerResult<T> = Result<T, LayerError>;

/// An open file of a layer. Positions are the caller's business. Dropping it closes it.
pub trait File: Send + Sync + std::fmt::Debug {
    /// Reads at an offset; 0 at the end. Fewer bytes than asked may come.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno>;

    /// Writes at an offset, or at the end if opened with `append`. May write less than given.
    fn write_at(&self, data: &[u8], offset: u64) -> Result<usize, Errno> {
        let _ = (data, offset);
        Err(Errno::EBADF)
    }

    /// What `fstat` tells.
    fn metadata(&self) -> Result<Metadata, Errno>;

    /// Cuts or extends with zeros.
    fn truncate(&self, length: u64) -> Result<(), Errno> {
        let _ = length;
        Err(Errno::EINVAL)
    }

    /// Waits until what was written is stored.
    fn sync(&self) -> Result<(), Errno> {
        Ok(())
    }

    /// Sets access and modification time.
    fn set_times(&self, accessed: Time, modified: Time) -> Result<(), Errno> {
        let _ = (accessed, modified);
        Err(Errno::EROFS)
    }

    /// Sets the permission bits, those of `0o777`.
    fn set_permissions(&self, mode: u32) -> Result<(), Errno> {
        let _ = mode;
        Err(Errno::EROFS)
    }

    /// As [`File::sync`], without waiting for metadata that reading the content does not take.
    fn sync_data(&self) -> Result<(), Errno> {
        self.sync()
    }

    /// Sets owner and group; see [`Layer::set_owner`].
    fn set_owner(&self, owner: Owner) -> Result<(), Errno> {
        let _ = owner;
        Err(Errno::EROFS)
    }

    /// The host's descriptor that reads and writes go to, where there is one: the kernel can copy between two of them.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// An open directory, which is read piece by piece. Dropping it closes it.
pub trait Directory: Send + std::fmt::Debug {
    /// Further names but `.` and `..`, `most` of them at most, in no order that means anything; none at the end.
    fn read(&mut self, most: usize) -> Result<Listing, Errno>;
}

/// A directory whose names are known.
#[derive(Debug)]
struct KnownNames {
    names: Listing,
    next: usize,
}

impl Directory for KnownNames {
    fn read(&mut self, most: usize) -> Result<Listing, Errno> {
        let part = self.names.part(self.next, most);
        self.next += part.len();
        Ok(part)
    }
}

/// A source of files that can be mounted. Paths are relative to its root; it follows links inside itself and answers
/// [`LayerError::Leaves`] for those that lead out, and for all where [`LayerPath::refuses_links`].
///
/// The methods that change something refuse with `EROFS` unless implemented: a read-only layer has nothing to add.
/// All methods may be called from many threads at once.
pub trait Layer: Send + Sync + std::fmt::Debug {
    /// `stat` and `lstat`.
    fn metadata(&self, path: LayerPath<'_>, last: FinalLink) -> LayerResult<Metadata>;

    /// Opens a file or, for reading, a directory.
    fn open(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<Box<dyn File>>;

    /// As [`Layer::open`], with what `fstat` tells of what was opened. Layers that have to look at that anyway save a call.
    fn open_described(&self, path: LayerPath<'_>, options: &OpenOptions) -> LayerResult<(Box<dyn File>, Metadata)> {
        let file = self.open(path, options)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    }

    /// All names of a directory but `.` and `..`, in no order that means anything.
    fn read_dir(&self, path: LayerPath<'_>) -> LayerResult<Listing>;

    /// As [`Layer::read_dir`], piece by piece. Layers whose names are in memory have nothing to gain from pieces.
    fn open_dir(&self, path: LayerPath<'_>) -> LayerResult<Box<dyn Directory>> {
        Ok(Box::new(KnownNames { names: self.read_dir(path)?, next: 0 }))
    }

    /// Text of a symbolic link; `EINVAL` for anything else.
    fn read_link(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>>;

    /// The path without symbolic links, in the form of [`LayerPath`]. It must exist.
    fn canonicalize(&self, path: LayerPath<'_>) -> LayerResult<Vec<u8>>;

    /// Whether the guest may do this with the file.
    fn access(&self, path: LayerPath<'_>, mode: AccessMode) -> LayerResult<()>;

    /// The whole content of a regular file; `EFBIG` when it is longer than `limit` bytes.
    fn read(&self, path: LayerPath<'_>, limit: u64) -> LayerResult<Vec<u8>> {
        let file = self.open(path, &OpenOptions::READ)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(Errno::EISDIR.into());
        }
        if metadata.size > limit {
            return Err(Errno::EFBIG.into());
        }
        let mut content = vec![0; usize::try_from(metadata.size).map_err(|_| Errno::EFBIG)?];
        let mut filled = 0;
        while filled < content.len() {
            match file.read_at(&mut content[filled..], filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        content.truncate(filled);
        Ok(content)
    }

    /// Creates a directory.
    fn create_dir(&self, path: LayerPath<'_>, mode: u32) -> LayerResult<()> {
        let _ = (path, mode);
        Err(Errno::EROFS.into())
    }

    /// Removes an empty directory.
    fn remove_dir(&self, path: LayerPath<'_>) -> LayerResult<()> {
        let _ = path;
        Err(Errno::EROFS.into())
    }

    /// Removes a name that is no directory.
    fn remove_file(&self, path: LayerPath<'_>) -> LayerResult<()> {
        let _ = path;
        Err(Errno::EROFS.into())
    }

    /// Removes a name, and where it is a directory all that is below, without following a link. What can't be removed ends
    /// it, with part of the tree gone. A directory that another process fills meanwhile may be `ENOTEMPTY` at last.
    fn remove_tree(&self, path: LayerPath<'_>) -> LayerResult<()> {
        if !self.metadata(path, FinalLink::Keep)?.is_dir() {
            return self.remove_file(path);
        }
        // Directories still to be removed, each below all that was found in it.
        let mut pending = vec![(path.as_bytes().to_vec(), false)];
        while let Some((name, is_emptied)) = pending.pop() {
            let directory = LayerPath::new(&name).ok_or(Errno::ENAMETOOLONG)?;
            if is_emptied {
                self.remove_dir(directory)?;
                continue;
            }
            let listing = self.read_dir(directory)?;
            pending.push((name.clone(), true));
            for (child, kind) in listing.iter() {
                let child = [&name, child].join(&b'/');
                if kind == FileKind::Directory {
                    pending.push((child, false));
                } else {
                    self.remove_file(LayerPath::new(&child).ok_or(Errno::ENAMETOOLONG)?)?;
                }
            }
        }
        Ok(())
    }

    /// Renames within the layer, replacing what is there as POSIX says.
    fn rename(&self, from: LayerPath<'_>, to: LayerPath<'_>) -> LayerResult<()> {
        let _ = (from, to);
        Err(Errno::EROFS.into())
    }

    /// Creates a symbolic link with this text.
    fn symlink(&self, target: &[u8], path: LayerPath<'_>) -> LayerResult<()> {
        let _ = (target, path);
        Err(Errno::EROFS.into())
    }

    /// Creates a second name for a file; a symbolic link is linked itself.
    fn hard_link(&self, from: LayerPath<'_>, to: LayerPath<'_>) -> LayerResult<()> {
        let _ = (from, to);
        Err(Errno::EROFS.into())
    }

    /// Sets access and modification time.
    fn set_times(&self, path: LayerPath<'_>, last: FinalLink, accessed: Time, modified: Time) -> LayerResult<()> {
        let _ = (path, last, accessed, modified);
        Err(Errno::EROFS.into())
    }

    /// Sets the permission bits, those of `0o777`.
    fn set_permissions(&self, path: LayerPath<'_>, mode: u32) -> LayerResult<()> {
        let _ = (path, mode);
        Err(Errno::EROFS.into())
    }

    /// Metadata of a path none of whose components is a symbolic link but, at most, the last, which is kept. `ELOOP`
    /// where another one is. A layer above asks this, which follows links itself.
    fn metadata_plain(&self, path: LayerPath<'_>) -> LayerResult<Metadata> {
        refuse_links(self, path)?;
        self.metadata(path, FinalLink::Keep)
    }

    /// Sets owner and group. In memory they are numbers that are kept and shown, as all that is there is the guest's. In a
    /// directory of the host only what is so already is accepted, and all else is `EPERM`: a guest is no user of the
    /// host, and no file of it may come to belong to one because the process that runs guests happens to be privileged.
    fn set_owner(&self, path: LayerPath<'_>, last: FinalLink, owner: Owner) -> LayerResult<()> {
        let _ = (path, last, owner);
        Err(Errno::EROFS.into())
    }

    /// Whether all that it shows is as it was at first, as far as guests could have changed it. False where that is not
    /// known.
    fn is_unchanged(&self) -> bool {
        false
    }

    /// `statfs`: the filesystem that a file is on, which must exist.
    fn statistics(&self, path: LayerPath<'_>) -> LayerResult<Statistics> {
        let _ = path;
        Err(Errno::ENOSYS.into())
    }

    /// Has `sink` told what happens to the file or directory that the path leads to, and to the names of a directory; links
    /// are followed. `ENOSYS` where the layer cannot tell.
    fn watch(&self, path: LayerPath<'_>, sink: &Arc<dyn EventSink>) -> LayerResult<Box<dyn Watch>> {
        let _ = (path, sink);
        Err(Errno::ENOSYS.into())
    }
}

/// `ELOOP` where a component of the path but the last is a symbolic link, for layers that have no quicker way to find
/// out. Where it cannot be said, because something is missing on the way, what is asked next will find that.
pub(crate) fn refuse_links<L: Layer + ?Sized>(layer: &L, path: LayerPath<'_>) -> LayerResult<()> {
    let Some((directory, _)) = path.split_last() else { return Ok(()) };
    if layer.canonicalize(directory).is_ok_and(|real| real == directory.as_bytes()) {
        return Ok(());
    }
    let mut above = Some(directory);
    while let Some(place) = above {
        if !place.is_root()
            && layer.metadata(place, FinalLink::Keep).is_ok_and(|found| found.kind() == FileKind::Symlink)
        {
            return Err(Errno::ELOOP.into());
        }
        above = place.split_last().map(|(directory, _)| directory);
    }
    Ok(())
}

/// Whether text may be a symbolic link's. The kernel finds out before it looks at the path that is to be the link.
pub(crate) fn check_link_text(target: &[u8]) -> Result<(), Errno> {
    match target {
        [] => Err(Errno::ENOENT),
        _ if target.contains(&0) => Err(Errno::EINVAL),
        _ if target.len() > MAX_PATH_BYTES => Err(Errno::ENAMETOOLONG),
        _ => Ok(()),
    }
}
