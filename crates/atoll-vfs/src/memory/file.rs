//! An open file in memory.

use super::content::Content;
use super::inode::Inode;
use crate::Errno;
use crate::layer::{File, FileKind, Metadata, OpenOptions, Owner, Time};
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct MemoryFile {
    inode: Arc<Inode>,
    options: OpenOptions,
    /// The file of the layer below, to read from until it is copied up.
    lower: Option<Box<dyn File>>,
}

impl MemoryFile {
    /// An open file. The inode must be this layer's own where `options` say that it is written.
    pub(super) fn new(inode: Arc<Inode>, options: OpenOptions) -> Result<Self, Errno> {
        let lower = inode.lower_file().map(|file| file.open()).transpose()?;
        inode.opened();
        Ok(Self { inode, options, lower })
    }

    fn writes(&self) -> bool {
        self.options.write || self.options.append
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        self.inode.closed();
    }
}

impl File for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        if self.writes() && !self.options.read {
            return Err(Errno::EBADF);
        }
        match &*self.inode.content()? {
            Content::Own(content) => {
                let rest = usize::try_from(offset).ok().and_then(|start| content.get(start..)).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
            // Content never becomes the lower layer's again, so a file that finds it there now found it at its opening.
            Content::Lower(_) => self.lower.as_ref().ok_or(Errno::EIO)?.read_at(buffer, offset),
        }
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
        self.inode.make_own_unnamed()?;
        self.inode.set_times(accessed, modified);
        Ok(())
    }

    fn set_permissions(&self, mode: u32) -> Result<(), Errno> {
        self.inode.make_own_unnamed()?;
        self.inode.set_permissions(mode);
        Ok(())
    }

    fn set_owner(&self, owner: Owner) -> Result<(), Errno> {
        self.inode.make_own_unnamed()?;
        self.inode.set_owner(owner);
        Ok(())
    }
}
