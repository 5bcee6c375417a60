//! What a worker may use, with defaults: the single source for documentation and tests.

use atoll_engine::{MemoryLimits, TurnBudget};
use std::time::Duration;

/// Limits of one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// JavaScript heap, bytes.
    pub heap_bytes: usize,
    /// `ArrayBuffer` contents, bytes, counted apart from the heap.
    pub buffer_bytes: usize,
    /// CPU time of one turn, that is until the guest waits.
    pub turn_cpu: Duration,
    /// CPU time for loading and evaluating the app.
    pub startup_cpu: Duration,
    /// Time by the clock from a request's arrival to its response's head; also for starting up.
    pub wall: Duration,
}

impl Limits {
    /// For `atoll serve`: a request that computes for a second, or waits for half a minute, has gone wrong.
    pub const SERVE: Self = Self {
        heap_bytes: 128 << 20,
        buffer_bytes: 128 << 20,
        turn_cpu: Duration::from_secs(1),
        startup_cpu: Duration::from_secs(10),
        wall: Duration::from_secs(30),
    };

    /// For `atoll run`: a program may take its time, and its user can stop it.
    pub const RUN: Self = Self {
        heap_bytes: 2 << 30,
        buffer_bytes: 2 << 30,
        turn_cpu: Self::UNLIMITED,
        startup_cpu: Self::UNLIMITED,
        wall: Self::UNLIMITED,
    };

    /// Longer than any process lives, and short enough to be added to any moment.
    const UNLIMITED: Duration = Duration::from_hours(100 * 365 * 24);

    pub(crate) fn memory(&self) -> MemoryLimits {
        MemoryLimits { heap_bytes: self.heap_bytes, buffer_bytes: self.buffer_bytes }
    }

    pub(crate) fn startup(&self) -> TurnBudget {
        TurnBudget { cpu: self.startup_cpu, wall: self.wall.max(self.startup_cpu) }
    }

    pub(crate) fn turn(&self) -> TurnBudget {
        TurnBudget { cpu: self.turn_cpu, wall: self.wall.max(self.turn_cpu) }
    }
}
