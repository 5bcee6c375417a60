//! Files and directories by descriptor. No function takes a path of the host but [`open_root`]; all others are relative
//! to a descriptor that the caller holds.

use crate::{Errno, counted};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FallocateFlags, RawDir, StatxFlags, Timespec, Timestamps};
use rustix::io::retry_on_intr;
use std::mem::MaybeUninit;
use std::path::Path;

pub use rustix::fs::{Access, FileType, Mode, OFlags, ResolveFlags};

/// `openat2` gives up with `EAGAIN` when a directory of the path is moved while it walks through a `..`. The kernel's
/// manual page says to try again; an attacker who renames all the time must not keep us here, so: this many attempts.
const MAX_OPEN_ATTEMPTS: u32 = 64;

/// Room for directory entries of one `getdents64` call: about a thousand names of common length.
const DIRECTORY_BUFFER_BYTES: usize = 32 * 1024;

/// What `statx` tells of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Device, encoded as the kernel's `dev_t`.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// File type and permission bits (`S_IFMT | 0o7777`).
    pub mode: u32,
    /// Number of hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device that a device file stands for.
    pub rdev: u64,
    /// Size in bytes.
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
    /// Creation; equal to `changed` on filesystems that do not record it.
    pub born: Time,
}

/// A point in time: seconds since 1970-01-01T00:00:00Z and nanoseconds (below 10⁹) after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time {
    /// Seconds, negative before 1970.
    pub seconds: i64,
    /// Nanoseconds after `seconds`, below 10⁹.
    pub nanoseconds: u32,
}

/// Opens a host directory as the root of confined opens (`O_PATH`). The only function that takes a path of the host.
pub fn open_root(path: &Path) -> Result<OwnedFd, Errno> {
    counted!("openat");
    rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// `openat2(2)`: opens `path` with the given restrictions of its resolution. `EAGAIN` is tried again, a bounded number
/// of times, unless it may mean that something had to be waited for (`RESOLVE_CACHED`).
pub fn open_beneath(
    dir: impl AsFd,
    path: &[u8],
    flags: OFlags,
    mode: Mode,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    let mut result = Err(Errno::AGAIN);
    for _ in 0..MAX_OPEN_ATTEMPTS {
        counted!("openat2");
        result = rustix::fs::openat2(dir.as_fd(), path, flags | OFlags::CLOEXEC, mode, resolve);
        if !matches!(result, Err(Errno::AGAIN | Errno::INTR)) || resolve.contains(ResolveFlags::CACHED) {
            break;
        }
    }
    result
}

/// `openat(2)` of one name, never following a symbolic link.
pub fn open_at(dir: impl AsFd, name: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    counted!("openat");
    retry_on_intr(|| rustix::fs::openat(dir.as_fd(), name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode))
}

/// Metadata of an open file, `O_PATH` descriptors included.
pub fn stat(file: impl AsFd) -> Result<Stat, Errno> {
    counted!("statx");
    statx(file, b"", AtFlags::EMPTY_PATH)
}

/// Metadata of a name in a directory, of a symbolic link itself.
pub fn stat_at(dir: impl AsFd, name: &[u8]) -> Result<Stat, Errno> {
    counted!("statx");
    statx(dir, name, AtFlags::SYMLINK_NOFOLLOW)
}

fn statx(dir: impl AsFd, name: &[u8], flags: AtFlags) -> Result<Stat, Errno> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let found = rustix::fs::statx(dir, name, flags | AtFlags::NO_AUTOMOUNT, wanted)?;
    let time = |at: rustix::fs::StatxTimestamp| Time { seconds: at.tv_sec, nanoseconds: at.tv_nsec };
    let has_birth = found.stx_mask & StatxFlags::BTIME.bits() != 0;
    Ok(Stat {
        dev: rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor),
        ino: found.stx_ino,
        mode: u32::from(found.stx_mode),
        nlink: found.stx_nlink,
        uid: found.stx_uid,
        gid: found.stx_gid,
        rdev: rustix::fs::makedev(found.stx_rdev_major, found.stx_rdev_minor),
        size: found.stx_size,
        block_size: found.stx_blksize,
        blocks: found.stx_blocks,
        accessed: time(found.stx_atime),
        modified: time(found.stx_mtime),
        changed: time(found.stx_ctime),
        born: time(if has_birth { found.stx_btime } else { found.stx_ctime }),
    })
}

