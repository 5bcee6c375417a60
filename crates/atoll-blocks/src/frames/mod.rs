//! Framed objects: content in independently stored and verified frames.
//!
//! ```text
//! header   128 bytes: sizes, and the digest of the table
//! table    36 bytes for each frame: stored length and form (4), BLAKE3 of what is stored (32)
//! frames   one after another, each raw or one zstd frame
//! ```
//! Header and table come first, so that one ranged read of an object's beginning tells where everything is. All numbers
//! are little endian. An object is named by its *identity*, the BLAKE3 of its header; the header has the digest of the
//! table, and the table that of every frame. So who knows the identity believes nothing else that comes from outside.
//!
//! Digests are over what is stored, not over the content: bytes that nobody vouches for never reach the decompressor.
//! The table says lengths and no offsets, so frames can neither overlap nor leave gaps. A frame is never stored in more
//! bytes than its content has, and its content has a length that the header fixes: there is nothing to inflate beyond
//! it.
//!
//! * [`Header`]: what is read first; [`FrameTable`]: where frames are, and how one becomes content.
//! * [`pack`]: writes a framed object.

mod header;
mod pack;
mod table;

pub use header::{Header, HeaderError, Identity};
pub use pack::{PackError, Packing, pack};
pub use table::{FrameError, FrameTable, TableError};

/// The smallest frame, as a power of two: a page.
pub const FRAME_BITS_MIN: u8 = 12;
/// The largest frame, as a power of two, 1 MiB: a fault waits for a whole one.
pub const FRAME_BITS_MAX: u8 = 20;
/// The most frames of an object: a table of 72 MiB. In frames of 128 KiB, content of 256 GiB.
pub const FRAMES_MAX: u32 = 1 << 21;
