//! A network that is slower than loopback: a round trip for each connection and each answer, and one line that all answers share.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a network adds to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    /// A round trip: from a request to the first byte of its answer, and as long before that for a new connection.
    pub(crate) latency: Duration,
    /// What all answers share, in bytes per second.
    pub(crate) bytes_per_second: u64,
}

impl Network {
    /// 20 ms and 500 Mbit/s: a good line to a registry's nearest edge.
    pub(crate) const SHAPED: Self = Self { latency: Duration::from_millis(20), bytes_per_second: 500_000_000 / 8 };
    /// Bytes that are sent between two looks at the line: a millisecond of it.
    pub(super) const CHUNK_BYTES: u64 = 64 * 1024;
}

/// The shared line. It sends one chunk after the other, in the order in which they are given to it.
#[derive(Debug)]
pub(super) struct Line {
    network: Network,
    free_from: Mutex<Instant>,
}

impl Line {
    pub(super) fn new(network: Network) -> Self {
        Self { network, free_from: Mutex::new(Instant::now()) }
    }

    /// A round trip.
    pub(super) fn latency(&self) -> Duration {
        self.network.latency
    }

    /// Gives the line so many bytes; they are through at the time that it answers.
    pub(super) fn send(&self, bytes: u64, now: Instant) -> Instant {
        // A time that a panicking thread left is a time.
        let mut free_from = self.free_from.lock().unwrap_or_else(PoisonError::into_inner);
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.network.bytes_per_second);
        let duration = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        *free_from = (*free_from).max(now) + duration;
        *free_from
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Line, Network};

    const MEGABYTE: u64 = 1_000_000;

    #[test]
    fn answers_share_the_line() {
        let line = Line::new(Network { latency: Duration::ZERO, bytes_per_second: 10 * MEGABYTE });
        let now = Instant::now();
        assert_eq!(line.send(MEGABYTE, now), now + Duration::from_millis(100));
        assert_eq!(line.send(MEGABYTE, now), now + Duration::from_millis(200), "it is busy with the first");
        let later = now + Duration::from_millis(150);
        assert_eq!(line.send(MEGABYTE / 2, later), now + Duration::from_millis(250));
    }

    #[test]
    fn a_line_at_rest_saves_nothing_up() {
        let line = Line::new(Network { latency: Duration::ZERO, bytes_per_second: MEGABYTE });
        let later = Instant::now() + Duration::from_mins(1);
        assert_eq!(line.send(1000, later), later + Duration::from_millis(1));
        assert_eq!(line.send(0, later), later + Duration::from_millis(1));
    }

    #[test]
    fn the_shaped_network_is_what_it_says() {
        let line = Line::new(Network::SHAPED);
        assert_eq!(line.latency(), Duration::from_millis(20));
        let later = Instant::now() + Duration::from_secs(1);
        assert_eq!(line.send(62_500_000, later), later + Duration::from_secs(1), "500 Mbit are 62.5 MB");
    }
}
