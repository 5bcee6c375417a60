//! Reads of what is there, beside the system call that they come down to.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use atoll_blocks::limits::Draw;
use tokio::runtime::Handle;

use super::callers;
use super::content::Content;
use super::error::BlocksError;
use super::origin::{Network, Origin, Packed, Plan as OriginPlan};
use super::stack::{self, Opened, Policy, Stack};
use super::{PREAD, SEED};
use crate::error::BenchError;
use crate::report::{Better, Metric, OURS};
use crate::suites::Figures;

pub(super) const CACHED: &str = "cached, 4 KiB";
pub(super) const READ: &str = "read";

const OBJECT_BYTES: u64 = 64 << 20;
const FRAME_BITS: u8 = 17;
const READ_BYTES: u64 = 4096;
/// Of one turn: some tenths of a second.
const READS: u32 = 200_000;

/// An object that is in the cache, and the file that has it there.
pub(super) struct Cached {
    opened: Opened,
    file: File,
    directory: PathBuf,
    _stack: Stack,
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Ours,
    Pread,
}

impl By {
    pub(super) const ALL: [Self; 2] = [Self::Ours, Self::Pread];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => OURS,
            Self::Pread => PREAD,
        }
    }
}

impl Cached {
    pub(super) fn metrics() -> Vec<Metric<'static>> {
        vec![Metric { name: READ, unit: "ns", better: Better::Lower }]
    }

    /// Has the reader fetch an object, and compares it.
    pub(super) fn prepare(runtime: &Handle, directory: &Path) -> Result<Self, BenchError> {
        let content = Content { seed: SEED, is_compressible: false };
        let objects = vec![Packed { content, bytes: OBJECT_BYTES, frame_bits: FRAME_BITS }];
        let origin = Origin::start(&OriginPlan { shape: Network::Loopback, objects })?;
        let stored = &origin.objects[0];
        let stack = Stack::new(Policy::Ours, runtime, &origin, directory)?;
        let opened = stack.open(stored)?;
        let mut content = vec![0; OBJECT_BYTES as usize];
        let read = opened.read(0, &mut content);
        read.map_err(|source| BlocksError::Read { offset: 0, bytes: OBJECT_BYTES, source })?;
        callers::check(stored, 0, &content)?;
        super::faults::wait_for(&stack, 1 << FRAME_BITS, OBJECT_BYTES >> FRAME_BITS)?;
        let path = stack.file_of(stored);
        let file = File::open(&path).map_err(|source| BenchError::File { path, source })?;
        Ok(Self { opened, file, directory: directory.to_owned(), _stack: stack })
    }

    pub(super) fn measure(&self, by: By) -> Result<Figures, BenchError> {
        let nanoseconds = match by {
            By::Ours => time(|offset, buffer| self.opened.read(offset, buffer)),
            By::Pread => time(|offset, buffer| self.file.read_exact_at(buffer, offset)),
        }?;
        Ok(vec![(by.name(), vec![nanoseconds])])
    }
}

impl Drop for Cached {
    fn drop(&mut self) {
        // If it stays, the next run removes it.
        let _ = stack::clear(&self.directory);
    }
}

/// Nanoseconds of a read, by reads at random places.
fn time(mut read: impl FnMut(u64, &mut [u8]) -> io::Result<()>) -> io::Result<f64> {
    let mut buffer = [0; READ_BYTES as usize];
    let mut draw = Draw::new(SEED);
    let began = Instant::now();
    for _ in 0..READS {
        read(draw.below(OBJECT_BYTES / READ_BYTES) * READ_BYTES, &mut buffer)?;
    }
    Ok(began.elapsed().as_nanos() as f64 / f64::from(READS))
}
