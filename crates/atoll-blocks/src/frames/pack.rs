//! Writes a framed object.

use super::header::{Header, HeaderError};
use super::table::Entry;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// How content is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// Frames have 2 to this power bytes of content: [`super::FRAME_BITS_MIN`] to [`super::FRAME_BITS_MAX`].
    pub frame_bits: u8,
    /// The level of zstd; `None` stores all frames raw. A frame that does not become smaller is stored raw in any case.
    pub level: Option<i32>,
}

impl Default for Packing {
    /// Frames of 128 KiB, by zstd's default level.
    fn default() -> Self {
        Self { frame_bits: 17, level: Some(3) }
    }
}

/// Why nothing was packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The content did not come, or was shorter than said.
    #[error("reading the content: {0}")]
    Read(#[source] io::Error),
    /// The object could not be written.
    #[error("writing the object: {0}")]
    Write(#[source] io::Error),
    /// zstd did not want this level, or had no memory.
    #[error("compressing: {0}")]
    Compress(#[source] io::Error),
    /// The content has more frames than an object may, or frames are too small or too large.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// Packs `content_bytes` bytes of `content`, and writes the object from `object`'s present position on. Equal content
/// and packing give equal objects, by the same version of zstd.
pub fn pack(
    content: &mut impl Read,
    content_bytes: u64,
    packing: Packing,
    object: &mut (impl Write + Seek),
) -> Result<Header, PackError> {
    // Its table's digest and its stored length come when they are known.
    let draft = Header::new(content_bytes, content_bytes, packing.frame_bits, [0; 32])?;
    let begin = object.stream_position().map_err(PackError::Write)?;
    object.seek(SeekFrom::Start(begin + draft.frames_begin())).map_err(PackError::Write)?;
    let compressor = packing.level.map(zstd::bulk::Compressor::new).transpose();
    let mut compressor = compressor.map_err(PackError::Compress)?;
    let mut table = Vec::with_capacity(draft.table_bytes());
    let mut stored_bytes = 0;
    let mut buffer = vec![0; draft.frame_bytes() as usize];
    for frame in 0..draft.frames() {
        let content_bytes = draft.content_of(frame) as usize;
        let raw = &mut buffer[..content_bytes];
        content.read_exact(raw).map_err(PackError::Read)?;
        let compressed = compressor.as_mut().map(|compressor| compressor.compress(raw)).transpose();
        let compressed = compressed.map_err(PackError::Compress)?.filter(|compressed| compressed.len() < raw.len());
        let stored = compressed.as_deref().unwrap_or(raw);
        let entry = Entry {
            stored_bytes: stored.len() as u32,
            is_compressed: compressed.is_some(),
            digest: *blake3::hash(stored).as_bytes(),
        };
        table.extend_from_slice(&entry.encode());
        stored_bytes += stored.len() as u64;
        object.write_all(stored).map_err(PackError::Write)?;
    }
    let header = Header::new(content_bytes, stored_bytes, packing.frame_bits, *blake3::hash(&table).as_bytes())?;
    object.seek(SeekFrom::Start(begin)).map_err(PackError::Write)?;
    object.write_all(&header.encode()).map_err(PackError::Write)?;
    object.write_all(&table).map_err(PackError::Write)?;
    object.seek(SeekFrom::Start(begin + header.object_bytes())).map_err(PackError::Write)?;
    Ok(header)
}