/// Reads all entries of an open directory but `.` and `..`, in the order of the kernel. `each` gets the name and the
/// type as the directory records it ([`FileType::Unknown`] on filesystems that do not) and says whether to go on.
#[expect(clippy::large_stack_arrays, reason = "a walk reads thousands of directories, and no call nests in this one")]
pub fn read_dir(dir: impl AsFd, mut each: impl FnMut(&[u8], FileType) -> bool) -> Result<(), Errno> {
    // On the stack: a walk through a tree reads thousands of directories, and an allocation of this size is not a cheap one.
    let mut buffer = [const { MaybeUninit::uninit() }; DIRECTORY_BUFFER_BYTES];
    let mut entries = RawDir::new(dir, &mut buffer);
    loop {
        if entries.is_buffer_empty() {
            counted!("getdents64");
        }
        let Some(entry) = entries.next() else { return Ok(()) };
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." && !each(name, entry.file_type()) {
            return Ok(());
        }
    }
}

/// Reads what one call gives of the entries of an open directory, from where the last one ended; as [`read_dir`] does. False
/// at the end.
#[expect(clippy::large_stack_arrays, reason = "as above")]
pub fn read_dir_part(dir: impl AsFd, mut each: impl FnMut(&[u8], FileType)) -> Result<bool, Errno> {
    let mut buffer = [const { MaybeUninit::uninit() }; DIRECTORY_BUFFER_BYTES];
    let mut entries = RawDir::new(dir, &mut buffer);
    counted!("getdents64");
    loop {
        let Some(entry) = entries.next() else { return Ok(false) };
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            each(name, entry.file_type());
        }
        if entries.is_buffer_empty() {
            return Ok(true);
        }
    }
}

/// Copies a part of one open file into another within the kernel, which may share blocks between them: how many bytes, fewer
/// than asked perhaps; 0 at the end. Errors: `EXDEV`, `EINVAL`, `EOPNOTSUPP`, `ENOSYS` where the kernel can't.
pub fn copy_range(
    from: impl AsFd,
    mut offset: u64,
    to: impl AsFd,
    mut to_offset: u64,
    length: usize,
) -> Result<usize, Errno> {
    counted!("copy_file_range");
    rustix::fs::copy_file_range(from, Some(&mut offset), to, Some(&mut to_offset), length)
}

/// Target of the symbolic link that `link` (opened `O_PATH | O_NOFOLLOW`) is. Errors: `EINVAL` when it is no link.
pub fn read_link(link: impl AsFd) -> Result<Vec<u8>, Errno> {
    counted!("readlinkat");
    match rustix::fs::readlinkat(link, "", Vec::new()) {
        Ok(target) => Ok(target.into_bytes()),
        // What the kernel says of an empty path and a descriptor that is no link.
        Err(Errno::NOENT) => Err(Errno::INVAL),
        Err(error) => Err(error),
    }
}

/// Target of the symbolic link `name` in a directory. Errors: `EINVAL` when it is no link.
pub fn read_link_at(dir: impl AsFd, name: &[u8]) -> Result<Vec<u8>, Errno> {
    counted!("readlinkat");
    rustix::fs::readlinkat(dir, name, Vec::new()).map(std::ffi::CString::into_bytes)
}

/// Reads at an offset; fewer bytes than asked only at the end of the file or after a signal. 0 is the end.
pub fn read_at(file: impl AsFd, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    counted!("pread64");
    retry_on_intr(|| rustix::io::pread(file.as_fd(), &mut *buffer, offset))
}

/// Reads at an offset into the spare capacity of `buffer`, all of it at most, and appends what came. 0 is the end.
pub fn read_at_spare(file: impl AsFd, buffer: &mut Vec<u8>, offset: u64) -> Result<usize, Errno> {
    counted!("pread64");
    retry_on_intr(|| rustix::io::pread(file.as_fd(), rustix::buffer::spare_capacity(buffer), offset))
}

/// Writes at an offset. On a descriptor opened `O_APPEND`, Linux appends whatever the offset.
pub fn write_at(file: impl AsFd, data: &[u8], offset: u64) -> Result<usize, Errno> {
    counted!("pwrite64");
    retry_on_intr(|| rustix::io::pwrite(file.as_fd(), data, offset))
}

