//! In which order an object is read, so that the next reader finds what it will want.
//!
//! ```text
//! magic 8 bytes, identity 32, frames of the object 4, runs, BLAKE3 of all before 32
//! run: where it begins, counted from the end of the run before it, as a zigzag varint; its length, as a varint
//! ```
//! Numbers are little endian, varints LEB128. A run is as long as it can be, and a number as short, so that a trace is
//! written in one way only. The digest finds damage and no malice: whoever can write traces can have anything of the object
//! fetched, and that is all.

use crate::cache::PresenceMap;
use crate::frames::{FRAMES_MAX, Identity};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering as Memory};

const MAGIC: [u8; 8] = *b"atolltr1";
const HEAD_BYTES: usize = 8 + 32 + 4;
const DIGEST_BYTES: usize = blake3::OUT_LEN;

/// Frames of an object in the order in which they were first read; each of them once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    identity: Identity,
    object_frames: u32,
    frames: Vec<u32>,
}

/// Why something is no trace, or not one for this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// Another format, or another version of this one, or not all of it.
    #[error("not a trace, or of a version that this one can't read")]
    Magic,
    /// It was changed.
    #[error("the trace is damaged: its digest is not the one at its end")]
    Digest,
    /// The object has no such frames, or they are named twice, or the numbers are not written as they should be.
    #[error("the trace names frames that can't be")]
    Frames,
    /// It is of another object.
    #[error("the trace is of the object {found}, and not of {expected}")]
    OtherObject {
        /// The object that it was to be of.
        expected: Identity,
        /// The one that it is of.
        found: Identity,
    },
    /// There is none to merge.
    #[error("no traces to merge")]
    NoTraces,
}

impl Trace {
    pub(super) fn new(identity: Identity, object_frames: u32, frames: Vec<u32>) -> Self {
        Self { identity, object_frames, frames }
    }

    /// Reads what [`Trace::encode`] has written.
    pub fn decode(bytes: &[u8]) -> Result<Self, TraceError> {
        let Some((content, digest)) = bytes.split_last_chunk::<DIGEST_BYTES>() else { return Err(TraceError::Magic) };
        let Some((head, mut runs)) = content.split_first_chunk::<HEAD_BYTES>() else { return Err(TraceError::Magic) };
        if head[..8] != MAGIC {
            return Err(TraceError::Magic);
        }
        if blake3::hash(content).as_bytes() != digest {
            return Err(TraceError::Digest);
        }
        let identity = Identity(std::array::from_fn(|index| head[8 + index]));
        let object_frames = u32::from_le_bytes(std::array::from_fn(|index| head[40 + index]));
        if object_frames > FRAMES_MAX {
            return Err(TraceError::Frames);
        }
        let seen = PresenceMap::new(object_frames);
        let mut frames = Vec::new();
        let mut end = 0_u32;
        while !runs.is_empty() {
            let step = read_varint(&mut runs).map(unzigzag).ok_or(TraceError::Frames)?;
            let length = read_varint(&mut runs).ok_or(TraceError::Frames)?;
            let begin = i64::from(end).checked_add(step).and_then(|begin| u32::try_from(begin).ok());
            let begin = begin.ok_or(TraceError::Frames)?;
            // It would have been a part of the run before it.
            let is_the_same_run = step == 0 && !frames.is_empty();
            let run_end = u32::try_from(length).ok().and_then(|length| begin.checked_add(length));
            let run_end = run_end.filter(|end| *end <= object_frames && begin < *end && !is_the_same_run);
            end = run_end.ok_or(TraceError::Frames)?;
            if !(begin..end).all(|frame| seen.insert_one(frame)) {
                return Err(TraceError::Frames);
            }
            frames.extend(begin..end);
        }
        Ok(Self { identity, object_frames, frames })
    }

