//! When which byte is sent.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What an origin's network is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// From the end of a request's head to the beginning of the answer.
    pub first_byte: Duration,
    /// So much more at most, evenly distributed.
    pub jitter: Duration,
    /// Of the jitter. With the same, the request of the same number has the same.
    pub seed: u64,
    /// How fast bodies come.
    pub bandwidth: Bandwidth,
}

impl Shape {
    /// An origin with this time to a first byte, which never varies, and unlimited bandwidth.
    pub fn of(first_byte: Duration) -> Self {
        Self { first_byte, jitter: Duration::ZERO, seed: 0, bandwidth: Bandwidth::Unlimited }
    }

    pub(super) fn first_byte_of(&self, request: u64) -> Duration {
        self.first_byte + self.jitter.mul_f64(fraction(self.seed, request))
    }
}

/// Bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bandwidth {
    /// As fast as the machine can.
    Unlimited,
    /// Of each answer.
    Each(u64),
    /// Of all answers together; those that are under way have equal shares.
    Shared(u64),
}

/// The line that bodies go through.
#[derive(Debug)]
pub(super) struct Line {
    bandwidth: Bandwidth,
    /// When a shared one has sent all that was given to it.
    free: Mutex<Option<Instant>>,
}

impl Line {
    pub(super) fn new(bandwidth: Bandwidth) -> Self {
        Self { bandwidth, free: Mutex::default() }
    }

    /// Bytes that are sent as one: what takes 40 µs, and no more than a socket likes.
    pub(super) fn chunk_bytes(&self) -> u64 {
        match self.bandwidth {
            Bandwidth::Unlimited => 256 << 10,
            Bandwidth::Each(rate) | Bandwidth::Shared(rate) => (rate / 25_000).clamp(1, 64 << 10),
        }
    }

    /// When the last of `bytes` bytes is through that are ready at `ready`.
    pub(super) fn pass(&self, ready: Instant, bytes: u64) -> Instant {
        let time = |rate: u64| Duration::from_nanos((u128::from(bytes) * 1_000_000_000 / u128::from(rate)) as u64);
        match self.bandwidth {
            Bandwidth::Unlimited => ready,
            Bandwidth::Each(rate) => ready + time(rate),
            Bandwidth::Shared(rate) => {
                let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
                let through = free.map_or(ready, |free| free.max(ready)) + time(rate);
                *free = Some(through);
                through
            }
        }
    }
}

/// Makes the kernel wake this thread when it was asked to, and not up to 50 µs later.
pub(super) fn wake_exactly() {
    // Where that is forbidden, bytes are later.
    let _ = rustix::thread::set_current_timer_slack(Some(std::num::NonZeroU64::MIN));
}

pub(super) fn sleep_until(moment: Instant) {
    #[expect(clippy::disallowed_methods, reason = "the moments are what is simulated here")]
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}

/// By how much what is learned grows at least.
const GROWTH: Duration = Duration::from_micros(1);
/// How long before its moment a thread wakes at most, to be in time.
const EARLY_MAX: Duration = Duration::from_micros(200);

/// Waits more exactly than the kernel's timers wake: it learns how late they are at least, sleeps for so much less, and spins
/// for what is left until the moment has come. To spin for longer, as late as they are at most, would make it more exact
/// where processors are idle; where clients need them, it would make those late.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    late: Option<Duration>,
}

impl Alarm {
    pub(super) fn wait_until(&mut self, moment: Instant) {
        let wake = moment.checked_sub(self.late.unwrap_or_default()).unwrap_or(moment);
        if wake > Instant::now() {
            sleep_until(wake);
            let late = Instant::now().saturating_duration_since(wake).min(EARLY_MAX);
            // It grows slowly, so that one that was late by chance is not learned.
            self.late = Some(self.late.map_or(late, |least| late.min(least * 9 / 8 + GROWTH)));
        }
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
    }
}

/// A number in [0, 1) by two others (SplitMix64's finalizer).
pub(super) fn fraction(seed: u64, number: u64) -> f64 {
    let mut mixed = seed ^ number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_of_a_byte_follows_from_the_shape() {
        let start = Instant::now();
        let check = |line: &Line, ready: u64, bytes: u64, through: u64| {
            let through = start + Duration::from_micros(through);
            assert_eq!(line.pass(start + Duration::from_micros(ready), bytes), through, "{line:?} {ready} {bytes}");
        };
        let each = Line::new(Bandwidth::Each(1_000_000));
        check(&each, 0, 100, 100);
        check(&each, 0, 100, 100);
        let shared = Line::new(Bandwidth::Shared(1_000_000));
        check(&shared, 0, 100, 100);
        check(&shared, 0, 100, 200);
        check(&shared, 1000, 100, 1100);
        let unlimited = Line::new(Bandwidth::Unlimited);
        check(&unlimited, 7, 1 << 40, 7);
    }

    #[test]
    fn jitter_is_the_same_for_the_same_request() {
        let jitter = Duration::from_millis(10);
        let shape = Shape { jitter, seed: 3, ..Shape::of(Duration::from_millis(20)) };
        let times: Vec<_> = (0..1000).map(|request| shape.first_byte_of(request)).collect();
        assert_eq!(times, (0..1000).map(|request| shape.first_byte_of(request)).collect::<Vec<_>>());
        assert!(times.iter().all(|time| (Duration::from_millis(20)..Duration::from_millis(30)).contains(time)));
        let mean = times.iter().sum::<Duration>() / 1000;
        assert!((Duration::from_micros(24_500)..Duration::from_micros(25_500)).contains(&mean), "{mean:?}");
    }
}
