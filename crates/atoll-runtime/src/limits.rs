//! What a worker may use, with defaults: the single source for documentation and tests.

use atoll_engine::{Allowance, MemoryLimits, TurnBudget};
use std::time::Duration;

/// Limits of one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// JavaScript heap, bytes.
    pub heap_bytes: usize,
    /// `ArrayBuffer` contents, bytes, counted apart from the heap.
    pub external_bytes: usize,
    /// CPU time of one request until its response is complete, in all its turns.
    pub request_cpu: Duration,
    /// CPU time of what `ctx.waitUntil` keeps going after a response.
    pub wait_until_cpu: Duration,
    /// Time by the clock for the same.
    pub wait_until_wall: Duration,
    /// CPU time for loading and evaluating the app.
    pub startup_cpu: Duration,
    /// Time by the clock for the same.
    pub startup_wall: Duration,
    /// Time by the clock from a request's arrival to its response's head.
    pub wall: Duration,
}

impl Limits {
    /// For `atoll serve`: a request that computes for a second, or waits for half a minute, has gone wrong.
    pub const SERVE: Self = Self {
        heap_bytes: 128 << 20,
        external_bytes: 128 << 20,
        request_cpu: Duration::from_secs(1),
        wait_until_cpu: Duration::from_secs(1),
        wait_until_wall: Duration::from_secs(30),
        startup_cpu: Duration::from_secs(10),
        startup_wall: Duration::from_secs(30),
        wall: Duration::from_secs(30),
    };

    /// For `atoll run`: a program may take its time, and its user can stop it.
    pub const RUN: Self = Self {
        heap_bytes: 2 << 30,
        external_bytes: 2 << 30,
        request_cpu: Self::UNLIMITED,
        wait_until_cpu: Self::UNLIMITED,
        wait_until_wall: Self::UNLIMITED,
        startup_cpu: Self::UNLIMITED,
        startup_wall: Self::UNLIMITED,
        wall: Self::UNLIMITED,
    };

    /// Longer than any process lives, and short enough to be added to any moment.
    const UNLIMITED: Duration = Duration::from_hours(100 * 365 * 24);

    pub(crate) fn memory(&self) -> MemoryLimits {
        MemoryLimits { heap_bytes: self.heap_bytes, external_bytes: self.external_bytes }
    }

    pub(crate) fn startup(&self) -> TurnBudget {
        TurnBudget {
            cpu: Allowance::new(self.startup_cpu),
            wall: Allowance::new(self.startup_wall.max(self.startup_cpu)),
        }
    }
}
