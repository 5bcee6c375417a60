//! Reads of what is not there yet: who waits for how long, and what comes over the line for it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use atoll_blocks::limits::{CALLERS, CHUNK_BYTES, Draw, Line, Read};
use tokio::runtime::Handle;

use super::callers::{self, Waited};
use super::content::Content;
use super::error::BlocksError;
use super::origin::{Network, Origin, Packed, Plan as OriginPlan, Stored};
use super::stack::{self, Opened, Policy, Stack};
use super::{BOUND, SEED};
use crate::error::BenchError;
use crate::report::{Better, Metric, OURS};
use crate::suites::{Figures, Plan};

pub(super) const WAIT: &str = "wait";
pub(super) const BYTES: &str = "bytes ÷ chunks' bytes";
const REQUESTS: &str = "requests per chunk";
const FIRST: &str = "wait, first contact";

/// Samples that are not counted: by then the reader knows its upstream.
const WARM_UPS: usize = 8;
/// A sequential reader reads so much at a time.
const PIECE_BYTES: usize = 128 << 10;
/// How long what nobody waits for may take to come.
const COMPLETE_TIMEOUT: Duration = Duration::from_mins(1);
const COMPLETE_PAUSE: Duration = Duration::from_micros(500);

/// Who reads what of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Three at once, at different places of one chunk.
    OneChunk { bytes: u64 },
    /// Three at once, each in a chunk of its own.
    ThreeChunks { bytes: u64 },
    /// One, and two more at random moments while the chunk would be fetched as a whole.
    Staggered { bytes: u64 },
    /// One, who reads all of it.
    Sequential { bytes: u64 },
    /// One, who reads a part of a frame.
    OneFrame { bytes: u64 },
}

/// A case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Faults {
    pub(super) name: &'static str,
    /// Of the target for what comes over the line.
    pub(super) bytes_name: &'static str,
    pub(super) pattern: Pattern,
    pub(super) line: Line,
    /// Whether all connections share the line's bandwidth.
    pub(super) is_shared: bool,
    pub(super) frame_bits: u8,
    pub(super) is_compressed: bool,
}

/// A case with its origin and a place for caches.
pub(super) struct Prepared<'a> {
    case: &'a Faults,
    samples: usize,
    runtime: Handle,
    directory: PathBuf,
    origin: Origin,
}

impl Faults {
    pub(super) fn metrics() -> Vec<Metric<'static>> {
        let metric = |name, unit| Metric { name, unit, better: Better::Lower };
        vec![metric(WAIT, "ms"), metric(BYTES, "×"), metric(REQUESTS, "1"), metric(FIRST, "ms")]
    }

    pub(super) fn prepare(
        &self,
        plan: &Plan,
        runtime: &Handle,
        directory: PathBuf,
    ) -> Result<Prepared<'_>, BenchError> {
        let samples = if self.is_large() { 1 } else { plan.faults as usize };
        let small = std::iter::repeat_n(self.small_bytes(), 1 + WARM_UPS);
        let sizes = small.chain(std::iter::repeat_n(self.object_bytes(), samples));
        let objects = (SEED..).zip(sizes).map(|(seed, bytes)| {
            let content = Content { seed, is_compressible: self.is_compressed };
            Packed { content, bytes, frame_bits: self.frame_bits }
        });
        let shape = Network::of(&self.line, self.is_shared);
        let origin = Origin::start(&OriginPlan { shape, objects: objects.collect() })?;
        Ok(Prepared { case: self, samples, runtime: runtime.clone(), directory, origin })
    }

    /// An object that takes so long that one sample is enough.
    fn is_large(&self) -> bool {
        self.object_bytes() > u64::from(CALLERS) * CHUNK_BYTES
    }

    fn object_bytes(&self) -> u64 {
        match self.pattern {
            Pattern::OneChunk { .. } | Pattern::Staggered { .. } | Pattern::OneFrame { .. } => CHUNK_BYTES,
            Pattern::ThreeChunks { .. } => u64::from(CALLERS) * CHUNK_BYTES,
            Pattern::Sequential { bytes } => bytes,
        }
    }

    /// Of the objects that come before the samples.
    fn small_bytes(&self) -> u64 {
        if self.is_large() { CHUNK_BYTES } else { self.object_bytes() }
    }

    /// The reads of an object of so many bytes.
    fn reads(&self, draw: &mut Draw, object_bytes: u64) -> Vec<Read> {
        match self.pattern {
            Pattern::OneChunk { bytes } => draw.at_once(bytes, false),
            Pattern::ThreeChunks { bytes } => draw.at_once(bytes, true),
            Pattern::Staggered { bytes } => draw.staggered(bytes, &self.line),
            Pattern::Sequential { .. } => vec![Read { at: Duration::ZERO, offset: 0, bytes: object_bytes }],
            Pattern::OneFrame { bytes } => draw.at_once(bytes, false)[..1].to_vec(),
        }
    }

    /// What these reads of an object wait for at least, on the average.
    fn bound(&self, reads: &[Read], stored: &Stored) -> Duration {
        // A frame is verified as a whole.
        let frames_of = |read: &Read| read.bytes.max(1 << self.frame_bits);
        let of_all: u64 = reads.iter().map(frames_of).sum();
        match self.pattern {
            Pattern::Staggered { .. } => self.line.wait_staggered(reads),
            Pattern::Sequential { .. } => self.line.wait(stored.frames_bytes),
            // All of its frames are alike.
            Pattern::OneFrame { .. } => self.line.wait(of_all * stored.frames_bytes / stored.packed.bytes),
            Pattern::OneChunk { .. } | Pattern::ThreeChunks { .. } if self.is_shared => self.line.wait(of_all),
            Pattern::OneChunk { .. } | Pattern::ThreeChunks { .. } => self.line.wait(of_all / reads.len() as u64),
        }
    }
}

