//! A file that a guest has open.

use super::Access;
use crate::layer::{File, Metadata, OpenOptions, Owner, Time};
use crate::{Errno, FsError};
use std::sync::{Mutex, PoisonError};

/// An open file with its position. Errors name the call and no path, as Node's do for open files.
#[derive(Debug)]
pub struct OpenFile {
    file: Box<dyn File>,
    options: OpenOptions,
    access: Access,
    position: Mutex<u64>,
}

impl OpenFile {
    pub(super) fn new(file: Box<dyn File>, options: OpenOptions, access: Access) -> Self {
        Self { file, options, access, position: Mutex::new(0) }
    }

    /// How it was opened.
    pub fn options(&self) -> &OpenOptions {
        &self.options
    }

    /// Reads at the file's position and advances it; 0 at the end.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, FsError> {
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        let count = self.read_at(buffer, *position)?;
        *position += count as u64;
        Ok(count)
    }

    /// Reads at an offset; 0 at the end.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, FsError> {
        let readable = self.options.read || !self.options.mutates();
        let result = if readable { self.file.read_at(buffer, offset) } else { Err(Errno::EBADF) };
        result.map_err(|errno| FsError::new(errno, "read"))
    }

    /// Writes at the file's position and advances it. May write less than given.
    pub fn write(&self, data: &[u8]) -> Result<usize, FsError> {
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        let count = self.write_at(data, *position)?;
        *position = if self.options.append {
            // A file opened for appending is at its end after each write.
            self.file.metadata().map_err(|errno| FsError::new(errno, "write"))?.size
        } else {
            *position + count as u64
        };
        Ok(count)
    }

    /// Writes at an offset; files opened for appending write at their end, as on Linux. May write less than given.
    pub fn write_at(&self, data: &[u8], offset: u64) -> Result<usize, FsError> {
        let writable = self.options.write || self.options.append;
        let result = if writable { self.file.write_at(data, offset) } else { Err(Errno::EBADF) };
        result.map_err(|errno| FsError::new(errno, "write"))
    }

    /// Writes all of `data` at the file's position.
    pub fn write_all(&self, mut data: &[u8]) -> Result<(), FsError> {
        while !data.is_empty() {
            match self.write(data)? {
                0 => return Err(FsError::new(Errno::EIO, "write")),
                count => data = &data[count..],
            }
        }
        Ok(())
    }

    /// Copies a part of another file to the same offset within the kernel: how many bytes, fewer than asked perhaps; 0 at
    /// the source's end. None where the kernel can't copy between the two.
    pub fn copy_range(&self, source: &Self, offset: u64, length: usize) -> Result<Option<usize>, FsError> {
        let readable = source.options.read && self.options.write && !self.options.append;
        let (true, Some(from), Some(to)) = (readable, source.file.descriptor(), self.file.descriptor()) else {
            return Ok(None);
        };
        match atoll_sys::fs::copy_range(from, offset, to, offset, length).map_err(Errno::from) {
            Ok(count) => Ok(Some(count)),
            Err(Errno::EXDEV | Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EPERM) => Ok(None),
            Err(errno) => Err(FsError::new(errno, "copyfile")),
        }
    }

    /// `fstat`.
    pub fn metadata(&self) -> Result<Metadata, FsError> {
        self.file.metadata().map_err(|errno| FsError::new(errno, "fstat"))
    }

    /// Cuts or extends with zeros.
    pub fn truncate(&self, length: u64) -> Result<(), FsError> {
        let writable = self.options.write || self.options.append;
        let result = if writable { self.file.truncate(length) } else { Err(Errno::EINVAL) };
        result.map_err(|errno| FsError::new(errno, "ftruncate"))
    }

    /// Waits until what was written is stored.
    pub fn sync(&self) -> Result<(), FsError> {
        self.file.sync().map_err(|errno| FsError::new(errno, "fsync"))
    }

    /// Sets access and modification time.
    pub fn set_times(&self, accessed: Time, modified: Time) -> Result<(), FsError> {
        self.require_writable()
            .and_then(|()| self.file.set_times(accessed, modified))
            .map_err(|errno| FsError::new(errno, "futime"))
    }

    /// Sets the permission bits, those of `0o777`.
    pub fn set_permissions(&self, mode: u32) -> Result<(), FsError> {
        self.require_writable()
            .and_then(|()| self.file.set_permissions(mode))
            .map_err(|errno| FsError::new(errno, "fchmod"))
    }

    /// Waits until what was written is stored, without metadata that reading it does not take.
    pub fn sync_data(&self) -> Result<(), FsError> {
        self.file.sync_data().map_err(|errno| FsError::new(errno, "fdatasync"))
    }

    /// Sets owner and group. See [`Layer::set_owner`](crate::Layer::set_owner).
    pub fn set_owner(&self, owner: Owner) -> Result<(), FsError> {
        self.require_writable().and_then(|()| self.file.set_owner(owner)).map_err(|errno| FsError::new(errno, "fchown"))
    }

    /// Times and permissions can be set through a descriptor opened for reading: the mount decides.
    fn require_writable(&self) -> Result<(), Errno> {
        if self.access == Access::ReadOnly { Err(Errno::EROFS) } else { Ok(()) }
    }
}
