//! What is mounted where, as this process sees it (`proc_pid_mountinfo(5)`).

use crate::{Errno, counted};
use rustix::fd::{AsFd, AsRawFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::retry_on_intr;

/// The kernel's list is read up to this length: some ten thousand mounts. Machines with many containers have hundreds.
const MAX_LIST_BYTES: usize = 4 << 20;

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint {
    /// Where it is, an absolute path.
    pub path: Vec<u8>,
    /// Device number of what is mounted, as in [`Stat::dev`](crate::fs::Stat::dev).
    pub dev: u64,
    /// Name of the filesystem's type, such as `ext4` or `proc`.
    pub kind: Vec<u8>,
}

/// All mounts. Errors: what opening or reading `/proc/self/mountinfo` gives, such as `ENOENT` where no `/proc` is
/// mounted, and `EFBIG` where the list is too long.
pub fn mount_points() -> Result<Vec<MountPoint>, Errno> {
    counted!("openat");
    let file = rustix::fs::open("/proc/self/mountinfo", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut list = Vec::new();
    loop {
        if list.len() > MAX_LIST_BYTES {
            return Err(Errno::FBIG);
        }
        list.reserve(64 << 10);
        counted!("read");
        if retry_on_intr(|| rustix::io::read(&file, rustix::buffer::spare_capacity(&mut list)))? == 0 {
            break;
        }
    }
    Ok(list.split(|byte| *byte == b'\n').filter_map(mount_point).collect())
}

/// The path by which an open file is reached now.
pub fn path_of(file: impl AsFd) -> Result<Vec<u8>, Errno> {
    counted!("readlinkat");
    let link = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    rustix::fs::readlinkat(CWD, link, Vec::new()).map(std::ffi::CString::into_bytes)
}

/// A line: number, parent's number, `major:minor`, root, path, options, any number of optional fields, `-`, type, and
/// more.
fn mount_point(line: &[u8]) -> Option<MountPoint> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = std::str::from_utf8(fields.nth(2)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let path = unescaped(fields.nth(1)?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?.to_vec();
    Some(MountPoint { path, dev: rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?), kind })
}

/// Space, tab, newline and backslash are written as `\` and three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, after @ ..] = rest {
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match code {
            Some(byte) if *first == b'\\' => {
                bytes.push(byte);
                rest = &after[3..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        let line = br"36 35 98:5 /root /mnt\040point\134x rw,noatime shared:1 master:2 - ext3 /dev/root rw";
        let expected =
            MountPoint { path: br"/mnt point\x".to_vec(), dev: rustix::fs::makedev(98, 5), kind: b"ext3".to_vec() };
        assert_eq!(mount_point(line), Some(expected));
        for broken in [&b""[..], b"1 2", b"1 2 3 / /x rw - ext4", b"1 2 a:b / /x rw - ext4 x", b"1 2 3:4 / /x rw -"] {
            assert_eq!(mount_point(broken), None);
        }
    }

    #[test]
    fn this_process_sees_its_proc() {
        let mounts = mount_points().unwrap();
        let proc = mounts.iter().find(|mount| mount.path == b"/proc").expect("a /proc");
        assert_eq!(proc.kind, b"proc");
        let root = crate::fs::open_root(std::path::Path::new("/proc")).unwrap();
        assert_eq!(crate::fs::stat(&root).unwrap().dev, proc.dev);
        assert_eq!(path_of(&root).unwrap(), b"/proc");
    }
}