impl Prepared<'_> {
    /// One turn of a policy. Ours comes with the bound of the same reads.
    pub(super) fn measure(&mut self, policy: Policy) -> Result<Figures, BenchError> {
        let stack = Stack::new(policy, &self.runtime, &self.origin, &self.directory)?;
        let objects = self.origin.objects.clone();
        let (small, counted) = objects.split_at(1 + WARM_UPS);
        // Equal in each turn.
        let mut draw = Draw::new(SEED);
        let (first, _) = mean(&self.sample(&stack, &stack.open(&small[0])?, &small[0], &mut draw)?);
        for stored in &small[1..] {
            self.sample(&stack, &stack.open(stored)?, stored, &mut draw)?;
        }

        let opened: Vec<Opened> = counted.iter().map(|stored| stack.open(stored)).collect::<Result<_, _>>()?;
        let before = self.origin.counts()?;
        let (mut waits, mut bounds) = (Vec::new(), Vec::new());
        for (opened, stored) in opened.iter().zip(counted) {
            let waited = self.sample(&stack, opened, stored, &mut draw)?;
            let (wait, reads) = mean(&waited);
            waits.push(wait);
            bounds.push(self.case.bound(&reads, stored));
        }
        let after = self.origin.counts()?;
        drop(opened);
        drop(stack);
        stack::clear(&self.directory)?;

        let stored_bytes: u64 = counted.iter().map(|stored| stored.frames_bytes).sum();
        let chunks = self.case.object_bytes().div_ceil(CHUNK_BYTES) * self.samples as u64;
        let bytes = (after.bytes - before.bytes) as f64 / stored_bytes as f64;
        let requests = (after.requests - before.requests) as f64 / chunks as f64;
        let mut figures = vec![milliseconds(&waits), bytes, requests];
        if !self.case.is_large() {
            figures.push(milliseconds(&[first]));
        }
        let mut all = vec![(policy.name(), figures)];
        if policy.name() == OURS {
            all.push((BOUND, vec![milliseconds(&bounds), 1.0]));
        }
        Ok(all)
    }

    /// Reads an object that nobody has read, waits until all of it has come, and compares all of it: what is not in the cache
    /// then is fetched again, and counted again.
    fn sample(
        &self,
        stack: &Stack,
        opened: &Opened,
        stored: &Stored,
        draw: &mut Draw,
    ) -> Result<Vec<Waited>, BlocksError> {
        let frame_bytes = 1 << self.case.frame_bits;
        let before = stack.settled_frames(frame_bytes);
        let reads = self.case.reads(draw, stored.packed.bytes);
        let waited = callers::read_all(opened, stored, &reads, PIECE_BYTES)?;
        wait_for(stack, frame_bytes, before + stored.packed.bytes / frame_bytes)?;
        let mut all = vec![0; stored.packed.bytes as usize];
        let read = opened.read(0, &mut all);
        read.map_err(|source| BlocksError::Read { offset: 0, bytes: stored.packed.bytes, source })?;
        callers::check(stored, 0, &all)?;
        Ok(waited)
    }
}

