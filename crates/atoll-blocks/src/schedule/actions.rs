//! What the scheduler is told, answers and orders.

use std::ops::Range;
use std::time::Duration;

/// An object of this upstream. Made by the scheduler, and none of them twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub(super) u64);

/// A read that waits. Made by the scheduler, in ascending order, and none of them twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub(super) u64);

/// A request to the upstream. Made by the scheduler, in ascending order, and none of them twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// What bytes are wanted for. What comes first goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Somebody waits for them.
    Demand,
    /// A sequential reader will want them next.
    Readahead,
    /// Somebody said that they will be wanted.
    Prefetch,
    /// They belong to a chunk that somebody has read from.
    Fill,
}

/// The answer to [`Scheduler::read`](super::Scheduler::read).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Answer {
    /// All frames are there.
    Ready,
    /// One [`Action::Wake`] or [`Action::Fail`] follows, unless the read is cancelled before.
    Waits(ReadId),
}

/// What the caller has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask the upstream for the bytes of these frames.
    Start(Start),
    /// Give up a request; nothing that is said of it later matters.
    Abort(RequestId),
    /// All frames of this read have been there.
    Wake(ReadId),
    /// This read gets no answer.
    Fail {
        /// The read.
        read: ReadId,
        /// Why.
        why: Why,
    },
    /// Say [`Scheduler::hit`](super::Scheduler::hit) when this frame is next read and is there.
    Watch {
        /// The object.
        object: ObjectId,
        /// The frame.
        frame: u32,
    },
}

/// A request to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Its name in what the caller reports.
    pub request: RequestId,
    /// The object.
    pub object: ObjectId,
    /// Its frames.
    pub frames: Range<u32>,
    /// Its bytes.
    pub bytes: Range<u64>,
    /// What it is wanted for when it starts.
    pub class: Class,
    /// The request whose first byte is late, if this one is for the same bytes.
    pub hedges: Option<RequestId>,
}

/// How a request ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its body is over. Frames of it that have not been [verified](super::Scheduler::verified) are missing, as after
    /// an error.
    Complete,
    /// It failed in a way that another attempt may not: the connection, a status of overload or of a fault of the
    /// server.
    Failed {
        /// When the upstream wishes to be asked again.
        retry_after: Option<Duration>,
    },
    /// The first frame that has not been verified is not what it should be.
    Corrupt,
    /// No further attempt would help: the object is gone, or another one, or forbidden.
    Refused,
}

/// Why a read gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It has waited for as long as a read may.
    #[error("the upstream did not deliver in time")]
    TimedOut,
    /// A frame came damaged each time.
    #[error("a frame is damaged at the upstream")]
    Corrupt(RequestId),
    /// The upstream refused.
    #[error("the upstream refused")]
    Refused(RequestId),
    /// The object was closed.
    #[error("the object was closed")]
    Closed,
}
