//! What the pool answers and orders.

use crate::ids::{DeploymentId, IsolateId, RequestId, TenantId, Version, WorkerId};
use std::time::Duration;

/// The right to have one worker serve one request. It is given back by [`Pool::release`](crate::Pool::release), once: it
/// can't be copied. As long as there is one, its worker and its isolate live.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a lease that is not released keeps its isolate for ever"]
pub struct Lease {
    pub(crate) worker: WorkerId,
    pub(crate) isolate: IsolateId,
    pub(crate) deployment: DeploymentId,
}

impl Lease {
    /// Who serves the request.
    pub fn worker(&self) -> WorkerId {
        self.worker
    }

    /// Where that worker is.
    pub fn isolate(&self) -> IsolateId {
        self.isolate
    }

    /// Whose it is.
    pub fn deployment(&self) -> DeploymentId {
        self.deployment
    }
}

/// The answer to [`Pool::acquire`](crate::Pool::acquire).
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Acquired {
    /// A worker takes the request now.
    Granted(Lease),
    /// The request waits. One [`Action::Grant`] or [`Action::Refuse`] follows, unless it is cancelled before.
    Queued(RequestId),
    /// Nobody takes the request.
    Refused(Refusal),
}

/// Why nobody takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The deployment is not known, or was removed.
    #[error("there is no such deployment")]
    Unknown,
    /// Too many wait already.
    #[error("too many requests wait")]
    QueueFull {
        /// When to try again: whole seconds.
        retry_after: Duration,
    },
    /// It has waited for as long as a request may.
    #[error("no worker came free in time")]
    TimedOut {
        /// When to try again: whole seconds.
        retry_after: Duration,
    },
    /// The start that it waited for failed.
    #[error("the worker could not be started")]
    StartFailed,
    /// Starts failed repeatedly, and the next is not due yet.
    #[error("the worker could not be started, repeatedly")]
    BackingOff {
        /// When to try again: whole seconds.
        retry_after: Duration,
    },
    /// The pool takes no more requests.
    #[error("shutting down")]
    Draining,
}

impl Refusal {
    /// For the `Retry-After` header, whole seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QueueFull { retry_after } | Self::TimedOut { retry_after } | Self::BackingOff { retry_after } => {
                Some(*retry_after)
            }
            Self::Unknown | Self::StartFailed | Self::Draining => None,
        }
    }
}

/// How a request ended, as far as the pool is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The isolate can go on, whatever the guest answered.
    Healthy,
    /// The isolate hit a limit: its heap may hold half-made objects, and it is not used again.
    LimitHit,
}

/// Where a worker is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In an isolate that is to be made.
    New,
    /// In a spare isolate, which belonged to nobody.
    Spare,
    /// In a new context of an isolate that has already run the same version: on the pool's own thread, where that isolate is.
    Warm,
}

/// Who waits for a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// A request.
    Demand,
    /// Nobody, yet: it may be put off while the thread has other work, until a request of that deployment is
    /// [queued](Acquired::Queued).
    Ahead,
}

/// An order to start a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The new worker.
    pub worker: WorkerId,
    /// Where it will be.
    pub isolate: IsolateId,
    /// What kind of isolate that is.
    pub place: Place,
    /// Whose isolate it is from now on.
    pub tenant: TenantId,
    /// Whose worker.
    pub deployment: DeploymentId,
    /// What to start: the version at the time of the order.
    pub version: Version,
    /// Who waits for it.
    pub urgency: Urgency,
}

/// Why an isolate ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// Its place was needed by a deployment for which a request waits.
    Displaced,
    /// Memory was short.
    Memory,
    /// It was a spare that is no longer needed.
    Surplus,
    /// It has served as many requests as an isolate may.
    UsedUp,
    /// It hit a limit.
    Limit,
    /// A worker could not be started in it, or it could not be made.
    StartFailed,
    /// The deployment has another version now, or another isolation.
    Replaced,
    /// The deployment is gone.
    Removed,
    /// The pool is shutting down.
    Drained,
}

impl EndReason {
    /// All of them; a reason's position is its number.
    pub const ALL: [Self; 9] = [
        Self::Displaced,
        Self::Memory,
        Self::Surplus,
        Self::UsedUp,
        Self::Limit,
        Self::StartFailed,
        Self::Replaced,
        Self::Removed,
        Self::Drained,
    ];

    /// `displaced`, `memory`, …, for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Displaced => "displaced",
            Self::Memory => "memory",
            Self::Surplus => "surplus",
            Self::UsedUp => "used_up",
            Self::Limit => "limit",
            Self::StartFailed => "start_failed",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
            Self::Drained => "drained",
        }
    }
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a spare isolate, then call [`Pool::isolate_made`](crate::Pool::isolate_made) or
    /// [`Pool::isolate_failed`](crate::Pool::isolate_failed).
    MakeIsolate {
        /// Its name.
        isolate: IsolateId,
    },
    /// Start a worker, then call [`Pool::started`](crate::Pool::started) or
    /// [`Pool::start_failed`](crate::Pool::start_failed).
    Start(Start),
    /// A request need not wait any longer.
    Grant {
        /// The request.
        request: RequestId,
        /// Its worker.
        lease: Lease,
    },
    /// A request waits in vain.
    Refuse {
        /// The request.
        request: RequestId,
        /// Why.
        refusal: Refusal,
    },
    /// Have an idle isolate give back memory that it doesn't need (V8's memory-pressure notification), and report what is
    /// left by [`Pool::measured`](crate::Pool::measured). It may have become busy by the time that this is read: then
    /// leave it alone.
    Shrink {
        /// The isolate.
        isolate: IsolateId,
    },
    /// Dispose of a worker. Nothing is under way in it, and its name is not heard again.
    EndWorker {
        /// The worker.
        worker: WorkerId,
    },
    /// Dispose of an isolate, whose workers have all ended. Its name is not heard again.
    EndIsolate {
        /// The isolate.
        isolate: IsolateId,
        /// Why, for metrics.
        reason: EndReason,
    },
}