/// Waits until so many frames have come and been stored, or dropped: what nobody waits for has come, too.
pub(super) fn wait_for(stack: &Stack, frame_bytes: u64, expected: u64) -> Result<(), BlocksError> {
    let began = Instant::now();
    while stack.settled_frames(frame_bytes) < expected {
        if began.elapsed() > COMPLETE_TIMEOUT {
            let (found, seconds) = (stack.settled_frames(frame_bytes), COMPLETE_TIMEOUT.as_secs());
            return Err(BlocksError::Incomplete { found, expected, seconds });
        }
        std::thread::sleep(COMPLETE_PAUSE);
    }
    Ok(())
}

/// The mean wait, and the reads as they came.
fn mean(waited: &[Waited]) -> (Duration, Vec<Read>) {
    let sum: Duration = waited.iter().map(|waited| waited.wait).sum();
    (sum / waited.len() as u32, waited.iter().map(|waited| waited.read).collect())
}

fn milliseconds(times: &[Duration]) -> f64 {
    times.iter().sum::<Duration>().as_secs_f64() * 1e3 / times.len() as f64
}

#[cfg(test)]
mod tests {
    use atoll_blocks::frames::Identity;
    use atoll_blocks::limits::{CHUNK_BYTES, Draw};

    use super::super::FAULTS;
    use super::super::content::Content;
    use super::super::origin::{Packed, Stored};
    use super::Faults;

    fn case(name: &str) -> &'static Faults {
        FAULTS.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("there is no case {name}"))
    }

    /// What reads of an object that takes `stored_bytes` wait for at least, in microseconds.
    fn bound(name: &str, stored_bytes: u64) -> u128 {
        let case = case(name);
        let bytes = case.object_bytes();
        let content = Content { seed: 1, is_compressible: case.is_compressed };
        let packed = Packed { content, bytes, frame_bits: case.frame_bits };
        let identity = Identity([0; 32]);
        let stored = Stored { name: String::new(), identity, head_bytes: 0, frames_bytes: stored_bytes, packed };
        case.bound(&case.reads(&mut Draw::new(1), bytes), &stored).as_micros()
    }

    #[test]
    fn the_bound_is_the_time_to_a_first_byte_and_that_of_the_wanted_bytes() {
        assert_eq!(bound("one chunk, 4 KiB, 20 ms", CHUNK_BYTES), 20_040);
        assert_eq!(bound("one chunk, 4 KiB, 1 ms", CHUNK_BYTES), 1008);
        // Frames come as a whole.
        assert_eq!(bound("one chunk, 4 KiB, frames of 128 KiB, 1 ms", CHUNK_BYTES), 1262);
        // Of all three, where they share the line.
        assert_eq!(bound("one chunk, 64 KiB, shared line, 20 ms", CHUNK_BYTES), 21_966);
        assert_eq!(bound("three chunks, 4 KiB, shared line, 1 ms", 3 * CHUNK_BYTES), 1024);
        assert_eq!(bound("4 MiB sequential, 20 ms", CHUNK_BYTES), 61_943);
        assert_eq!(bound("256 MiB sequential, 1 ms", 64 * CHUNK_BYTES), 537_870);
        // What is stored of a frame.
        assert_eq!(bound("one compressed frame of 256 KiB, 20 ms", CHUNK_BYTES * 2 / 5), 21_048);
    }

    #[test]
    fn a_case_s_reads_lie_in_its_object() {
        for case in FAULTS {
            let bytes = case.object_bytes();
            let reads = case.reads(&mut Draw::new(1), bytes);
            assert!(reads.iter().all(|read| read.offset + read.bytes <= bytes), "{}", case.name);
        }
    }
}
