//! What is read first of a framed object.

use super::table::ENTRY_BYTES;
use super::{FRAME_BITS_MAX, FRAME_BITS_MIN, FRAMES_MAX};
use std::fmt;

/// The format and its version.
const MAGIC: [u8; 8] = *b"atollfr1";

/// Names a framed object: the BLAKE3 of its header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(pub [u8; 32]);

impl Identity {
    /// Reads what [`Display`](fmt::Display) writes: 64 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let pairs: &[[u8; 2]; 32] = pairs.try_into().ok().filter(|_| rest.is_empty())?;
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (digit(*high)? << 4) | digit(*low)?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Identity({self})")
    }
}

/// Sizes of a framed object, and the digest of its table. One that exists is consistent in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    content_bytes: u64,
    stored_bytes: u64,
    frame_bits: u8,
    frames: u32,
    table_digest: [u8; 32],
}

/// Why bytes are no header, or not the one that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The identity is another one.
    #[error("the object is not the one that was asked for: its header's digest is {found}, expected {expected}")]
    Identity {
        /// What was asked for.
        expected: Identity,
        /// What came.
        found: Identity,
    },
    /// Less bytes than a header has.
    #[error("a header has {expected} bytes, found {found}", expected = Header::BYTES)]
    Truncated {
        /// How many there were.
        found: usize,
    },
    /// Another format, or another version of this one.
    #[error("not a framed object, or of a version that this one can't read")]
    Magic,
    /// Frames are too small or too large.
    #[error("frames of 2^{0} bytes; 2^{min} to 2^{max} are allowed", min = FRAME_BITS_MIN, max = FRAME_BITS_MAX)]
    FrameBits(u8),
    /// There are too many frames.
    #[error("more than {FRAMES_MAX} frames; make them larger")]
    TooManyFrames,
    /// The numbers contradict each other.
    #[error("the number of frames, or the stored length, does not follow from the length of the content")]
    Sizes,
    /// Bytes that have no meaning are not zero.
    #[error("reserved bytes are not zero")]
    Reserved,
}

impl Header {
    /// How long a header is.
    pub const BYTES: usize = 128;

    /// A header for content of `content_bytes` bytes, in frames of 2^`frame_bits` bytes that take `stored_bytes`
    /// together.
    pub(super) fn new(
        content_bytes: u64,
        stored_bytes: u64,
        frame_bits: u8,
        table_digest: [u8; 32],
    ) -> Result<Self, HeaderError> {
        let frames = count_frames(content_bytes, frame_bits)?;
        if stored_bytes > content_bytes || stored_bytes < u64::from(frames) {
            return Err(HeaderError::Sizes);
        }
        Ok(Self { content_bytes, stored_bytes, frame_bits, frames, table_digest })
    }

    /// Reads the header of the object with this identity. What follows the header in `bytes` is not looked at.
    pub fn believe(bytes: &[u8], identity: Identity) -> Result<Self, HeaderError> {
        let (header, found) = Self::decode(bytes)?;
        if found != identity {
            return Err(HeaderError::Identity { expected: identity, found });
        }
        Ok(header)
    }

    /// Reads a header that nobody vouches for, and the identity that it would have.
    pub fn decode(bytes: &[u8]) -> Result<(Self, Identity), HeaderError> {
        let Some(bytes) = bytes.first_chunk::<{ Self::BYTES }>() else {
            return Err(HeaderError::Truncated { found: bytes.len() });
        };
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|index| bytes[at + index]));
        if bytes[..8] != MAGIC {
            return Err(HeaderError::Magic);
        }
        let frame_bits = bytes[8];
        if bytes[9..16].iter().chain(&bytes[72..]).any(|byte| *byte != 0) {
            return Err(HeaderError::Reserved);
        }
        let header = Self::new(number(16), number(24), frame_bits, std::array::from_fn(|index| bytes[40 + index]))?;
        if number(32) != u64::from(header.frames) {
            return Err(HeaderError::Sizes);
        }
        Ok((header, Identity(*blake3::hash(bytes).as_bytes())))
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = self.frame_bits;
        bytes[16..24].copy_from_slice(&self.content_bytes.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.stored_bytes.to_le_bytes());
        bytes[32..40].copy_from_slice(&u64::from(self.frames).to_le_bytes());
        bytes[40..72].copy_from_slice(&self.table_digest);
        bytes
    }

    /// The name of the object with this header.
    pub fn identity(&self) -> Identity {
        Identity(*blake3::hash(&self.encode()).as_bytes())
    }

    /// Length of the content, in bytes.
    pub fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// Length of the content of every frame but the last, in bytes.
    pub fn frame_bytes(&self) -> u64 {
        1 << self.frame_bits
    }

    /// How many frames there are.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Length of the table, which follows the header.
    pub fn table_bytes(&self) -> usize {
        self.frames as usize * ENTRY_BYTES
    }

    /// Where the first frame is stored: what comes before is header and table.
    pub fn frames_begin(&self) -> u64 {
        (Self::BYTES + self.table_bytes()) as u64
    }

    /// Length of the object, header and table included.
    pub fn object_bytes(&self) -> u64 {
        self.frames_begin() + self.stored_bytes
    }

    /// Bytes that all frames take, stored.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    pub(super) fn table_digest(&self) -> &[u8; 32] {
        &self.table_digest
    }

    /// Length of a frame's content.
    pub fn content_of(&self, frame: u32) -> u64 {
        let begin = u64::from(frame) << self.frame_bits;
        self.frame_bytes().min(self.content_bytes.saturating_sub(begin))
    }
}

fn count_frames(content_bytes: u64, frame_bits: u8) -> Result<u32, HeaderError> {
    if !(FRAME_BITS_MIN..=FRAME_BITS_MAX).contains(&frame_bits) {
        return Err(HeaderError::FrameBits(frame_bits));
    }
    let frames = content_bytes.div_ceil(1 << frame_bits);
    let frames = u32::try_from(frames).ok().filter(|frames| *frames <= FRAMES_MAX);
    frames.ok_or(HeaderError::TooManyFrames)
}
