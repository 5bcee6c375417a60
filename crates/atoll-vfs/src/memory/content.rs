//! The bytes of a file: its own, or still those of a layer below.

use super::usage::{Charge, Usage};
use crate::Errno;
use crate::layer::{File, FinalLink, Layer, LayerError, LayerResult, OpenOptions};
use crate::path::LayerPath;
use std::sync::Arc;

/// A growing file's buffer is enlarged by at least this fraction of its size, so that appending stays linear while the
/// memory really held stays near what the quota counts.
const GROWTH_DIVISOR: usize = 8;

/// What is read of a lower file at a time when it is copied up.
const COPY_BYTES: usize = 256 * 1024;

#[derive(Debug)]
pub(super) enum Content {
    /// Bytes of this layer, counted by its quota.
    Own(Vec<u8>),
    /// A file of the layer below, not copied yet.
    Lower(LowerFile),
}

/// Where a file lies in the layer below. The path has no links, or had none when it was looked up.
#[derive(Debug, Clone)]
pub(super) struct LowerFile {
    pub(super) layer: Arc<dyn Layer>,
    pub(super) path: Box<[u8]>,
    /// Its length when it was last looked at.
    pub(super) size: u64,
}

impl LowerFile {
    pub(super) fn path(&self) -> Result<LayerPath<'_>, Errno> {
        LayerPath::new(&self.path).ok_or(Errno::EIO)
    }

    /// Opens it for reading.
    pub(super) fn open(&self) -> Result<Box<dyn File>, Errno> {
        let options = OpenOptions { final_link: FinalLink::Keep, ..OpenOptions::READ };
        settled(self.layer.open(self.path()?, &options))
    }

    /// All of its bytes, which are counted as they come. On failure nothing is counted.
    fn copy(&self, usage: &Usage) -> Result<Vec<u8>, Errno> {
        let file = self.open()?;
        let mut content = Vec::new();
        // A file that is too long for the quota is refused before the first byte of it is read.
        let promised = usize::try_from(file.metadata()?.size).map_err(|_| Errno::ENOSPC)?;
        grow(&mut content, promised, usage)?;
        let copied = fill(&*file, &mut content, promised, usage);
        if let Err(errno) = copied {
            usage.give(Charge::bytes(content.len()));
            return Err(errno);
        }
        Ok(content)
    }
}

/// Reads `file` into `content`, which has room for `promised` bytes, to its end: it may have become shorter or longer.
fn fill(file: &dyn File, content: &mut Vec<u8>, promised: usize, usage: &Usage) -> Result<(), Errno> {
    let mut filled = 0;
    loop {
        if filled == content.len() {
            if promised > 0 && filled == promised {
                return Ok(());
            }
            grow(content, filled + COPY_BYTES, usage)?;
        }
        let end = content.len().min(filled + COPY_BYTES);
        match file.read_at(&mut content[filled..end], filled as u64)? {
            0 => {
                cut(content, filled, usage);
                return Ok(());
            }
            count => filled += count,
        }
    }
}

/// What a layer below has said of a path without links. That there is one after all, and that it leads out, means that
/// somebody changes the lower layer meanwhile: then what was looked for has gone.
pub(super) fn settled<T>(result: LayerResult<T>) -> Result<T, Errno> {
    result.map_err(|error| match error {
        LayerError::Errno(errno) => errno,
        LayerError::Leaves => Errno::ENOENT,
    })
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Own(bytes) => bytes.len() as u64,
            Self::Lower(file) => file.size,
        }
    }

    /// Makes the content this layer's own: a copy, or nothing at all where it is to be `emptied` anyway. Either all of
    /// it is done or nothing.
    pub(super) fn copy_up(&mut self, emptied: bool, usage: &Usage) -> Result<(), Errno> {
        if let Self::Lower(file) = self {
            *self = Self::Own(if emptied { Vec::new() } else { file.copy(usage)? });
        }
        Ok(())
    }

    /// The bytes, to change them.
    fn own(&mut self, usage: &Usage) -> Result<&mut Vec<u8>, Errno> {
        self.copy_up(false, usage)?;
        match self {
            Self::Own(bytes) => Ok(bytes),
            Self::Lower(_) => Err(Errno::EIO),
        }
    }

    /// Writes at `offset`, or at the end where there is none.
    pub(super) fn write(&mut self, data: &[u8], offset: Option<u64>, usage: &Usage) -> Result<(), Errno> {
        let content = self.own(usage)?;
        let start = offset.map_or(Ok(content.len()), usize::try_from).map_err(|_| Errno::EFBIG)?;
        let end = start.checked_add(data.len()).ok_or(Errno::EFBIG)?;
        if end > content.len() {
            grow(content, end, usage)?;
        }
        content[start..end].copy_from_slice(data);
        Ok(())
    }

    /// Cuts the file or extends it with zeros.
    pub(super) fn resize(&mut self, length: u64, usage: &Usage) -> Result<(), Errno> {
        self.copy_up(length == 0, usage)?;
        let content = self.own(usage)?;
        let length = usize::try_from(length).map_err(|_| Errno::EFBIG)?;
        if length > content.len() {
            grow(content, length, usage)
        } else {
            cut(content, length, usage);
            Ok(())
        }
    }
}

/// Extends with zeros. The quota is asked before memory is.
fn grow(content: &mut Vec<u8>, length: usize, usage: &Usage) -> Result<(), Errno> {
    let old = content.len();
    let more = length - old;
    let charge = Charge::bytes(more);
    usage.change(charge)?;
    if length > content.capacity() {
        let grown = more.max(old / GROWTH_DIVISOR);
        let reserved = content.try_reserve_exact(grown).or_else(|_| content.try_reserve_exact(more));
        if reserved.is_err() {
            usage.give(charge);
            return Err(Errno::ENOSPC);
        }
    }
    content.resize(length, 0);
    Ok(())
}

fn cut(content: &mut Vec<u8>, length: usize, usage: &Usage) {
    let less = content.len() - length;
    content.truncate(length);
    content.shrink_to_fit();
    usage.give(Charge::bytes(less));
}