/// Sets the length of an open file.
pub fn truncate(file: impl AsFd, length: u64) -> Result<(), Errno> {
    counted!("ftruncate");
    retry_on_intr(|| rustix::fs::ftruncate(file.as_fd(), length))
}

/// Gives back the blocks of a part of an open file, which reads as zeros then; its length stays. Errors: `EOPNOTSUPP` where the
/// filesystem can't.
pub fn punch_hole(file: impl AsFd, offset: u64, length: u64) -> Result<(), Errno> {
    counted!("fallocate");
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    retry_on_intr(|| rustix::fs::fallocate(file.as_fd(), flags, offset, length))
}

/// Waits until the content of an open file is on its device.
pub fn sync(file: impl AsFd) -> Result<(), Errno> {
    counted!("fsync");
    retry_on_intr(|| rustix::fs::fsync(file.as_fd()))
}

/// Waits until the content of an open file, and of its metadata what reading it takes, is on its device.
pub fn sync_data(file: impl AsFd) -> Result<(), Errno> {
    counted!("fdatasync");
    retry_on_intr(|| rustix::fs::fdatasync(file.as_fd()))
}

/// What `fstatfs` tells of a filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filesystem {
    /// Its type, one of the kernel's magic numbers.
    pub kind: u64,
    /// Bytes of a block.
    pub block_size: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Blocks not in use.
    pub free_blocks: u64,
    /// Blocks that unprivileged users may still take.
    pub available_blocks: u64,
    /// Inodes in all.
    pub inodes: u64,
    /// Inodes not in use.
    pub free_inodes: u64,
}

/// The filesystem that an open file is on, `O_PATH` descriptors included.
pub fn filesystem(file: impl AsFd) -> Result<Filesystem, Errno> {
    counted!("fstatfs");
    let found = retry_on_intr(|| rustix::fs::fstatfs(file.as_fd()))?;
    Ok(Filesystem {
        // Magic numbers have 32 bits, and come with a sign.
        kind: u64::from(found.f_type as u32),
        block_size: found.f_bsize as u64,
        blocks: found.f_blocks as u64,
        free_blocks: found.f_bfree as u64,
        available_blocks: found.f_bavail as u64,
        inodes: found.f_files as u64,
        free_inodes: found.f_ffree as u64,
    })
}

/// Creates a directory.
pub fn make_dir_at(dir: impl AsFd, name: &[u8], mode: Mode) -> Result<(), Errno> {
    counted!("mkdirat");
    rustix::fs::mkdirat(dir, name, mode)
}

/// Removes a name that is no directory.
pub fn unlink_at(dir: impl AsFd, name: &[u8]) -> Result<(), Errno> {
    counted!("unlinkat");
    rustix::fs::unlinkat(dir, name, AtFlags::empty())
}

/// Removes an empty directory.
pub fn remove_dir_at(dir: impl AsFd, name: &[u8]) -> Result<(), Errno> {
    counted!("unlinkat");
    rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)
}

/// Renames, replacing what is there as POSIX says.
pub fn rename_at(from: impl AsFd, name: &[u8], to: impl AsFd, new_name: &[u8]) -> Result<(), Errno> {
    counted!("renameat");
    rustix::fs::renameat(from, name, to, new_name)
}

/// Creates a symbolic link with this text.
pub fn symlink_at(target: &[u8], dir: impl AsFd, name: &[u8]) -> Result<(), Errno> {
    counted!("symlinkat");
    rustix::fs::symlinkat(target, dir, name)
}

/// Creates a hard link; a symbolic link is linked itself.
pub fn link_at(from: impl AsFd, name: &[u8], to: impl AsFd, new_name: &[u8]) -> Result<(), Errno> {
    counted!("linkat");
    rustix::fs::linkat(from, name, to, new_name, AtFlags::empty())
}

/// Sets access and modification time of an open file, `O_PATH` descriptors of links included.
pub fn set_times(file: impl AsFd, accessed: Time, modified: Time) -> Result<(), Errno> {
    counted!("utimensat");
    let time = |at: Time| Timespec { tv_sec: at.seconds, tv_nsec: i64::from(at.nanoseconds) };
    let times = Timestamps { last_access: time(accessed), last_modification: time(modified) };
    rustix::fs::utimensat(file, "", &times, AtFlags::EMPTY_PATH)
}

