//! How often a deployment is used.
//!
//! The times of its last few uses tell it: so many uses within the time since the first of them. That is a rate at the
//! deployment's own scale. One that is asked every minute is judged by some minutes, one that gets a visit of ten seconds
//! by seconds; and as the time since the last use is part of it, the estimate falls while the deployment is idle.
//!
//! The constants were chosen by `examples/simulate`; `docs/pool.md` says what others gave.

use std::time::Duration;

/// Uses that are remembered. More tell steady rates apart more finely, and follow changes more slowly.
const REMEMBERED: usize = 8;

/// What the first of the remembered uses counts for. It only begins the time that is measured; but that there was one at
/// all is more than nothing.
const FIRST_USE: f64 = 0.1;

/// The last uses that may be a visit which has just begun: the others remembered are of an earlier one, and their time says
/// nothing of this.
const RECENT: usize = 3;

/// How far a rate of only these is believed: of a steady stream, three uses are close together by chance as well.
const RECENT_WEIGHT: f64 = 0.25;

/// Time below which a rate is not believed: a burst within a millisecond is none that lasts.
const SPAN_MIN: Duration = Duration::from_millis(1);

/// The last uses of a deployment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// A ring: the next use replaces the oldest.
    times: [Duration; REMEMBERED],
    next: usize,
    count: usize,
}

/// What [`Usage`] says at one moment, to be judged at later ones.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    /// The first of the remembered uses.
    pub(crate) since: Duration,
    /// The first of the recent uses.
    recent_since: Duration,
    /// How many are remembered.
    count: usize,
}

impl Usage {
    /// A request has come.
    pub(crate) fn note(&mut self, now: Duration) {
        self.times[self.next] = now;
        self.next = (self.next + 1) % REMEMBERED;
        self.count = (self.count + 1).min(REMEMBERED);
    }

    pub(crate) fn window(&self) -> Window {
        let back = |uses: usize| self.times[(self.next + REMEMBERED - uses) % REMEMBERED];
        Window { since: back(self.count), recent_since: back(self.count.min(RECENT)), count: self.count }
    }
}

impl Window {
    /// Uses per second.
    pub(crate) fn rate(self, now: Duration) -> f64 {
        let per_second = |uses: f64, since: Duration| uses / now.saturating_sub(since).max(SPAN_MIN).as_secs_f64();
        let all = per_second(self.count.saturating_sub(1) as f64 + FIRST_USE, self.since);
        if self.count <= RECENT {
            return all;
        }
        all.max(RECENT_WEIGHT * per_second((RECENT - 1) as f64, self.recent_since))
    }

    /// Whether as many uses are remembered as can be.
    pub(crate) fn is_full(self) -> bool {
        self.count == REMEMBERED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(uses_at_s: impl IntoIterator<Item = u64>, now_s: u64) -> f64 {
        let mut usage = Usage::default();
        for second in uses_at_s {
            usage.note(Duration::from_secs(second));
        }
        usage.window().rate(Duration::from_secs(now_s))
    }

    #[test]
    fn a_steady_stream_has_its_rate() {
        let rate = rate((0..100).map(|number| number * 10), 1000);
        assert!((0.08..0.1).contains(&rate), "{rate}");
    }

    #[test]
    fn a_rate_falls_with_time() {
        assert!(rate([1, 2, 3, 4], 10) > 2.0 * rate([1, 2, 3, 4], 30));
    }

    #[test]
    fn time_before_the_first_use_does_not_count() {
        let rate = rate([1000, 1010, 1020], 1030);
        assert!((0.06..0.08).contains(&rate), "{rate}");
    }

    #[test]
    fn one_use_is_little() {
        assert!(rate([100], 110) < rate([0, 25, 50, 75, 100], 110));
        assert!(rate([100], 110) > 0.0);
        assert!(rate([], 110) < rate([100], 110));
    }

    #[test]
    fn a_visit_that_has_begun_outweighs_the_pause_before() {
        let visit = rate([0, 1, 2, 3, 4, 5000, 5001, 5002], 5003);
        assert!(visit > 10.0 * rate([0, 1, 2, 3, 4, 5, 6, 7], 5003), "{visit}");
        assert!(visit > 0.1, "{visit}");
    }
}
