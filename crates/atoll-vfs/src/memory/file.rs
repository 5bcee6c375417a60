//! An open file in memory.

use super::inode::Inode;
use crate::Errno;
use crate::layer::{File, FileKind, Metadata, OpenOptions, Time};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct MemoryFile {
    inode: Arc<Inode>,
    options: OpenOptions,
}

impl MemoryFile {
    pub(super) fn new(inode: Arc<Inode>, options: OpenOptions) -> Self {
        Self { inode, options }
    }

    fn writes(&self) -> bool {
        self.options.write || self.options.append
    }
}

impl File for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        if self.writes() && !self.options.read {
            return Err(Errno::EBADF);
        }
        let content = self.inode.content()?;
        let rest = usize::try_from(offset).ok().and_then(|start| content.get(start..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<usize, Errno> {
        if !self.writes() {
            return Err(Errno::EBADF);
        }
        self.inode.write(data, (!self.options.append).then_some(offset))
    }

    fn metadata(&self) -> Result<Metadata, Errno> {
        Ok(self.inode.metadata())
    }

    fn truncate(&self, length: u64) -> Result<(), Errno> {
        if !self.writes() || self.inode.kind() != FileKind::Regular {
            return Err(Errno::EINVAL);
        }
        self.inode.resize(length)
    }

    fn set_times(&self, accessed: Time, modified: Time) -> Result<(), Errno> {
        self.inode.set_times(accessed, modified);
        Ok(())
    }

    fn set_permissions(&self, mode: u32) -> Result<(), Errno> {
        self.inode.set_permissions(mode);
        Ok(())
    }
}
