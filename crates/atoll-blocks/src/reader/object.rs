//! An open object, and reading it.

use super::driver::{Asked, Driver, timed_out};
use super::error::{Cause, ReadError};
use super::open::Reader;
use super::trace::{Recorder, Trace, TraceError};
use super::wait::{Cell, Delivered, block_on};
use crate::cache::{CachedObject, Lookup};
use crate::frames::{FrameTable, Header, Identity};
use crate::schedule::{Layout, ObjectId, ReadId};
use crate::upstream::Remote;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// Runs of a trace that the scheduler is told of under one lock.
const PREFETCHES_AT_ONCE: usize = 64;

/// What requests need to know of an object.
#[derive(Debug)]
pub(super) struct Opened {
    /// For errors.
    pub(super) name: Arc<str>,
    pub(super) remote: Remote,
    pub(super) table: FrameTable,
    pub(super) layout: Layout,
    pub(super) cached: Arc<CachedObject>,
    pub(super) recorder: Recorder,
}

/// A framed object of an upstream that is open for reading; see the [module](super).
///
/// Who has read from it leaves the bytes in the cache. When the last holder drops it, what is under way for it is given up.
#[derive(Debug)]
pub struct Object {
    reader: Arc<Reader>,
    opened: Arc<Opened>,
    id: ObjectId,
}

impl Object {
    pub(super) fn new(reader: Arc<Reader>, opened: Arc<Opened>, id: ObjectId) -> Self {
        Self { reader, opened, id }
    }

    /// Length of the content, in bytes.
    pub fn len(&self) -> u64 {
        self.header().content_bytes()
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What names the content.
    pub fn identity(&self) -> Identity {
        self.opened.cached.identity()
    }

    /// Reads content from `offset` on until `buffer` is full or the content ends; how many bytes that are.
    ///
    /// What is in the cache is read by one `pread` on the calling thread. Else the thread waits for what is missing, for
    /// [`read_timeout`](crate::schedule::Config::read_timeout) at most. It must not be one that drives the reader's runtime.
    ///
    /// Errors: a [`ReadError`]; there is anything in `buffer` then. The next read tries anew.
    pub fn read_blocking(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let part = self.part_of(offset, buffer.len());
        let buffer = &mut buffer[..part.len];
        self.opened.recorder.note(part.frames.clone());
        if !self.read_cached(&part, buffer) {
            block_on(self.read_missing(&part, buffer))?;
        }
        Ok(part.len)
    }

    /// [`Object::read_blocking`] for tasks: what is in the cache is read on the calling thread, and the task waits for the
    /// rest. If the task ends before, what it has asked for comes all the same.
    pub async fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let part = self.part_of(offset, buffer.len());
        let buffer = &mut buffer[..part.len];
        self.opened.recorder.note(part.frames.clone());
        if !self.read_cached(&part, buffer) {
            self.read_missing(&part, buffer).await?;
        }
        Ok(part.len)
    }

    /// The frames that were read so far, in the order of their first reads.
    pub fn trace(&self) -> Trace {
        Trace::new(self.identity(), self.header().frames(), self.opened.recorder.frames())
    }

    /// Has these frames fetched, in their order, when nothing that somebody waits for has to be. Errors: the trace is of
    /// another object.
    pub fn prefetch(&self, trace: &Trace) -> Result<(), TraceError> {
        trace.check(self.identity(), self.header().frames())?;
        let mut runs = trace.runs().peekable();
        while runs.peek().is_some() {
            // Few at a time: others want the scheduler too.
            self.driver().tell(|state, now| {
                for run in runs.by_ref().take(PREFETCHES_AT_ONCE) {
                    state.look_up(self.id, &run);
                    state.scheduler.prefetch(now, self.id, run);
                }
            });
        }
        Ok(())
    }

