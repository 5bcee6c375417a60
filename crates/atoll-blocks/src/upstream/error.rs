//! Why an upstream did not give what it was asked for.

use super::answer::Unusable;
use crate::schedule::Ending;
use http::StatusCode;
use object_store::client::HttpError;
use std::error::Error;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Why bytes of an object did not come. Each variant names the object.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// There is no store for this address.
    #[error("{address} can't be read: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it, or missing.
        reason: String,
    },
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
    /// The store refuses for another reason.
    #[error("{object} could not be read: {reason}")]
    Refused {
        /// Which object.
        object: Arc<str>,
        /// What the store says.
        reason: String,
    },
    /// The store failed, is overloaded, or gave something else than it was asked for.
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
    #[error("{object} could not be read: {reason}")]
    Broken {
        /// Which object.
        object: Arc<str>,
        /// What happened.
        reason: String,
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
            Self::Address { .. }
            | Self::NotFound { .. }
            | Self::Forbidden { .. }
            | Self::Changed { .. }
            | Self::Refused { .. } => Ending::Refused,
            Self::Failed { retry_after, .. } => Ending::Failed { retry_after: *retry_after },
            Self::Broken { .. } | Self::Short { .. } | Self::File { .. } => Ending::Failed { retry_after: None },
        }
    }

    pub(super) fn of_store(object: &Arc<str>, error: &object_store::Error) -> Self {
        use object_store::Error;
        let object = Arc::clone(object);
        if let Some(unusable) = cause::<Unusable>(error) {
            return Self::of_answer(object, unusable);
        }
        let reason = last_cause(error).to_string();
        match error {
            Error::NotFound { .. } => Self::NotFound { object },
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Self::Forbidden { object, reason },
            Error::Precondition { .. } => Self::Changed { object, reason },
            _ if is_forbidden_file(error) => Self::Forbidden { object, reason },
            _ => Self::Broken { object, reason },
        }
    }

    fn of_answer(object: Arc<str>, unusable: &Unusable) -> Self {
        let reason = unusable.to_string();
        let (status, retry_after) = match unusable {
            Unusable::Status { status, retry_after, .. } => (*status, *retry_after),
            // When it was opened, the server did serve ranges, or there was no need for it.
            Unusable::Whole { .. } | Unusable::Endless | Unusable::Range { .. } => {
                return Self::Failed { object, reason, retry_after: None };
            }
        };
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Self::NotFound { object },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Forbidden { object, reason },
            // Each range that is asked for was within the object.
            StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE => Self::Changed { object, reason },
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                Self::Failed { object, reason, retry_after }
            }
            status if status.is_server_error() => Self::Failed { object, reason, retry_after },
            _ => Self::Refused { object, reason },
        }
    }
}

fn is_forbidden_file(error: &object_store::Error) -> bool {
    let is_file = cause::<HttpError>(error).is_none();
    is_file && cause::<io::Error>(error).is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// The first of an error's causes that is of this kind.
pub(super) fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// What is at the bottom of an error. Those above repeat it, or say what is known: that an object could not be read.
fn last_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    causes(error).last().unwrap_or(error)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::client::HttpErrorKind;

    fn check(source: impl Error + Send + Sync + 'static) -> UpstreamError {
        UpstreamError::of_store(
            &"object".into(),
            &object_store::Error::Generic { store: "test", source: Box::new(source) },
        )
    }

    #[test]
    fn a_file_that_may_not_be_read_is_forbidden_and_a_connection_that_may_not_be_made_is_broken() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(matches!(check(denied()), UpstreamError::Forbidden { .. }));
        assert!(matches!(check(io::Error::from(io::ErrorKind::TimedOut)), UpstreamError::Broken { .. }));
        let connection = HttpError::new(HttpErrorKind::Connect, denied());
        assert!(matches!(check(connection), UpstreamError::Broken { .. }));
    }

    #[test]
    fn a_reason_is_what_is_at_the_bottom() {
        let bottom = io::Error::other("the bottom");
        let error = check(HttpError::new(HttpErrorKind::Unknown, bottom));
        assert_eq!(error.to_string(), "object could not be read: the bottom");
    }
}
