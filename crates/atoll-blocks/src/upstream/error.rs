//! Why an upstream did not give what it was asked for.

use crate::schedule::Ending;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Why bytes of an object did not come. Each variant names the object.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// There is no such object.
    #[error("{object} does not exist: check the address, and that the object was not deleted")]
    NotFound {
        /// Which object.
        object: Arc<str>,
    },
    /// It may not be read with these credentials, or without any.
    #[error("{object} may not be read with the credentials there are: {reason}")]
    Forbidden {
        /// Which object.
        object: Arc<str>,
        /// What the store says.
        reason: String,
    },
    /// It is not the version that was opened.
    #[error("{object} has changed since it was opened ({reason}): open it again")]
    Changed {
        /// Which object.
        object: Arc<str>,
        /// What shows it.
        reason: String,
    },
    /// The store can't do what it was asked for.
    #[error("{object} can't be read by ranges: {reason}")]
    Unsupported {
        /// Which object.
        object: Arc<str>,
        /// What is missing.
        reason: String,
    },
    /// The store failed, or is overloaded, for now.
    #[error("{object} could not be read: {reason}")]
    Failed {
        /// Which object.
        object: Arc<str>,
        /// What the store says.
        reason: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The connection broke, or was never made.
    #[error("{object} could not be read: {source}")]
    Broken {
        /// Which object.
        object: Arc<str>,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The body ended too early.
    #[error("{object}: of bytes {} to {} only {received} came", .range.start, .range.end)]
    Short {
        /// Which object.
        object: Arc<str>,
        /// What was asked for.
        range: Range<u64>,
        /// Bytes that came.
        received: u64,
    },
    /// A file could not be read.
    #[error("{object} could not be read: {source}")]
    File {
        /// Which object.
        object: Arc<str>,
        /// What the kernel says.
        source: io::Error,
    },
}

impl UpstreamError {
    /// What this is to the scheduler: whether another attempt may help, and when.
    pub fn ending(&self) -> Ending {
        match self {
            Self::NotFound { .. } | Self::Forbidden { .. } | Self::Changed { .. } | Self::Unsupported { .. } => {
                Ending::Refused
            }
            Self::Failed { retry_after, .. } => Ending::Failed { retry_after: *retry_after },
            Self::Broken { .. } | Self::Short { .. } | Self::File { .. } => Ending::Failed { retry_after: None },
        }
    }

    pub(super) fn of_store(object: &Arc<str>, error: object_store::Error) -> Self {
        use object_store::Error;
        let object = Arc::clone(object);
        match error {
            Error::NotFound { .. } => Self::NotFound { object },
            Error::PermissionDenied { source, .. } | Error::Unauthenticated { source, .. } => {
                Self::Forbidden { object, reason: source.to_string() }
            }
            Error::Precondition { source, .. } => Self::Changed { object, reason: source.to_string() },
            Error::NotSupported { source } => Self::Unsupported { object, reason: source.to_string() },
            Error::Generic { source, .. } => Self::Broken { object, source },
            error => Self::Broken { object, source: Box::new(error) },
        }
    }
}
