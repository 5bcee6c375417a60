//! An open file of the host.

use super::{PERMISSION_MASK, metadata};
use crate::Errno;
use crate::layer::{File, Metadata, Owner, Time};
use atoll_sys::fs::{self as sys, Mode};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What is read at first from a file that says it has no bytes: files that the kernel makes up as they are read say so.
const UNKNOWN_SIZE_BYTES: usize = 4096;

#[derive(Debug)]
pub(super) struct HostFile {
    fd: OwnedFd,
    /// Whether the layer may change anything. The descriptor's own mode is not enough: times and permissions can be set
    /// through one that was opened for reading.
    writable: bool,
}

impl HostFile {
    pub(super) fn new(fd: OwnedFd, writable: bool) -> Self {
        Self { fd, writable }
    }

    /// Reads a regular file of `size` bytes: one call when it is as long as it says. A file that grows meanwhile is read
    /// to the size it had, as Node does.
    pub(super) fn read_all(&self, size: u64, limit: u64) -> Result<Vec<u8>, Errno> {
        if size > limit {
            return Err(Errno::EFBIG);
        }
        let capacity = usize::try_from(size).map_err(|_| Errno::EFBIG)?;
        let mut content = Vec::new();
        content
            .try_reserve_exact(if capacity == 0 { UNKNOWN_SIZE_BYTES } else { capacity })
            .map_err(|_| Errno::ENOMEM)?;
        loop {
            let offset = content.len() as u64;
            if sys::read_at_spare(&self.fd, &mut content, offset)? == 0 {
                break;
            }
            if size != 0 && content.len() as u64 >= size {
                break;
            }
            if content.len() as u64 > limit {
                return Err(Errno::EFBIG);
            }
            if content.len() == content.capacity() {
                content.try_reserve(content.len()).map_err(|_| Errno::ENOMEM)?;
            }
        }
        Ok(content)
    }

    fn require_writable(&self) -> Result<(), Errno> {
        if self.writable { Ok(()) } else { Err(Errno::EROFS) }
    }
}

impl File for HostFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        Ok(sys::read_at(&self.fd, buffer, offset)?)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<usize, Errno> {
        Ok(sys::write_at(&self.fd, data, offset)?)
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(metadata(sys::stat(&self.fd)?))
    }

    fn truncate(&self, length: u64) -> Result<(), Errno> {
        Ok(sys::truncate(&self.fd, length)?)
    }

    fn sync(&self) -> Result<(), Errno> {
        Ok(sys::sync(&self.fd)?)
    }

    fn set_times(&self, accessed: Time, modified: Time) -> Result<(), Errno> {
        self.require_writable()?;
        Ok(sys::set_times(&self.fd, accessed, modified)?)
    }

    fn set_permissions(&self, mode: u32) -> Result<(), Errno> {
        self.require_writable()?;
        Ok(sys::set_mode(&self.fd, Mode::from_raw_mode(mode & PERMISSION_MASK))?)
    }

    fn sync_data(&self) -> Result<(), Errno> {
        Ok(sys::sync_data(&self.fd)?)
    }

    fn set_owner(&self, owner: Owner) -> Result<(), Errno> {
        self.require_writable()?;
        accept_owner(&self.fd, owner)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.fd.as_fd())
    }
}

/// That a file belongs to this owner already, which is all that a guest may want.
pub(super) fn accept_owner(file: &OwnedFd, owner: Owner) -> Result<(), Errno> {
    let found = sys::stat(file)?;
    let is_so = owner.uid.is_none_or(|uid| uid == found.uid) && owner.gid.is_none_or(|gid| gid == found.gid);
    if is_so { Ok(()) } else { Err(Errno::EPERM) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_file_without_a_size_is_read_to_its_end() {
        let own = sys::open_root(Path::new("/proc/self")).unwrap();
        let open =
            |name: &[u8]| HostFile::new(sys::open_at(&own, name, sys::OFlags::RDONLY, Mode::empty()).unwrap(), false);
        let status = open(b"status").read_all(0, 1 << 20).unwrap();
        assert!(status.starts_with(b"Name:") && status.len() > 200);
        let regions = open(b"smaps").read_all(0, 1 << 30).unwrap();
        assert!(regions.len() > UNKNOWN_SIZE_BYTES, "longer than the first guess");
        assert_eq!(open(b"smaps").read_all(0, 4096), Err(Errno::EFBIG));
    }
}
