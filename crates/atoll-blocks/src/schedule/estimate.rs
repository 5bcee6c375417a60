//! What is known of the upstream: time to first byte and bandwidth, as seen lately.

use std::time::Duration;

/// Steps of the histogram per doubling: a quantile is right within an eighth.
const STEPS: u32 = 8;
/// The shortest time that is told apart.
const SHORTEST: Duration = Duration::from_micros(16);
/// Doublings from the shortest time on: up to some 67 s.
const DOUBLINGS: u32 = 22;
/// With this many samples all counts are halved, so that old ones lose their weight.
const SAMPLES_MAX: u32 = 1024;
/// A quantile of 99 % means nothing with fewer.
const SAMPLES_MIN: u32 = 64;
/// The weight of a new first-byte time in the mean.
const FIRST_BYTE_WEIGHT: f64 = 0.125;
/// A time beyond this many means counts as so much in the mean: the tail has the quantile for itself.
const OUTLIER: f64 = 3.0;
/// By how much the shortest time grows with each first byte, so that it is forgotten when none is as short any more.
const BASE_GROWTH: f64 = 1.0 / 256.0;
/// The mean is this many times the shortest at most where nobody stands in line.
const JITTER: f64 = 2.0;
/// Bandwidth is measured over at least this long: sockets deliver in bursts.
const WINDOW_MIN: Duration = Duration::from_millis(1);
/// A higher bandwidth is believed sooner than a lower one: too low a one leaves the upstream idle, and is never
/// corrected by what arrives.
const RISE_WEIGHT: f64 = 0.5;
const FALL_WEIGHT: f64 = 0.125;

#[derive(Debug)]
pub(super) struct Estimate {
    first_byte: f64,
    /// The shortest time to a first byte, nearly.
    base: f64,
    measured_first_byte: bool,
    histogram: [u32; (STEPS * DOUBLINGS) as usize],
    samples: u32,
    bandwidth: f64,
    measured_bandwidth: bool,
    window_bytes: u64,
    window: Duration,
}

impl Estimate {
    pub(super) fn new(first_byte: Duration, bandwidth: f64) -> Self {
        Self {
            first_byte: first_byte.as_secs_f64(),
            base: first_byte.as_secs_f64(),
            measured_first_byte: false,
            histogram: [0; (STEPS * DOUBLINGS) as usize],
            samples: 0,
            bandwidth,
            measured_bandwidth: false,
            window_bytes: 0,
            window: Duration::ZERO,
        }
    }

    /// The time from a request to its first byte, mostly.
    pub(super) fn first_byte(&self) -> Duration {
        Duration::from_secs_f64(self.first_byte)
    }

    /// Bytes per second while some arrive, over all requests together.
    pub(super) fn bandwidth(&self) -> f64 {
        self.bandwidth
    }

    /// How long before its first byte is wanted a request is to be started. Where first bytes are late since requests
    /// stand in line at the upstream, that is less than it takes: to start still sooner would make the line longer.
    pub(super) fn lead(&self) -> Duration {
        Duration::from_secs_f64(self.first_byte.min(self.base * JITTER))
    }

    /// Whether requests stand in line at the upstream.
    pub(super) fn stands_in_line(&self) -> bool {
        self.first_byte > self.base * JITTER
    }

    /// Bytes that arrive within the [lead](Self::lead).
    pub(super) fn lead_bytes(&self) -> f64 {
        self.lead().as_secs_f64() * self.bandwidth
    }

    /// Bytes that arrive within the time to a first byte.
    pub(super) fn delay_product(&self) -> f64 {
        self.first_byte * self.bandwidth
    }

    /// How long these bytes take.
    pub(super) fn transfer(&self, bytes: u64) -> Duration {
        Duration::from_secs_f64(bytes as f64 / self.bandwidth)
    }

    /// The time within which 99 of 100 first bytes come, if enough have been seen to say.
    pub(super) fn late_first_byte(&self) -> Option<Duration> {
        if self.samples < SAMPLES_MIN {
            return None;
        }
        let mut above = self.samples / 100;
        for (step, count) in self.histogram.iter().enumerate().rev() {
            if *count > above {
                let doublings = (step as f64 + 1.0) / f64::from(STEPS);
                return Some(SHORTEST.mul_f64(doublings.exp2()));
            }
            above -= count;
        }
        None
    }

    pub(super) fn saw_first_byte(&mut self, after: Duration) {
        self.count(after);
        let seconds = after.as_secs_f64();
        if self.measured_first_byte {
            let seconds = seconds.min(self.first_byte * OUTLIER);
            self.first_byte += (seconds - self.first_byte) * FIRST_BYTE_WEIGHT;
            self.base = seconds.min(self.base * (1.0 + BASE_GROWTH));
        } else {
            self.first_byte = seconds;
            self.base = seconds;
            self.measured_first_byte = true;
        }
        self.first_byte = self.first_byte.max(1e-6);
        self.base = self.base.max(1e-6);
    }

