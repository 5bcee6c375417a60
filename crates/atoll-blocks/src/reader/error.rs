//! Why nothing was opened or read.

use crate::cache::CacheError;
use crate::frames::{HeaderError, TableError};
use crate::schedule::Why;
use crate::upstream::UpstreamError;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Why an object was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its beginning can't be had.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// Nothing of it came for too long.
    #[error("{object} could not be opened: the upstream did not deliver in time")]
    TimedOut {
        /// Which object.
        object: Arc<str>,
    },
    /// It is not the framed object that was asked for.
    #[error("{object} could not be opened: {source}")]
    Header {
        /// Which object.
        object: Arc<str>,
        /// What is wrong with its header.
        source: HeaderError,
    },
    /// Its table is not the one that belongs to its header.
    #[error("{object} could not be opened: {source}")]
    Table {
        /// Which object.
        object: Arc<str>,
        /// What is wrong with its table.
        source: TableError,
    },
    /// It is longer or shorter than its header says.
    #[error("{object} has {found} bytes, and {expected} by its header: it was not uploaded as a whole")]
    Size {
        /// Which object.
        object: Arc<str>,
        /// As the header says.
        expected: u64,
        /// As the upstream says.
        found: u64,
    },
    /// The cache can't have it.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The runtime is shutting down, or something in it has panicked.
    #[error("{object} could not be opened: the runtime was shut down")]
    Closed {
        /// Which object.
        object: Arc<str>,
    },
}

/// Why a part of an object could not be read: what an [`io::Error`] of a read has inside. To a guest it is `EIO`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("bytes {} to {} of {object} can't be read: {cause}", range.start, range.end)]
pub struct ReadError {
    /// Which object.
    pub object: Arc<str>,
    /// The part of its content, in bytes.
    pub range: Range<u64>,
    /// Why.
    pub cause: Cause,
}

/// What ended a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The upstream did not give what it was asked for.
    Upstream {
        /// How that ended.
        why: Why,
        /// What it has said last, of this object or another one.
        last_failure: Option<Arc<str>>,
    },
    /// The reader's runtime was shut down.
    ReaderGone,
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream { why, last_failure: None } => why.fmt(formatter),
            Self::Upstream { why, last_failure: Some(last) } => {
                write!(formatter, "{why}; what it has said last: {last}")
            }
            Self::ReaderGone => formatter.write_str("the runtime that was to fetch them was shut down"),
        }
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        Self::other(error)
    }
}
