//! The numbers that a reader works by.

use crate::schedule;
use std::time::Duration;

/// Limits of one upstream's reader, beside those of its scheduler.
#[derive(Debug, Clone, PartialEq)]
pub struct ReaderConfig {
    /// What the scheduler decides by.
    pub schedule: schedule::Config,
    /// Content of a chunk, in bytes: who reads one frame of it gets the others too, a little later.
    pub chunk_bytes: u64,
    /// How much of an object is read when it is opened, in bytes: at least the header. With a table that is longer,
    /// opening takes a second request.
    pub prefix_bytes: u64,
    /// Content that has come and that the disk has not taken yet, in bytes. Beyond, what nobody waits for is not taken
    /// from the network either. At least one frame.
    pub unstored_bytes_max: usize,
    /// Content that could not be kept, and stays in memory for the next reads, in bytes.
    pub not_kept_bytes_max: usize,
}

impl Default for ReaderConfig {
    /// A table of 256 KiB is that of 900 MiB in frames of 128 KiB.
    fn default() -> Self {
        Self {
            schedule: schedule::Config { timer_granularity: Duration::from_micros(50), ..schedule::Config::default() },
            chunk_bytes: 4 << 20,
            prefix_bytes: 256 << 10,
            unstored_bytes_max: 64 << 20,
            not_kept_bytes_max: 16 << 20,
        }
    }
}
