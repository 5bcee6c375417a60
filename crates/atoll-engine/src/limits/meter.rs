//! How much CPU time a turn used.
//!
//! The thread's CPU clock is a system call, a third of a microsecond; the wall clock is a twentieth of that. A thread
//! can't use more CPU time than passes, so for a short turn the wall clock gives an upper bound, and the exact figure
//! is not worth its price. Once in a while, and at the end of every long turn, the CPU clock is read: between two
//! readings the estimate can be off by at most [`RESYNC`].

use atoll_sys::CpuClock;
use std::time::{Duration, Instant};

/// Between two readings of the CPU clock, at most.
const RESYNC: Duration = Duration::from_millis(1);

/// One thread's readings of its two clocks at the same moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meter {
    clock: CpuClock,
    wall: Instant,
    cpu: Duration,
}

/// The start of a turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    pub(super) wall: Instant,
    /// The thread's CPU clock, at most this.
    pub(super) cpu: Duration,
}

impl Meter {
    pub(super) fn new(clock: CpuClock) -> Self {
        Self { clock, wall: Instant::now(), cpu: clock.now() }
    }

    pub(super) fn start(&mut self) -> Started {
        let now = Instant::now();
        let since = now.saturating_duration_since(self.wall);
        if since > RESYNC {
            self.wall = now;
            self.cpu = self.clock.now();
            return Started { wall: now, cpu: self.cpu };
        }
        Started { wall: now, cpu: self.cpu + since }
    }

    /// The CPU time used since `started`.
    pub(super) fn stop(&mut self, started: Started) -> Duration {
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(started.wall);
        if now.saturating_duration_since(self.wall) <= RESYNC {
            return elapsed;
        }
        self.wall = now;
        self.cpu = self.clock.now();
        self.cpu.saturating_sub(started.cpu).min(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_turns_add_up_to_no_less_than_was_used_and_long_ones_do_not_count_sleep() {
        let mut meter = Meter::new(CpuClock::of_current_thread());
        let begin = meter.clock.now();
        let mut charged = Duration::ZERO;
        let mut number = 1_u64;
        for _ in 0..2000 {
            let started = meter.start();
            for _ in 0..2000 {
                number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            }
            charged += meter.stop(started);
        }
        let used = meter.clock.now().saturating_sub(begin);
        assert!(charged >= used / 2, "{charged:?} of {used:?}");

        let started = meter.start();
        std::thread::park_timeout(Duration::from_millis(30));
        assert!(meter.stop(started) < Duration::from_millis(15), "sleep is not CPU time");
    }
}
