//! Open files and directories of the tree.

use std::{fs::File as HostFile, os::unix::fs::FileExt, sync::Arc};

use atoll_vfs::{Errno, File, Metadata};

/// A part of an open file of the store, which may have much else in it.
#[derive(Debug)]
pub(super) struct Reading {
    file: Arc<HostFile>,
    start: u64,
    /// Bytes of the part.
    length: u64,
    /// Where in the part a byte is left out.
    left_out: Option<u64>,
}

impl Reading {
    pub(super) fn new(file: Arc<HostFile>, start: u64, length: u64, left_out: Option<u64>) -> Self {
        Self { file, start, length, left_out }
    }

    /// Bytes that are shown.
    fn shown(&self) -> u64 {
        self.length - u64::from(self.left_out.is_some())
    }

    /// Reads what is shown from `offset` on until `buffer` is full or the end is reached: one system call, two across
    /// a byte that is left out.
    pub(super) fn fill(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        let Some(rest) = self.shown().checked_sub(offset).filter(|rest| *rest > 0) else { return Ok(0) };
        let wanted = usize::try_from(rest).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..wanted];
        let before = match self.left_out {
            Some(at) if offset < at => usize::try_from(at - offset).unwrap_or(usize::MAX).min(wanted),
            Some(_) => 0,
            None => wanted,
        };
        let (before, after) = buffer.split_at_mut(before);
        let passed = offset + before.len() as u64;
        self.fill_stored(before, offset)?;
        self.fill_stored(after, passed + 1)?;
        Ok(wanted)
    }

    /// The buffer's length of stored bytes. They are within the part: the caller has seen to that, and it is checked
    /// again here, because what lies beside it belongs to other files.
    fn fill_stored(&self, mut buffer: &mut [u8], mut offset: u64) -> Result<(), Errno> {
        if !buffer.is_empty() && offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.length) {
            return Err(Errno::EIO);
        }
        while !buffer.is_empty() {
            match self.file.read_at(buffer, self.start + offset) {
                // The store's file is shorter than it was.
                Ok(0) => return Err(Errno::EIO),
                Ok(count) => {
                    buffer = &mut buffer[count..];
                    offset += count as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Errno::EIO),
            }
        }
        Ok(())
    }
}

/// An open file.
#[derive(Debug)]
pub(super) struct PackageFile {
    pub(super) reading: Reading,
    pub(super) metadata: Metadata,
}

impl File for PackageFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        self.reading.fill(buffer, offset)
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(self.metadata)
    }
}

/// An open directory.
#[derive(Debug)]
pub(super) struct OpenDirectory {
    pub(super) metadata: Metadata,
}

impl File for OpenDirectory {
    fn read_at(&self, _buffer: &mut [u8], _offset: u64) -> Result<usize, Errno> {
        Err(Errno::EISDIR)
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(self.metadata)
    }
}