/// Sets the permission bits of an open file (not `O_PATH`).
pub fn set_mode(file: impl AsFd, mode: Mode) -> Result<(), Errno> {
    counted!("fchmod");
    rustix::fs::fchmod(file, mode)
}

/// Whether this process may access the open file (`O_PATH` will do) so: `faccessat2` with `AT_EMPTY_PATH`, effective
/// ids. Errors: `EACCES`, `EROFS`; `ENOSYS` before Linux 5.8.
#[expect(unsafe_code, reason = "a system call that rustix offers only without AT_EMPTY_PATH")]
pub fn access(file: impl AsFd, access: Access) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    counted!("faccessat2");
    let flags = libc::AT_EMPTY_PATH | libc::AT_EACCESS;
    let mode = libc::c_long::from(access.bits());
    // JUSTIFICATION: rustix refuses AT_EMPTY_PATH here, and any other way would name the file by a path again.
    // SAFETY: the descriptor is borrowed for the call, the path is a NUL-terminated literal, the rest are integers.
    let code = unsafe {
        libc::syscall(libc::SYS_faccessat2, file.as_fd().as_raw_fd(), c"".as_ptr(), mode, libc::c_long::from(flags))
    };
    if code == 0 { Ok(()) } else { Err(last_error()) }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// Whether `openat2` with confined resolution works here: gVisor, kernels before 5.6 and some container filters lack it.
pub fn has_open_beneath(dir: impl AsFd) -> bool {
    open_beneath(dir, b".", OFlags::PATH, Mode::empty(), ResolveFlags::BENEATH).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_entries_have_types_and_no_dots() {
        let host = tempfile::tempdir().unwrap();
        let root = open_root(host.path()).unwrap();
        make_dir_at(&root, b"folder", Mode::from_raw_mode(0o755)).unwrap();
        symlink_at(b"nowhere", &root, b"link").unwrap();
        drop(open_at(&root, b"\xff file", OFlags::CREATE | OFlags::WRONLY, Mode::from_raw_mode(0o600)).unwrap());
        let open = open_at(&root, b".", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let mut found = Vec::new();
        read_dir(&open, |name, kind| {
            found.push((name.to_vec(), kind));
            true
        })
        .unwrap();
        found.sort_by(|left, right| left.0.cmp(&right.0));
        let expected = [
            (b"folder".to_vec(), FileType::Directory),
            (b"link".to_vec(), FileType::Symlink),
            (b"\xff file".to_vec(), FileType::RegularFile),
        ];
        assert_eq!(found, expected);
        assert_eq!(read_link_at(&root, b"link").unwrap(), b"nowhere");
        assert_eq!(read_link_at(&root, b"folder"), Err(Errno::INVAL));
    }

    #[test]
    fn beneath_means_beneath() {
        let host = tempfile::tempdir().unwrap();
        let root = open_root(host.path()).unwrap();
        assert!(has_open_beneath(&root), "the machine that runs the tests has openat2");
        symlink_at(b"/etc", &root, b"absolute").unwrap();
        symlink_at(b"../..", &root, b"above").unwrap();
        for path in [&b"absolute"[..], b"above", b"..", b"absolute/passwd"] {
            let opened = open_beneath(&root, path, OFlags::PATH, Mode::empty(), ResolveFlags::BENEATH);
            assert_eq!(opened.unwrap_err(), Errno::XDEV, "{path:?}");
        }
    }

    #[test]
    fn reading_appends_to_what_the_buffer_holds() {
        let host = tempfile::tempdir().unwrap();
        let root = open_root(host.path()).unwrap();
        let file = open_at(&root, b"a", OFlags::CREATE | OFlags::RDWR, Mode::from_raw_mode(0o600)).unwrap();
        assert_eq!(write_at(&file, b"0123456789", 0).unwrap(), 10);
        let mut buffer = Vec::with_capacity(64);
        buffer.push(b'>');
        assert_eq!(read_at_spare(&file, &mut buffer, 2).unwrap(), 8);
        assert_eq!(buffer, b">23456789");
        assert_eq!(read_at_spare(&file, &mut buffer, 10).unwrap(), 0);
        assert_eq!(stat(&file).unwrap().size, 10);
        assert_eq!(access(&file, Access::READ_OK), Ok(()));
    }
}
