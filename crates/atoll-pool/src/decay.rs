//! Sums that forget.

use std::time::Duration;

/// A sum whose parts lose half of their weight in each half-life. The half-life belongs to the sum's owner, so that a
/// thousand sums don't store it a thousand times.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Decayed {
    value: f64,
    at: Duration,
}

impl Decayed {
    /// What is left of the sum.
    pub(crate) fn value(self, now: Duration, half_life: Duration) -> f64 {
        let age = now.saturating_sub(self.at);
        if age.is_zero() { self.value } else { self.value * (-age.div_duration_f64(half_life)).exp2() }
    }

    /// The sum's parts per second: exact for a steady stream.
    pub(crate) fn per_second(self, now: Duration, half_life: Duration) -> f64 {
        self.value(now, half_life) * std::f64::consts::LN_2 / half_life.as_secs_f64()
    }

    /// Adds a part, and returns the new sum.
    pub(crate) fn add(&mut self, now: Duration, part: f64, half_life: Duration) -> f64 {
        self.value = self.value(now, half_life) + part;
        self.at = self.at.max(now);
        self.value
    }

    /// When the sum, if nothing is added, falls to a rate of `per_second`, which must be positive.
    pub(crate) fn falls_to(self, per_second: f64, half_life: Duration) -> Duration {
        let now_per_second = self.per_second(self.at, half_life);
        let half_lives = (now_per_second / per_second).log2().max(0.0);
        self.at + half_life.mul_f64(half_lives)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_LIFE: Duration = Duration::from_secs(10);

    #[test]
    fn a_steady_stream_has_its_rate() {
        let mut sum = Decayed::default();
        for tenths in 0..2000 {
            sum.add(Duration::from_millis(tenths * 100), 1.0, HALF_LIFE);
        }
        let rate = sum.per_second(Duration::from_secs(200), HALF_LIFE);
        assert!((9.8..10.2).contains(&rate), "{rate}");
    }

    #[test]
    fn the_moment_at_which_it_has_fallen_is_exact() {
        let mut sum = Decayed::default();
        sum.add(Duration::from_secs(3), 64.0, HALF_LIFE);
        let rate = sum.per_second(Duration::from_secs(3), HALF_LIFE);
        assert_eq!(sum.falls_to(rate / 8.0, HALF_LIFE), Duration::from_secs(33));
        assert_eq!(sum.falls_to(rate * 2.0, HALF_LIFE), Duration::from_secs(3));
        assert!((sum.value(Duration::from_secs(33), HALF_LIFE) - 8.0).abs() < 1e-9);
    }
}
