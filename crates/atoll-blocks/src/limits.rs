//! What no system can beat: the time to a first byte, and then the wanted bytes at full bandwidth.
//!
//! The scheduler in virtual time and the whole stack on a real machine are measured against the same limits, with the
//! same reads.

use std::time::Duration;

/// Content of a chunk, in bytes: what is fetched together where somebody reads a part of it.
pub const CHUNK_BYTES: u64 = 4 << 20;
/// Who reads at the same time.
pub const CALLERS: u32 = 3;

/// The way to an origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// From a request to the first byte of its answer.
    pub first_byte: Duration,
    /// Bytes per second.
    pub bandwidth: f64,
}

/// A read: when it comes, and what of the object it is for, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Counted from a moment that all reads of an object share.
    pub at: Duration,
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
}

impl Line {
    /// The line that the reference experiment takes for an object store in the same region.
    pub const REGION: Self = Self { first_byte: Duration::from_millis(20), bandwidth: 100e6 };
    /// And for a file server nearby.
    pub const NEARBY: Self = Self { first_byte: Duration::from_millis(1), bandwidth: 500e6 };

    /// How long so many bytes take.
    pub fn transfer(&self, bytes: u64) -> Duration {
        Duration::from_secs_f64(bytes as f64 / self.bandwidth)
    }

    /// How long who asks for so many bytes waits at least. Several who share the line wait for the bytes of all.
    pub fn wait(&self, bytes: u64) -> Duration {
        self.first_byte + self.transfer(bytes)
    }

    /// What reads of one chunk wait for, on the average, if each either waits for a transfer that will come to it, or has
    /// one of its own that goes on from there and round to what lies before, whichever is sooner, each transfer has the
    /// whole bandwidth, and nothing costs anything.
    ///
    /// # Panics
    /// Without reads.
    pub fn wait_staggered(&self, reads: &[Read]) -> Duration {
        let mut order = reads.to_vec();
        order.sort_by_key(|read| read.at);
        let chunk = CHUNK_BYTES as f64;
        let first_byte = self.first_byte.as_secs_f64();
        // Where a transfer begins, and when.
        let mut cursors: Vec<(f64, f64)> = Vec::new();
        let mut sum = 0.0;
        for read in order {
            let (now, begin) = (read.at.as_secs_f64(), read.offset as f64);
            let transfer = read.bytes as f64 / self.bandwidth;
            let arrives = |(place, at): &(f64, f64)| at + (begin - place).rem_euclid(chunk) / self.bandwidth + transfer;
            let waits = cursors.iter().map(|cursor| (arrives(cursor) - now).max(0.0));
            let wait = waits.fold(f64::INFINITY, f64::min);
            let own = first_byte + transfer;
            if own < wait {
                cursors.push((begin, now + first_byte));
            }
            sum += wait.min(own);
        }
        Duration::from_secs_f64(sum / reads.len() as f64)
    }
}

/// Draws places and moments (SplitMix64): equal seeds give equal reads.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0) % limit
    }

    /// [`CALLERS`] reads at the same time, each of `bytes` bytes at a multiple of that: at different places of the first
    /// chunk, or each in a chunk of its own.
    pub fn at_once(&mut self, bytes: u64, is_apart: bool) -> Vec<Read> {
        let mut reads: Vec<Read> = Vec::new();
        while reads.len() < CALLERS as usize {
            let chunk = if is_apart { reads.len() as u64 } else { 0 };
            let offset = chunk * CHUNK_BYTES + self.below(CHUNK_BYTES / bytes) * bytes;
            if reads.iter().all(|read| read.offset != offset) {
                reads.push(Read { at: Duration::ZERO, offset, bytes });
            }
        }
        reads
    }

    /// The same in one chunk, where all but the first come while it would be fetched as a whole.
    pub fn staggered(&mut self, bytes: u64, line: &Line) -> Vec<Read> {
        let whole = line.wait(CHUNK_BYTES).as_nanos() as u64;
        let mut reads = self.at_once(bytes, false);
        for read in &mut reads[1..] {
            read.at = Duration::from_nanos(self.below(whole));
        }
        reads
    }
}

/// SplitMix64's finalizer.
pub fn mix(mut mixed: u64) -> u64 {
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Line = Line { first_byte: Duration::from_millis(20), bandwidth: 100e6 };

    #[test]
    fn a_read_waits_for_the_first_byte_and_its_own_bytes() {
        assert_eq!(LINE.wait(0), Duration::from_millis(20));
        assert_eq!(LINE.wait(1_000_000), Duration::from_millis(30));
        assert_eq!(Line::NEARBY.wait(5_000_000), Duration::from_millis(11));
    }

    #[test]
    fn a_staggered_read_waits_or_asks_whichever_is_sooner() {
        let check = |reads: &[(u64, u64)], mean_us: u64| {
            let read =
                |(at, offset): &(u64, u64)| Read { at: Duration::from_millis(*at), offset: *offset, bytes: 100_000 };
            let reads: Vec<Read> = reads.iter().map(read).collect();
            let mean = LINE.wait_staggered(&reads).as_nanos() as u64;
            assert!(mean.abs_diff(mean_us * 1000) < 1000, "{reads:?}: {mean} ns");
        };
        check(&[(0, 0)], 21_000);
        // 1 MB ahead: the transfer is there at 20 + 10 ms, and through at 31.
        check(&[(0, 0), (25, 1_000_000)], u64::midpoint(21_000, 6_000));
        // 3 MB ahead: an own request is sooner than the transfer at 50 ms.
        check(&[(0, 0), (0, 3_000_000)], 21_000);
        // Through already.
        check(&[(0, 0), (40, 0)], 10_500);
        // What lies before comes after the end of the chunk, which is at 20 + 32 ms.
        check(&[(0, 1_000_000), (50, 0)], u64::midpoint(21_000, 2_943));
        // The order is that of the moments.
        check(&[(25, 1_000_000), (0, 0)], u64::midpoint(21_000, 6_000));
    }

    #[test]
    fn reads_are_at_different_places_and_the_same_for_the_same_seed() {
        for seed in 0..100 {
            let mut draw = Draw::new(seed);
            let reads = draw.at_once(64 << 10, false);
            assert_eq!(reads, Draw::new(seed).at_once(64 << 10, false));
            assert!(reads.iter().all(|read| read.offset.is_multiple_of(64 << 10) && read.offset < CHUNK_BYTES));
            assert!(reads[0].offset != reads[1].offset && reads[1].offset != reads[2].offset);
            let apart = draw.at_once(4096, true);
            assert!((0_u64..).zip(&apart).all(|(chunk, read)| read.offset / CHUNK_BYTES == chunk));
            let late = draw.staggered(4096, &LINE);
            assert_eq!(late[0].at, Duration::ZERO);
            assert!(late.iter().all(|read| read.at < LINE.wait(CHUNK_BYTES)));
        }
    }
}
