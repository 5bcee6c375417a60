//! What can go wrong with reading parts of objects, beside what may with any measurement.

use std::io;

use atoll_blocks::cache::CacheError;
use atoll_blocks::frames::{HeaderError, PackError, TableError};
use atoll_blocks::reader::OpenError;
use atoll_blocks::upstream::UpstreamError;

/// A case of the suite `blocks` that can't be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlocksError {
    /// The process with the objects.
    #[error("the origin's process: {0}")]
    Origin(String),
    /// An object that was not made.
    #[error("packing an object")]
    Pack(#[from] PackError),
    /// An object that was not opened by the reader.
    #[error("opening")]
    Open(#[from] OpenError),
    /// The store, asked by one of the policies that are compared with.
    #[error("the store")]
    Upstream(#[from] UpstreamError),
    /// A header that is another one.
    #[error("the header")]
    Header(#[from] HeaderError),
    /// A table that is another one.
    #[error("the table")]
    Table(#[from] TableError),
    /// The cache directory.
    #[error("the cache")]
    Cache(#[from] CacheError),
    /// A read that failed.
    #[error("reading {bytes} bytes at {offset}")]
    Read { offset: u64, bytes: u64, source: io::Error },
    /// A reader that got something else.
    #[error("a read of object {object} got a wrong byte near {offset}")]
    Wrong { object: u64, offset: u64 },
    /// A chunk that did not become complete.
    #[error("{found} of {expected} frames had come {seconds} s after the last read")]
    Incomplete { found: u64, expected: u64, seconds: u64 },
}
