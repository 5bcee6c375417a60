//! The numbers that the scheduler decides by.

use std::time::Duration;

/// Limits and starting values of one upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Requests under way at once, hedges included. Object stores answer some thousands a second; connections are what
    /// costs.
    pub requests_max: usize,
    /// Bytes asked for and not yet here, over all requests. A single frame that is larger is asked for when nothing
    /// else is under way.
    pub in_flight_bytes_max: u64,
    /// Of `requests_max`, those that only demand may use, so that a fault finds a free one.
    pub reserved_requests: usize,
    /// Of `in_flight_bytes_max`, those that only demand may use.
    pub reserved_bytes: u64,
    /// A request asks for at least this many bytes, if they are missing: below, the work per request outweighs the
    /// bytes.
    pub segment_bytes_min: u64,
    /// And for at most this many beyond its first frame: what is asked for can't be taken back, and a fault in it has
    /// to wait.
    pub segment_bytes_max: u64,
    /// Time from a request to its first byte, until it has been measured.
    pub first_byte_prior: Duration,
    /// Bytes per second of the upstream, until they have been measured.
    pub bandwidth_prior: f64,
    /// How late the caller's timers may be: what is paced goes that much earlier.
    pub timer_granularity: Duration,
    /// A demand's request whose first byte is later than 99 of 100 were may have a second one beside it. Without, a slow
    /// answer is waited for, and no byte is asked for twice.
    pub hedges: bool,
    /// A request without a first byte for this long has failed.
    pub first_byte_timeout: Duration,
    /// A request without a further byte for this long has failed. There is no limit on the time that a whole body
    /// takes.
    pub stall_timeout: Duration,
    /// A read that has waited for this long fails.
    pub read_timeout: Duration,
    /// The pause before the first retry; it doubles with each further one, and half of it is left to chance.
    pub retry_base: Duration,
    /// The longest such pause, and the longest that an upstream may ask for.
    pub retry_max: Duration,
    /// Attempts for bytes that nobody waits for; then they are forgotten until somebody reads them.
    pub background_attempts_max: u32,
    /// Attempts for a frame that came damaged; then those who wait for it are told so.
    pub corrupt_attempts_max: u32,
    /// When what comes can't be kept, nothing but demand is asked for for so long.
    pub not_kept_pause: Duration,
    /// The most that is read ahead of a sequential reader, in bytes.
    pub readahead_bytes_max: u64,
    /// What chance begins with: equal seeds and equal histories give equal decisions.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            requests_max: 64,
            in_flight_bytes_max: 64 << 20,
            reserved_requests: 16,
            reserved_bytes: 16 << 20,
            segment_bytes_min: 256 << 10,
            segment_bytes_max: 1 << 20,
            first_byte_prior: Duration::from_millis(20),
            bandwidth_prior: 100e6,
            timer_granularity: Duration::ZERO,
            hedges: true,
            first_byte_timeout: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            retry_base: Duration::from_millis(50),
            retry_max: Duration::from_secs(5),
            background_attempts_max: 3,
            corrupt_attempts_max: 3,
            not_kept_pause: Duration::from_secs(1),
            readahead_bytes_max: 16 << 20,
            seed: 0,
        }
    }
}