    /// Something else than a request took so long to its first byte, and then brought bytes this fast: better than a guess,
    /// though a connection may have been made on the way. A lower bandwidth than was guessed is not believed: such a short
    /// read begins slowly.
    pub(super) fn saw_beginning(&mut self, first_byte: Duration, bandwidth: f64) {
        if !self.measured_first_byte {
            self.first_byte = first_byte.as_secs_f64().max(1e-6);
            self.base = self.first_byte;
        }
        if !self.measured_bandwidth {
            self.bandwidth = self.bandwidth.max(bandwidth);
        }
    }

    /// A request was given up before its first byte: it would have taken longer.
    pub(super) fn saw_no_first_byte(&mut self, within: Duration) {
        self.count(within);
    }

    fn count(&mut self, after: Duration) {
        let doublings = (after.as_secs_f64() / SHORTEST.as_secs_f64()).max(1.0).log2();
        let step = (doublings * f64::from(STEPS)) as usize;
        self.histogram[step.min(self.histogram.len() - 1)] += 1;
        self.samples += 1;
        if self.samples >= SAMPLES_MAX {
            self.histogram.iter_mut().for_each(|count| *count /= 2);
            self.samples = self.histogram.iter().sum();
        }
    }

    /// Bytes arrived, `after` the last ones, while at least one request was in the middle of its body.
    pub(super) fn saw_bytes(&mut self, bytes: u64, after: Duration) {
        self.window_bytes += bytes;
        self.window += after;
        if self.window < WINDOW_MIN.max(Duration::from_secs_f64(self.first_byte / 8.0)) {
            return;
        }
        let seen = self.window_bytes as f64 / self.window.as_secs_f64();
        (self.window_bytes, self.window) = (0, Duration::ZERO);
        let weight = match () {
            () if !self.measured_bandwidth => 1.0,
            () if seen > self.bandwidth => RISE_WEIGHT,
            () => FALL_WEIGHT,
        };
        self.bandwidth = (self.bandwidth + (seen - self.bandwidth) * weight).max(1.0);
        self.measured_bandwidth = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_late_first_byte_is_the_99th_of_a_hundred() {
        let mut estimate = Estimate::new(Duration::from_millis(1), 1e6);
        for sample in 1..=500_u64 {
            assert_eq!(estimate.late_first_byte().is_some(), sample > u64::from(SAMPLES_MIN));
            estimate.saw_first_byte(Duration::from_millis(if sample % 200 == 0 { 900 } else { 20 }));
        }
        let late = estimate.late_first_byte().unwrap();
        assert!(late > Duration::from_millis(20) && late < Duration::from_millis(23), "{late:?}");
        for _ in 0..20 {
            estimate.saw_no_first_byte(Duration::from_millis(100));
        }
        let late = estimate.late_first_byte().unwrap();
        assert!(late > Duration::from_millis(100) && late < Duration::from_millis(113), "{late:?}");
        // The mean is not carried away.
        assert!(estimate.first_byte() < Duration::from_millis(30));
    }

    #[test]
    fn a_beginning_is_better_than_a_guess_and_worse_than_a_measurement() {
        let mut estimate = Estimate::new(Duration::from_millis(20), 100e6);
        let now = |estimate: &Estimate| (estimate.first_byte().as_millis(), estimate.bandwidth() as u64);
        estimate.saw_beginning(Duration::from_millis(3), 20e6);
        assert_eq!(now(&estimate), (3, 100_000_000));
        estimate.saw_beginning(Duration::from_millis(50), 400e6);
        assert_eq!(now(&estimate), (50, 400_000_000));
        estimate.saw_first_byte(Duration::from_millis(2));
        estimate.saw_bytes(1_000_000, Duration::from_millis(5));
        estimate.saw_beginning(Duration::from_millis(50), 400e6);
        assert_eq!(now(&estimate), (2, 200_000_000));
    }

    #[test]
    fn the_lead_does_not_follow_a_line_at_the_upstream() {
        let mut estimate = Estimate::new(Duration::from_millis(1), 1e6);
        let mut see = |milliseconds: u64| {
            (0..40).for_each(|_| estimate.saw_first_byte(Duration::from_millis(milliseconds)));
            (estimate.first_byte().as_millis(), estimate.lead().as_millis())
        };
        assert_eq!(see(20), (20, 20));
        assert_eq!(see(30), (29, 29));
        let (mean, lead) = see(500);
        assert!(mean > 400 && lead < 70, "{mean} {lead}");
        see(20);
        assert_eq!(see(20), (20, 20));
    }

    #[test]
    fn bandwidth_follows() {
        let mut estimate = Estimate::new(Duration::from_millis(20), 1e6);
        for _ in 0..100 {
            estimate.saw_bytes(50_000, Duration::from_micros(500));
        }
        assert!((estimate.bandwidth() - 100e6).abs() < 1e6, "{}", estimate.bandwidth());
        for _ in 0..300 {
            estimate.saw_bytes(5_000, Duration::from_micros(500));
        }
        assert!((estimate.bandwidth() - 10e6).abs() < 1e6, "{}", estimate.bandwidth());
        estimate.saw_bytes(0, Duration::from_secs(1000));
        assert!(estimate.bandwidth() >= 1.0);
    }
}
