//! Which filesystems of the host a guest may be shown: those with files, and none by which the kernel shows itself.
//!
//! `/proc/self/environ` has the operator's environment, `/proc/self/mem` the process's memory, and a process that runs
//! as root can reconfigure the machine through `/sys`. So a directory on such a filesystem is refused, and one in which
//! such a filesystem is mounted. The type decides and not the name: a bind mount elsewhere is the same thing. One that is
//! mounted into the directory later is found when a file of it is opened, by the device number that the open looks at
//! anyway.

use super::HostDirError;
use crate::Errno;
use atoll_sys::fs as sys;
use atoll_sys::mounts::{MountPoint, mount_points, path_of};
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Filesystems without files: type's name, and number in `statfs` as in Linux's magic.h. `devtmpfs` has the number of
/// any tmpfs, and is known by its name and its device.
const KERNEL_FILESYSTEMS: &[(&str, Option<u64>)] = &[
    ("proc", Some(0x9fa0)),
    ("sysfs", Some(0x6265_6572)),
    ("devtmpfs", None),
    ("devpts", Some(0x1cd1)),
    ("debugfs", Some(0x6462_6720)),
    ("tracefs", Some(0x7472_6163)),
    ("securityfs", Some(0x7363_6673)),
    ("selinuxfs", Some(0xf97c_ff8c)),
    ("smackfs", Some(0x4341_5d53)),
    ("apparmorfs", Some(0x5a3c_69f0)),
    ("cgroup", Some(0x0027_e0eb)),
    ("cgroup2", Some(0x6367_7270)),
    ("bpf", Some(0xcafe_4a11)),
    ("configfs", Some(0x6265_6570)),
    ("efivarfs", Some(0xde5e_81e4)),
    ("pstore", Some(0x6165_676c)),
    ("binfmt_misc", Some(0x4249_4e4d)),
    ("fusectl", Some(0x6573_5543)),
    ("mqueue", Some(0x1980_0202)),
    ("nsfs", Some(0x6e73_6673)),
    ("resctrl", Some(0x0765_5821)),
    ("binder", Some(0x6c6f_6f70)),
];

/// Which devices a host directory's files may be on.
#[derive(Debug)]
pub(super) struct Admitted {
    root: u64,
    /// Another one that was looked at and is right; the root's again if there is none. A directory with several mounts
    /// in it looks at each once more now and then.
    other: AtomicU64,
}

impl Admitted {
    /// Looks at a root that is to be mounted, and at what is mounted below it.
    pub(super) fn root(path: &Path, root: &OwnedFd) -> Result<Self, HostDirError> {
        let cannot = |errno: atoll_sys::Errno| HostDirError::Open { path: path.to_path_buf(), source: errno.into() };
        let device = sys::stat(root).map_err(cannot)?.dev;
        if let Some(filesystem) = kernel_filesystem(root).map_err(cannot)? {
            return Err(HostDirError::OfKernel { path: path.to_path_buf(), filesystem });
        }
        // Without a `/proc` the list cannot be had; then what is mounted below is found when it is opened.
        let (Ok(mounts), Ok(place)) = (mount_points(), path_of(root)) else { return Ok(Self::device(device)) };
        let refused = |mount: &&MountPoint| refusal(mount).is_some();
        if let Some(filesystem) = mounts.iter().find(|mount| mount.dev == device && refused(mount)).and_then(refusal) {
            return Err(HostDirError::OfKernel { path: path.to_path_buf(), filesystem });
        }
        match mounts.iter().find(|mount| is_below(&mount.path, &place) && refused(mount)) {
            Some(mount) => Err(HostDirError::Contains {
                path: path.to_path_buf(),
                inside: PathBuf::from(OsString::from_vec(mount.path.clone())),
                filesystem: refusal(mount).unwrap_or_default(),
            }),
            None => Ok(Self::device(device)),
        }
    }

    fn device(device: u64) -> Self {
        Self { root: device, other: AtomicU64::new(device) }
    }

    /// Refuses an open file that is on a filesystem of the kernel (`EACCES`, as special files are). `device` is what
    /// `stat` says of the file: no further call is made for those of the root's filesystem.
    pub(super) fn check(&self, file: impl AsFd, device: u64) -> Result<(), Errno> {
        if device == self.root || device == self.other.load(Ordering::Relaxed) {
            return Ok(());
        }
        if kernel_filesystem(file)?.is_some() {
            return Err(Errno::EACCES);
        }
        self.other.store(device, Ordering::Relaxed);
        Ok(())
    }
}

/// The name of the type, if it is one of the kernel's.
fn kernel_filesystem(file: impl AsFd) -> Result<Option<&'static str>, atoll_sys::Errno> {
    let kind = sys::filesystem(file)?.kind;
    Ok(KERNEL_FILESYSTEMS.iter().find(|(_, number)| *number == Some(kind)).map(|(name, _)| *name))
}

/// The name of the type of a mount that no guest may see. Containers have a `/dev` that is a plain tmpfs with devices.
fn refusal(mount: &MountPoint) -> Option<&'static str> {
    if mount.path == b"/dev" {
        return Some("devtmpfs");
    }
    KERNEL_FILESYSTEMS.iter().map(|(name, _)| *name).find(|name| name.as_bytes() == mount.kind)
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    match path.strip_prefix(directory) {
        Some(rest) => directory == b"/" || rest.first() == Some(&b'/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_is_by_names() {
        for (path, directory, expected) in [
            ("/a/proc", "/a", true),
            ("/a", "/a", false),
            ("/ab/proc", "/a", false),
            ("/proc", "/", true),
            ("/proc", "/a", false),
        ] {
            assert_eq!(is_below(path.as_bytes(), directory.as_bytes()), expected, "{path} {directory}");
        }
    }

    #[test]
    fn mounts_are_refused_by_type() {
        let mount = |path: &str, kind: &str| MountPoint { path: path.into(), dev: 1, kind: kind.into() };
        assert_eq!(refusal(&mount("/srv/x", "proc")), Some("proc"));
        assert_eq!(refusal(&mount("/dev", "tmpfs")), Some("devtmpfs"));
        for (path, kind) in [("/proc", "ext4"), ("/dev/shm", "tmpfs"), ("/", "overlay"), ("/x", "fuse.sshfs")] {
            assert_eq!(refusal(&mount(path, kind)), None, "{path}");
        }
    }
}