    /// The trace, as it is written down.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + DIGEST_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.identity.0);
        bytes.extend_from_slice(&self.object_frames.to_le_bytes());
        let mut end = 0;
        for run in self.runs() {
            write_varint(&mut bytes, zigzag(i64::from(run.start) - i64::from(end)));
            write_varint(&mut bytes, u64::from(run.end - run.start));
            end = run.end;
        }
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes
    }

    /// One trace of several of the same object, such as of several starts of a program.
    ///
    /// What at least half of them have comes first, in the order of the mean place that a frame has in those that have it:
    /// what one of them was early in may have been an accident. Then comes the rest, in the same order: to fetch it is a
    /// gamble, which is worth something only when nothing better is left to do.
    pub fn merge(traces: &[Self]) -> Result<Self, TraceError> {
        let Some(first) = traces.first() else { return Err(TraceError::NoTraces) };
        let mut places: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for trace in traces {
            trace.check(first.identity, first.object_frames)?;
            for (place, frame) in trace.frames.iter().enumerate() {
                let (count, sum) = places.entry(*frame).or_default();
                (*count, *sum) = (*count + 1, *sum + place as u64);
            }
        }
        let mut frames: Vec<_> = places.into_iter().collect();
        let is_rare = |count: u64| count * 2 < traces.len() as u64;
        // A stable sort: equal ones stay in the order of the object.
        frames.sort_by(|(_, (count, sum)), (_, (other_count, other_sum))| {
            // Sums are below 2²¹ times the number of traces.
            let by_mean =
                (u128::from(*sum) * u128::from(*other_count)).cmp(&(u128::from(*other_sum) * u128::from(*count)));
            match is_rare(*count).cmp(&is_rare(*other_count)) {
                Ordering::Equal => by_mean,
                by_rarity => by_rarity,
            }
        });
        let frames = frames.into_iter().map(|(frame, _)| frame).collect();
        Ok(Self { frames, ..first.clone() })
    }

    /// The object that it is of.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The frames.
    pub fn frames(&self) -> &[u32] {
        &self.frames
    }

    /// The frames, those together that follow each other.
    pub(super) fn runs(&self) -> impl Iterator<Item = Range<u32>> {
        self.frames.chunk_by(|frame, next| frame + 1 == *next).map(|run| run[0]..run[0] + run.len() as u32)
    }

    /// Whether it is of this object.
    pub(super) fn check(&self, identity: Identity, object_frames: u32) -> Result<(), TraceError> {
        if self.identity != identity {
            return Err(TraceError::OtherObject { expected: identity, found: self.identity });
        }
        if self.object_frames == object_frames { Ok(()) } else { Err(TraceError::Frames) }
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn write_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Numbers of up to 35 bits: more than any that is written.
fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for index in 0..5 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            // A last byte of zero could have been left away.
            return (*byte != 0 || index == 0).then_some(number);
        }
    }
    None
}

/// Notes in which order frames are first read, by any number of threads: no lock, no allocation.
#[derive(Debug)]
pub(super) struct Recorder {
    seen: PresenceMap,
    /// Frames, plus 1; zero where nothing is noted yet.
    order: Box<[AtomicU32]>,
    noted: AtomicU32,
}

impl Recorder {
    pub(super) fn new(frames: u32) -> Self {
        let order = (0..frames).map(|_| AtomicU32::new(0)).collect();
        Self { seen: PresenceMap::new(frames), order, noted: AtomicU32::new(0) }
    }

    /// These frames are read.
    pub(super) fn note(&self, frames: Range<u32>) {
        if self.seen.contains(frames.clone()) {
            return;
        }
        for frame in frames {
            if self.seen.insert_one(frame) {
                // Each frame is noted once, so there is a place.
                let place = self.noted.fetch_add(1, Memory::Relaxed);
                self.order[place as usize].store(frame + 1, Memory::Relaxed);
            }
        }
    }

