//! When what nobody waits for is asked for.

use super::scheduler::Scheduler;
use std::time::Duration;

/// Segments in the product of bandwidth and delay. More of them, and a fault waits less for a segment that it lies in;
/// fewer, and there are less requests.
const SEGMENTS_PER_DELAY_PRODUCT: f64 = 8.0;
/// A request that is so many times later than it should be is not counted on.
const LATE: u32 = 4;
/// Nothing counts as late before this: the clock and the machine have their moods.
const LATE_MIN: Duration = Duration::from_millis(20);

/// When the next paced request is to be started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) due: Duration,
}

impl Pace {
    pub(super) fn is_due(self, now: Duration) -> bool {
        self.due <= now
    }
}

impl Scheduler {
    /// How many bytes a request asks for, if more are missing.
    pub(super) fn segment_bytes(&self) -> u64 {
        let bytes = (self.estimate.delay_product() / SEGMENTS_PER_DELAY_PRODUCT) as u64;
        bytes.clamp(self.config.segment_bytes_min, self.config.segment_bytes_max)
    }

    /// One time to a first byte before all that is under way will have arrived. The upstream is taken as one pipe,
    /// through which the requests' bytes come one after another, in the order in which they were started.
    pub(super) fn pace(&self, now: Duration) -> Pace {
        let first_byte = self.estimate.first_byte();
        let patience = (first_byte * LATE).max(LATE_MIN);
        let mut free_at = now;
        for flight in self.flights.values() {
            if flight.hedges.is_some() || flight.last_progress + patience < now {
                continue;
            }
            let begins_at = if flight.first_byte_at.is_some() { now } else { flight.started_at + first_byte };
            free_at = free_at.max(begins_at) + self.estimate.transfer(flight.missing_bytes());
        }
        Pace { due: free_at.saturating_sub(self.estimate.lead() + self.config.timer_granularity) }
    }
}
