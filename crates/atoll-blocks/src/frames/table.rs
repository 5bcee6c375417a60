//! Where frames are, and how what is stored becomes content.

use super::header::Header;
use crate::schedule::Layout;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// Length of a frame's entry.
pub(super) const ENTRY_BYTES: usize = 4 + 32;
/// Marks a stored length: the frame is compressed. Lengths are below, since a frame has at most 2²⁰ bytes.
const COMPRESSED: u32 = 1 << 31;

/// The frames of an object. One that exists is the one that its header has the digest of, and consistent in itself.
#[derive(Clone)]
pub struct FrameTable {
    header: Header,
    /// Where each frame begins in the object, and where the last one ends.
    offsets: Arc<[u64]>,
    entries: Box<[Entry]>,
}

#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) stored_bytes: u32,
    pub(super) is_compressed: bool,
    pub(super) digest: [u8; 32],
}

impl fmt::Debug for FrameTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FrameTable").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Why bytes are not the table of an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Not as many bytes as the header says.
    #[error("the table has {found} bytes, expected {expected}")]
    Length {
        /// As the header says.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// It is another table.
    #[error("the table's digest is not the one in the header")]
    Digest,
    /// A frame has no bytes, more than its content, or as many although it is compressed.
    #[error("frame {frame} of {content_bytes} bytes can't be stored in {stored_bytes}")]
    FrameLength {
        /// The frame.
        frame: u32,
        /// Length of its content.
        content_bytes: u64,
        /// Its length in the table.
        stored_bytes: u32,
    },
    /// The lengths don't add up to what the header says.
    #[error("the frames take {found} bytes, expected {expected}")]
    Sum {
        /// As the header says.
        expected: u64,
        /// What the lengths add up to.
        found: u64,
    },
}

/// Why a frame has no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// What came is not what was stored: damaged on its way, or where it lies.
    #[error("frame {0} is damaged: its digest is not the one in the table")]
    Digest(u32),
    /// What was stored is not what can be stored: the object was made so.
    #[error("frame {0} does not decompress to its content's length")]
    Content(u32),
}

impl FrameTable {
    /// Reads the table that belongs to a header.
    pub fn believe(header: &Header, bytes: &[u8]) -> Result<Self, TableError> {
        if bytes.len() != header.table_bytes() {
            return Err(TableError::Length { expected: header.table_bytes(), found: bytes.len() });
        }
        if blake3::hash(bytes).as_bytes() != header.table_digest() {
            return Err(TableError::Digest);
        }
        Self::decode(header, bytes)
    }

    /// Reads a table that nobody vouches for.
    pub fn decode(header: &Header, bytes: &[u8]) -> Result<Self, TableError> {
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        if entries.len() != header.frames() as usize || !rest.is_empty() {
            return Err(TableError::Length { expected: header.table_bytes(), found: bytes.len() });
        }
        let mut offsets = Vec::with_capacity(entries.len() + 1);
        let mut at = header.frames_begin();
        offsets.push(at);
        let mut decoded = Vec::with_capacity(entries.len());
        for (frame, bytes) in entries.iter().enumerate() {
            let frame = frame as u32;
            let entry = Entry::decode(bytes);
            let content_bytes = header.content_of(frame);
            let stored_bytes = u64::from(entry.stored_bytes);
            let fits = if entry.is_compressed {
                (1..content_bytes).contains(&stored_bytes)
            } else {
                stored_bytes == content_bytes
            };
            if !fits {
                return Err(TableError::FrameLength { frame, content_bytes, stored_bytes: entry.stored_bytes });
            }
            // At most 2²¹ frames of at most 2²⁰ bytes: no sum overflows.
            at += stored_bytes;
            offsets.push(at);
            decoded.push(entry);
        }
        let (expected, found) = (header.stored_bytes(), at - header.frames_begin());
        if expected != found {
            return Err(TableError::Sum { expected, found });
        }
        Ok(Self { header: header.clone(), offsets: offsets.into(), entries: decoded.into() })
    }

    /// The object's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where the frames are, for the scheduler; `chunk_bytes` of content make a chunk, at least one frame.
    pub fn layout(&self, chunk_bytes: u64) -> Layout {
        let chunk_frames = (chunk_bytes / self.header.frame_bytes()).clamp(1, u64::from(u32::MAX));
        Layout::table(Arc::clone(&self.offsets), chunk_frames as u32)
    }

    /// Checks what is stored of a frame, and writes its content, all of it, into `content`, which must be as
    /// [long](Header::content_of).
    ///
    /// # Panics
    /// If there is no such frame, or `content` has another length.
    pub fn open(&self, frame: u32, stored: &[u8], content: &mut [u8]) -> Result<(), FrameError> {
        assert_eq!(content.len() as u64, self.header.content_of(frame), "room for exactly a frame's content");
        if self.check(frame, stored)?.is_compressed {
            return decompress(frame, stored, content);
        }
        content.copy_from_slice(stored);
        Ok(())
    }

    /// Checks what is stored of a frame, and gives its content: the same bytes, if they are stored raw.
    ///
    /// # Panics
    /// If there is no such frame.
    pub fn content(&self, frame: u32, stored: Bytes) -> Result<Bytes, FrameError> {
        if !self.check(frame, &stored)?.is_compressed {
            return Ok(stored);
        }
        let mut content = vec![0; self.header.content_of(frame) as usize];
        decompress(frame, &stored, &mut content)?;
        Ok(content.into())
    }

    /// The entry of a frame, if this is what was stored.
    fn check(&self, frame: u32, stored: &[u8]) -> Result<&Entry, FrameError> {
        let entry = &self.entries[frame as usize];
        let is_what_was_stored =
            stored.len() == entry.stored_bytes as usize && blake3::hash(stored).as_bytes() == &entry.digest;
        if is_what_was_stored { Ok(entry) } else { Err(FrameError::Digest(frame)) }
    }
}

fn decompress(frame: u32, stored: &[u8], content: &mut [u8]) -> Result<(), FrameError> {
    match zstd::bulk::decompress_to_buffer(stored, content) {
        Ok(length) if length == content.len() => Ok(()),
        _ => Err(FrameError::Content(frame)),
    }
}

impl Entry {
    pub(super) fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mark = if self.is_compressed { COMPRESSED } else { 0 };
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..4].copy_from_slice(&(self.stored_bytes | mark).to_le_bytes());
        bytes[4..].copy_from_slice(&self.digest);
        bytes
    }

    fn decode(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let length = u32::from_le_bytes(std::array::from_fn(|index| bytes[index]));
        Self {
            stored_bytes: length & !COMPRESSED,
            is_compressed: length & COMPRESSED != 0,
            digest: std::array::from_fn(|index| bytes[4 + index]),
        }
    }
}