    /// The frames noted so far. One that is being noted at this moment may be missing.
    pub(super) fn frames(&self) -> Vec<u32> {
        let noted = self.noted.load(Memory::Relaxed) as usize;
        self.order[..noted].iter().filter_map(|frame| frame.load(Memory::Relaxed).checked_sub(1)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OBJECT: Identity = Identity([7; 32]);

    fn trace(frames: &[u32]) -> Trace {
        Trace::new(OBJECT, 1000, frames.to_vec())
    }

    #[test]
    fn what_most_have_comes_first_and_by_its_mean_place() {
        let check = |traces: &[&[u32]], expected: &[u32]| {
            let traces: Vec<Trace> = traces.iter().map(|frames| trace(frames)).collect();
            assert_eq!(Trace::merge(&traces).unwrap().frames(), expected);
            let backwards: Vec<Trace> = traces.into_iter().rev().collect();
            assert_eq!(Trace::merge(&backwards).unwrap().frames(), expected);
        };
        check(&[&[3, 1, 2]], &[3, 1, 2]);
        check(&[&[3, 1, 2], &[3, 2, 1]], &[3, 1, 2]);
        check(&[&[5, 1, 2, 3], &[1, 2, 3], &[2, 3, 1]], &[1, 2, 3, 5]);
        check(&[&[9], &[], &[8], &[9]], &[9, 8]);
        check(&[&[], &[]], &[]);
        assert_eq!(Trace::merge(&[]), Err(TraceError::NoTraces));
        let other = Trace::new(Identity([8; 32]), 1000, vec![1]);
        let error = TraceError::OtherObject { expected: OBJECT, found: Identity([8; 32]) };
        assert_eq!(Trace::merge(&[trace(&[1]), other]), Err(error));
        assert_eq!(Trace::merge(&[trace(&[1]), Trace::new(OBJECT, 999, vec![])]), Err(TraceError::Frames));
    }

    /// The trace with these runs, whatever they are.
    fn sealed(object_frames: u32, runs: &[u8]) -> Vec<u8> {
        let mut bytes = [&MAGIC[..], &OBJECT.0, &object_frames.to_le_bytes(), runs].concat();
        bytes.extend_from_slice(blake3::hash(&bytes).as_bytes());
        bytes
    }

    #[test]
    fn traces_that_can_t_be_are_refused() {
        assert_eq!(Trace::decode(&sealed(10, &[4, 2])).unwrap().frames(), [2, 3]);
        for runs in [
            &[4][..],      // No length.
            &[4, 0],       // A run of nothing.
            &[4, 9],       // Beyond the end.
            &[1, 1],       // Before the beginning.
            &[4, 2, 3, 1], // A frame twice.
            &[4, 2, 0, 1], // One run written as two.
            &[0x84, 0, 2], // A number written too long.
            &[0xff; 12],   // A number too large.
        ] {
            assert_eq!(Trace::decode(&sealed(10, runs)), Err(TraceError::Frames), "{runs:?}");
        }
        assert_eq!(Trace::decode(&sealed(FRAMES_MAX + 1, &[])), Err(TraceError::Frames));
        let mut bytes = trace(&[5, 6, 1]).encode();
        bytes[44] ^= 2;
        assert_eq!(Trace::decode(&bytes), Err(TraceError::Digest));
        bytes[0] ^= 1;
        assert_eq!(Trace::decode(&bytes), Err(TraceError::Magic));
        assert_eq!(Trace::decode(&bytes[..75]), Err(TraceError::Magic));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(frames in prop::collection::vec(0..1000_u32, 0..200)) {
            let recorder = Recorder::new(1000);
            for frame in &frames {
                recorder.note(*frame..(frame + frame % 5).min(1000));
            }
            let recorded = recorder.frames();
            let written = trace(&recorded);
            prop_assert_eq!(Trace::decode(&written.encode()), Ok(written.clone()));
            let mut model: Vec<u32> = Vec::new();
            for frame in frames.iter().flat_map(|frame| *frame..(frame + frame % 5).min(1000)) {
                if !model.contains(&frame) {
                    model.push(frame);
                }
            }
            prop_assert_eq!(recorded, model);
        }
    }
}