    fn part_of(&self, offset: u64, length: usize) -> Part {
        let header = self.header();
        let left = usize::try_from(header.content_bytes().saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = length.min(left);
        let frame_bytes = header.frame_bytes();
        let frames = match len {
            0 => 0..0,
            _ => (offset / frame_bytes) as u32..(offset + len as u64).div_ceil(frame_bytes) as u32,
        };
        Part { offset, len, frames }
    }

    /// Reads what is in the cache; whether all of it was.
    fn read_cached(&self, part: &Part, buffer: &mut [u8]) -> bool {
        if buffer.is_empty() {
            return true;
        }
        match self.opened.cached.read(part.offset, buffer) {
            Ok(Lookup::Hit) => true,
            Ok(Lookup::Watched(_)) => {
                self.driver().tell(|state, now| state.scheduler.hit(now, self.id, part.frames.clone()));
                true
            }
            Ok(Lookup::Miss) => false,
            // A part of the disk that can't be read is as good as one that has nothing.
            Err(_) => {
                self.driver().tell(|state, _| state.stats.disk_errors += 1);
                // If that fails too, the frames are not there all the same.
                let _ = self.opened.cached.forget(part.frames.clone());
                false
            }
        }
    }

    async fn read_missing(&self, part: &Part, buffer: &mut [u8]) -> Result<(), ReadError> {
        let began = Instant::now();
        let mut missing = part.frames.clone();
        loop {
            let delivered = self.wait_for(&missing).await.map_err(|cause| self.failed(part, cause))?;
            // What was in the cache when this began may be evicted by now.
            let Some(still_missing) = self.fill(part, &missing, &delivered, buffer) else { return Ok(()) };
            missing = still_missing;
            if began.elapsed() > self.driver().config.schedule.read_timeout {
                return Err(self.failed(part, timed_out()));
            }
        }
    }

    /// Has frames come; those that are not in the cache.
    async fn wait_for(&self, frames: &Range<u32>) -> Result<Delivered, Cause> {
        match self.driver().ask(self.id, frames)? {
            Asked::Here(delivered) => Ok(delivered),
            Asked::Waits(read, cell) => {
                let mut waits = Waits { driver: self.driver(), read: Some(read), cell: &cell };
                let answer = poll_fn(|context| waits.cell.poll(context)).await;
                waits.read = None;
                answer
            }
        }
    }

    /// Copies these frames' parts of a read into its buffer, from memory, or from the cache. What lies between the first
    /// and the last that are in neither, if any is.
    fn fill(&self, part: &Part, frames: &Range<u32>, delivered: &Delivered, buffer: &mut [u8]) -> Option<Range<u32>> {
        let frame_bytes = self.header().frame_bytes();
        let mut missing: Option<Range<u32>> = None;
        for frame in frames.clone() {
            let frame_begin = u64::from(frame) * frame_bytes;
            let begin = frame_begin.max(part.offset);
            let end = (frame_begin + frame_bytes).min(part.offset + part.len as u64);
            let piece = &mut buffer[(begin - part.offset) as usize..(end - part.offset) as usize];
            let is_here = if let Some(content) = delivered.get(&frame) {
                let from = (begin - frame_begin) as usize;
                piece.copy_from_slice(&content[from..from + piece.len()]);
                true
            } else {
                let part = Part { offset: begin, len: piece.len(), frames: frame..frame + 1 };
                self.read_cached(&part, piece)
            };
            if !is_here {
                missing = Some(missing.map_or(frame, |missing| missing.start)..frame + 1);
            }
        }
        missing
    }

    fn failed(&self, part: &Part, cause: Cause) -> ReadError {
        self.driver().tell(|state, _| state.stats.failed_reads += 1);
        let range = part.offset..part.offset + part.len as u64;
        ReadError { object: Arc::clone(&self.opened.name), range, cause }
    }

    fn header(&self) -> &Header {
        self.opened.table.header()
    }

    fn driver(&self) -> &Arc<Driver> {
        self.reader.driver()
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        let closed = self.driver().tell(|state, now| {
            state.scheduler.close(now, self.id);
            state.storing.forget(self.id);
            state.objects.remove(&self.id)
        });
        // Files are closed here, and not under the lock.
        drop(closed);
    }
}

/// A part of the content, within it.
struct Part {
    offset: u64,
    len: usize,
    frames: Range<u32>,
}

/// A read that leaves when it is dropped before it has its answer.
struct Waits<'a> {
    driver: &'a Arc<Driver>,
    read: Option<ReadId>,
    cell: &'a Cell<Result<Delivered, Cause>>,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if let Some(read) = self.read {
            self.driver.cancel(read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{Cache, Limits};
    use crate::frames::{Packing, pack};
    use crate::reader::ReaderConfig;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use std::io::Cursor;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn what_is_in_the_cache_is_read_while_somebody_else_has_the_reader() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (folder, content) = (tempfile::tempdir().unwrap(), vec![7; 40_000]);
        let (packing, mut packed) = (Packing { frame_bits: 12, level: None }, Cursor::new(Vec::new()));
        let header = pack(&mut &content[..], content.len() as u64, packing, &mut packed).unwrap();
        let store = Arc::new(InMemory::new());
        runtime.block_on(store.put(&"object".into(), packed.into_inner().into())).unwrap();
        let cache = Cache::open(folder.path(), Limits { bytes_max: 1 << 20, free_bytes_min: 0 }).unwrap();
        let reader = Reader::new(runtime.handle().clone(), store, cache, ReaderConfig::default()).unwrap();
        let object = runtime.block_on(reader.open("object".into(), header.identity())).unwrap();
        let read = || object.read_blocking(77, &mut [0; 10_000]);
        for _ in 0..2 {
            // The second time, nobody asks to be told of the first read of a frame.
            assert_eq!(read().unwrap(), 10_000);
            runtime.block_on(reader.flush());
        }
        let (sender, receiver) = mpsc::channel();
        let read = thread::scope(|scope| {
            // What is said here, is said under the reader's lock.
            object.driver().tell(|_, _| {
                scope.spawn(|| sender.send(read().unwrap()));
                receiver.recv_timeout(Duration::from_secs(30))
            })
        });
        assert_eq!(read, Ok(10_000));
    }
}
