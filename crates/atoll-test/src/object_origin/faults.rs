//! How an answer can be wrong, and which one is.

use super::pace::fraction;
use bytes::Bytes;
use std::time::Duration;

/// Which requests a fault is for, counted from 0 beginning with the first after the rule was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// All.
    Always,
    /// One.
    Request(u64),
    /// The first so many.
    First(u64),
    /// Each with a probability.
    Chance {
        /// From 0 to 1.
        probability: f64,
        /// With the same, the same requests.
        seed: u64,
    },
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The answer has this status, and a body that says so.
    Status {
        /// The status.
        status: u16,
        /// `Retry-After`, in seconds.
        retry_after: Option<u64>,
    },
    /// The answer begins later.
    Late(Duration),
    /// The connection is reset before the answer.
    Reset,
    /// The connection is reset after so many bytes of the body.
    ResetInBody {
        /// Bytes.
        after: u64,
    },
    /// There is no answer, until the client closes the connection.
    Stall,
    /// Nothing follows so many bytes of the body, until the client closes the connection.
    StallInBody {
        /// Bytes.
        after: u64,
    },
    /// The connection is closed in good order after so many bytes of the body.
    Truncated {
        /// Bytes.
        after: u64,
    },
    /// One byte of the body is another one.
    Corrupt {
        /// Where in the body.
        at: u64,
    },
    /// The body comes in small pieces.
    Drip {
        /// Bytes of each.
        bytes: u64,
        /// The time before each.
        every: Duration,
    },
    /// The whole object comes, with status 200.
    IgnoreRange,
    /// `Content-Range` has this value.
    ContentRange(String),
    /// Another range comes, so many bytes further than what was asked for, and `Content-Range` says so.
    Shifted {
        /// Bytes.
        by: u64,
    },
    /// There is no `Content-Length`; the body is in chunks.
    Chunked,
    /// There is no `Content-Length`; the body ends with the connection.
    CloseDelimited,
    /// So many bytes follow the body as if they belonged to it. For a body that is chunked or close-delimited.
    TooLong {
        /// Bytes.
        by: u64,
    },
    /// `Content-Length` is another one, and the body as long.
    ContentLength(u64),
    /// Preconditions are not looked at.
    IgnoreConditions,
    /// Neither ETag nor date are sent.
    NoValidator,
    /// `Content-Encoding` has this value; the body is what it is.
    ContentEncoding(String),
    /// The object is replaced by these bytes before the request is looked at.
    ReplaceBefore(Bytes),
    /// The object is replaced by these bytes after so many bytes of the body, and the answer goes on with them.
    ReplaceInBody {
        /// Bytes.
        after: u64,
        /// The new object.
        bytes: Bytes,
    },
    /// The client is sent to another URL.
    Redirect(String),
}

#[derive(Debug)]
pub(super) struct Rule {
    /// The first request that it is for.
    pub(super) from: u64,
    pub(super) when: When,
    pub(super) fault: Fault,
}

impl Rule {
    pub(super) fn is_for(&self, request: u64) -> bool {
        let Some(number) = request.checked_sub(self.from) else { return false };
        match self.when {
            When::Always => true,
            When::Request(one) => number == one,
            When::First(count) => number < count,
            When::Chance { probability, seed } => fraction(seed, number) < probability,
        }
    }
}
