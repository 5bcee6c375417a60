//! Threads that read at their moments, and how long each of them waits.

use std::io;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use atoll_blocks::limits::Read;

use super::error::BlocksError;
use super::origin::Stored;
use super::stack::Opened;

/// From when the threads are started until the first of them reads.
const HEAD_START: Duration = Duration::from_millis(2);

/// What became of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waited {
    /// The read, at the moment at which it really came.
    pub(super) read: Read,
    pub(super) wait: Duration,
}

/// Has a thread for each read carry it out at its moment, in pieces of at most `piece_bytes`, and compares what it gets.
///
/// A thread that wakes late for its read is late, and does not wait longer for that: its time begins when it reads.
pub(super) fn read_all(
    opened: &Opened,
    stored: &Stored,
    reads: &[Read],
    piece_bytes: usize,
) -> Result<Vec<Waited>, BlocksError> {
    let begin = Instant::now() + HEAD_START;
    std::thread::scope(|scope| {
        let callers: Vec<_> =
            reads.iter().map(|read| scope.spawn(move || call(opened, stored, *read, begin, piece_bytes))).collect();
        callers.into_iter().map(|caller| caller.join().expect("a caller does not panic")).collect()
    })
}

fn call(
    opened: &Opened,
    stored: &Stored,
    read: Read,
    begin: Instant,
    piece_bytes: usize,
) -> Result<Waited, BlocksError> {
    // Written to, so that its pages are there.
    let mut buffer = vec![0xa5; read.bytes as usize];
    // The kernel may wake it some 50 µs late else. Where it does not allow that, it is late.
    let _ = rustix::thread::set_current_timer_slack(Some(NonZeroU64::MIN));
    std::thread::sleep((begin + read.at).saturating_duration_since(Instant::now()));
    let came = Instant::now();
    let mut read_pieces = || -> io::Result<()> {
        for (offset, piece) in (read.offset..).step_by(piece_bytes).zip(buffer.chunks_mut(piece_bytes)) {
            opened.read(offset, piece)?;
        }
        Ok(())
    };
    let result = read_pieces();
    let wait = came.elapsed();
    let failed = |source| BlocksError::Read { offset: read.offset, bytes: read.bytes, source };
    result.map_err(failed)?;
    check(stored, read.offset, &buffer)?;
    Ok(Waited { read: Read { at: came.saturating_duration_since(begin), ..read }, wait })
}

/// Compares what was read with what is there.
pub(super) fn check(stored: &Stored, offset: u64, bytes: &[u8]) -> Result<(), BlocksError> {
    let content = stored.packed.content;
    content.difference(offset, bytes).map_or(Ok(()), |offset| Err(BlocksError::Wrong { object: content.seed, offset }))
}
