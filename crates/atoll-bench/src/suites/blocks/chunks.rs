//! The policies that ours is compared with: the unit is a chunk, which is read by one request from its beginning to its
//! end.
//!
//! A chunk has one *session* at a time, which whoever reads from it joins; it goes on without them. A read that spans
//! chunks goes through one after another. That is what the reference experiment does; here each frame is verified before
//! anybody gets it, and everything is stored after everybody was answered, so that nobody waits for the disk.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;

use atoll_blocks::cache::{Cache, CachedObject, Lookup};
use atoll_blocks::frames::{FrameTable, Header};
use atoll_blocks::limits::CHUNK_BYTES;
use atoll_blocks::schedule::Layout;
use atoll_blocks::upstream::{Body, Remote, UpstreamError};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use object_store::ObjectStore;
use tokio::runtime::Handle;

use super::error::BlocksError;
use super::origin::Stored;

/// When what has come of a chunk is given to those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Release {
    /// When all of the chunk has come.
    Complete,
    /// To each as soon as what it wants has come.
    AsItComes,
}

/// Asks for bytes of the object.
type Get = Box<dyn Fn(Range<u64>) -> BoxFuture<'static, Result<Body, UpstreamError>> + Send + Sync>;

/// An open object that is read by chunks.
pub(super) struct Chunked {
    runtime: Handle,
    release: Release,
    get: Get,
    table: FrameTable,
    layout: Layout,
    cached: Arc<CachedObject>,
    sessions: Mutex<BTreeMap<u32, Arc<Session>>>,
}

/// A chunk on its way.
struct Session {
    frames: Range<u32>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// Content of the frames that have come, from the first one on.
    contents: Vec<Bytes>,
    /// Of them, those that are given to who waits.
    released: usize,
    failure: Option<String>,
    /// Who waits, each for so many frames.
    waiting: Vec<(usize, Thread)>,
}

impl Chunked {
    /// Opens an object as the reader does: header and table by one request, believed by its identity.
    pub(super) async fn open(
        release: Release,
        store: Arc<dyn ObjectStore>,
        cache: &Cache,
        stored: &Stored,
    ) -> Result<Arc<Self>, BlocksError> {
        let location = object_store::path::Path::from(stored.name.as_str());
        let (remote, head) = Remote::open(store, location, stored.head_bytes).await?;
        let header = Header::believe(&head, stored.identity)?;
        let table = FrameTable::believe(&header, head.get(Header::BYTES..).unwrap_or_default())?;
        let get: Get = Box::new(move |range| {
            let remote = remote.clone();
            Box::pin(async move { remote.get(range).await })
        });
        Ok(Arc::new(Self::new(release, get, table, cache.object(&header)?)))
    }

    /// To be called in the runtime that is to take in the chunks.
    fn new(release: Release, get: Get, table: FrameTable, cached: Arc<CachedObject>) -> Self {
        let layout = table.layout(CHUNK_BYTES);
        Self { runtime: Handle::current(), release, get, table, layout, cached, sessions: Mutex::default() }
    }

    /// Fills `buffer` with content from `offset` on, which has to be within the object.
    pub(super) fn read(self: &Arc<Self>, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset + buffer.len() as u64;
        let mut at = offset;
        while at < end {
            let chunk = at / CHUNK_BYTES;
            let piece_end = end.min((chunk + 1) * CHUNK_BYTES);
            let piece = &mut buffer[(at - offset) as usize..(piece_end - offset) as usize];
            self.read_in_chunk(chunk as u32, at, piece)?;
            at = piece_end;
        }
        Ok(())
    }

    fn read_in_chunk(self: &Arc<Self>, chunk: u32, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if self.cached.read(offset, buffer)? != Lookup::Miss {
            return Ok(());
        }
        let Some(session) = self.join(chunk, offset, buffer)? else { return Ok(()) };
        let frame_bytes = self.table.header().frame_bytes();
        let first = (offset / frame_bytes) as usize;
        let last = ((offset + buffer.len() as u64).div_ceil(frame_bytes)) as usize;
        let before = session.frames.start as usize;
        let contents = session.wait(first - before..last - before).map_err(io::Error::other)?;
        for (frame, content) in (first as u64..).zip(&contents) {
            let frame_begin = frame * frame_bytes;
            let begin = frame_begin.max(offset);
            let end = (frame_begin + content.len() as u64).min(offset + buffer.len() as u64);
            let piece = &mut buffer[(begin - offset) as usize..(end - offset) as usize];
            piece.copy_from_slice(&content[(begin - frame_begin) as usize..(end - frame_begin) as usize]);
        }
        Ok(())
    }

    /// The session of a chunk, which begins with its first reader; none if the buffer could be filled meanwhile.
    fn join(self: &Arc<Self>, chunk: u32, offset: u64, buffer: &mut [u8]) -> io::Result<Option<Arc<Session>>> {
        let mut sessions = self.lock();
        if let Some(session) = sessions.get(&chunk) {
            return Ok(Some(Arc::clone(session)));
        }
        // The last session may have ended since the caller has looked.
        if self.cached.read(offset, buffer)? != Lookup::Miss {
            return Ok(None);
        }
        let chunk_frames = (CHUNK_BYTES / self.table.header().frame_bytes()) as u32;
        let frames = chunk * chunk_frames..((chunk + 1) * chunk_frames).min(self.layout.frames());
        let session = Arc::new(Session { frames, progress: Mutex::default() });
        sessions.insert(chunk, Arc::clone(&session));
        self.runtime.spawn(Arc::clone(self).take_in(chunk, Arc::clone(&session)));
        Ok(Some(session))
    }

    /// Takes in a chunk, answers those who wait, and stores it.
    async fn take_in(self: Arc<Self>, chunk: u32, session: Arc<Session>) {
        let failure = self.fetch(&session).await.err();
        let contents = session.end(failure);
        let object = Arc::clone(&self);
        let stored = self.runtime.spawn_blocking(move || {
            for (frame, content) in (session.frames.start..).zip(&contents) {
                // A disk that does not take it has the chunk fetched again.
                let _ = object.cached.store(frame, content);
            }
        });
        // It can't be given up, and a panic has been printed.
        let _ = stored.await;
        self.lock().remove(&chunk);
    }

    async fn fetch(&self, session: &Session) -> Result<(), String> {
        let range = self.layout.offset(session.frames.start)..self.layout.offset(session.frames.end);
        let mut body = (self.get)(range).await.map_err(|error| error.to_string())?;
        let mut partial = BytesMut::new();
        let mut frames = session.frames.clone();
        while let Some(bytes) = body.next().await {
            let mut rest = bytes.map_err(|error| error.to_string())?;
            while let Some(frame) = frames.clone().next() {
                let length = self.layout.bytes(&(frame..frame + 1)) as usize;
                let Some(stored) = take(&mut partial, &mut rest, length) else { break };
                frames.start += 1;
                let content = self.table.content(frame, stored).map_err(|error| error.to_string())?;
                session.came(content, self.release);
            }
        }
        if frames.is_empty() { Ok(()) } else { Err("the body ended too soon".to_owned()) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next `length` bytes of what has come; those that came in one piece are not copied. What is too little stays in
/// `partial`.
fn take(partial: &mut BytesMut, rest: &mut Bytes, length: usize) -> Option<Bytes> {
    if partial.is_empty() && rest.len() >= length {
        return Some(rest.split_to(length));
    }
    partial.extend_from_slice(&rest.split_to(rest.len().min(length - partial.len())));
    (partial.len() == length).then(|| std::mem::take(partial).freeze())
}

impl Session {
    /// A frame has come, and was verified.
    fn came(&self, content: Bytes, release: Release) {
        let mut progress = self.lock();
        progress.contents.push(content);
        let is_complete = progress.contents.len() == self.frames.len();
        if release == Release::AsItComes || is_complete {
            progress.released = progress.contents.len();
            let woken = progress.woken();
            drop(progress);
            woken.iter().for_each(Thread::unpark);
        }
    }

    /// No more comes; what has come.
    fn end(&self, failure: Option<String>) -> Vec<Bytes> {
        let mut progress = self.lock();
        progress.failure = failure;
        let woken: Vec<Thread> = progress.waiting.drain(..).map(|(_, thread)| thread).collect();
        let contents = progress.contents.clone();
        drop(progress);
        woken.iter().for_each(Thread::unpark);
        contents
    }

    /// Has the calling thread wait for these frames, counted from the session's first one.
    fn wait(&self, frames: Range<usize>) -> Result<Vec<Bytes>, String> {
        let mut progress = self.lock();
        loop {
            if progress.released >= frames.end {
                return Ok(progress.contents[frames].to_vec());
            }
            if let Some(failure) = &progress.failure {
                return Err(failure.clone());
            }
            progress.waiting.push((frames.end, std::thread::current()));
            drop(progress);
            std::thread::park();
            progress = self.lock();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// Those who have what they wait for. They wait no longer.
    fn woken(&mut self) -> Vec<Thread> {
        let released = self.released;
        self.waiting.extract_if(.., |(frames, _)| *frames <= released).map(|(_, thread)| thread).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::ops::Range;
    use std::sync::{Arc, mpsc};

    use atoll_blocks::cache::{Cache, Limits};
    use atoll_blocks::frames::{FrameTable, Header, Packing, pack};
    use atoll_blocks::limits::CHUNK_BYTES;
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use tokio::sync::mpsc as feed;

    use super::super::content::Content;
    use super::{Chunked, Get, Release};

    const CONTENT: Content = Content { seed: 3, is_compressible: false };
    const FRAME: u64 = 128 << 10;

    /// A request, and where its body is fed into.
    type Asked = (Range<u64>, feed::Sender<Bytes>);

    /// An object of one and a half chunks, whose requests come to the test.
    struct Fed {
        runtime: tokio::runtime::Runtime,
        object: Arc<Chunked>,
        stored: Bytes,
        asked: mpsc::Receiver<Asked>,
        _directory: tempfile::TempDir,
    }

    impl Fed {
        fn new(release: Release) -> Self {
            let mut stored = Cursor::new(Vec::new());
            let packing = Packing { frame_bits: 17, level: None };
            let header = pack(&mut CONTENT.reader(), CHUNK_BYTES * 3 / 2, packing, &mut stored).unwrap();
            let stored = Bytes::from(stored.into_inner());
            let table = &stored[Header::BYTES..header.frames_begin() as usize];
            let table = FrameTable::believe(&header, table).unwrap();
            let directory = tempfile::tempdir().unwrap();
            let cache = Cache::open(directory.path(), Limits { bytes_max: u64::MAX, free_bytes_min: 0 }).unwrap();
            let (asks, asked) = mpsc::channel();
            let get: Get = Box::new(move |range| {
                let (feeds, fed) = feed::channel(1);
                asks.send((range, feeds)).unwrap();
                let body = stream::unfold(fed, |mut fed| async { Some((Ok(fed.recv().await?), fed)) });
                Box::pin(async { Ok(body.boxed()) })
            });
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
            let object = {
                let _entered = runtime.enter();
                Arc::new(Chunked::new(release, get, table, cache.object(&header).unwrap()))
            };
            Self { runtime, object, stored, asked, _directory: directory }
        }

        /// The only request for a chunk, which is for all of it.
        fn request_for(&self, chunk: u64) -> feed::Sender<Bytes> {
            let (range, feeds) = self.asked.recv().unwrap();
            let begin = self.stored.len() as u64 - CHUNK_BYTES * 3 / 2 + chunk * CHUNK_BYTES;
            assert_eq!(range, begin..(begin + CHUNK_BYTES).min(self.stored.len() as u64));
            feeds
        }

        /// What of a chunk's stored bytes lies in this range, counted from its beginning.
        fn part(&self, chunk: u64, range: Range<u64>) -> Bytes {
            let begin = self.stored.len() as u64 - CHUNK_BYTES * 3 / 2 + chunk * CHUNK_BYTES;
            self.stored.slice((begin + range.start) as usize..(begin + range.end) as usize)
        }

        fn read(&self, offset: u64, bytes: u64) -> std::thread::JoinHandle<()> {
            let object = Arc::clone(&self.object);
            std::thread::spawn(move || {
                let mut buffer = vec![0; bytes as usize];
                object.read(offset, &mut buffer).unwrap();
                assert_eq!(CONTENT.difference(offset, &buffer), None);
            })
        }

        /// Who waits in the session of the first chunk, each for so many frames, when so many frames have come and so many
        /// have been waiting.
        fn waiting(&self, frames: usize, waiting: usize) -> Vec<usize> {
            loop {
                let session = self.object.lock().get(&0).cloned();
                let progress = session.as_ref().map(|session| session.lock());
                if let Some(progress) = progress
                    && progress.contents.len() == frames
                    && (frames > 0 || progress.waiting.len() == waiting)
                {
                    let mut waiting: Vec<usize> = progress.waiting.iter().map(|(frames, _)| *frames).collect();
                    waiting.sort_unstable();
                    return waiting;
                }
                std::thread::yield_now();
            }
        }
    }

    /// Three readers wait for frames of a chunk. For each moment at which so many bytes have come: who still waits.
    fn check(release: Release, moments: &[(u64, &[usize])]) {
        let fed = Fed::new(release);
        let readers: Vec<_> = [(4 * FRAME, FRAME), (8 * FRAME + 4096, 4096), (20 * FRAME - 8192, 16384)]
            .map(|(offset, bytes)| fed.read(offset, bytes))
            .into();
        let feeds = fed.request_for(0);
        assert_eq!(fed.waiting(0, 3), [5, 9, 21]);
        let mut at = 0;
        for (bytes, expected) in moments {
            // In pieces that are no frames.
            while at < *bytes {
                let end = (at + 100_000).min(*bytes);
                feeds.blocking_send(fed.part(0, at..end)).unwrap();
                at = end;
            }
            assert_eq!(fed.waiting((bytes / FRAME) as usize, 3), *expected, "{release:?}, {bytes} bytes");
        }
        feeds.blocking_send(fed.part(0, at..CHUNK_BYTES)).unwrap();
        drop(feeds);
        for reader in readers {
            reader.join().unwrap();
        }
        // When it is stored nobody asks again.
        while fed.object.lock().contains_key(&0) {
            std::thread::yield_now();
        }
        fed.read(0, CHUNK_BYTES).join().unwrap();
        assert!(fed.asked.try_recv().is_err());
    }

    #[test]
    fn a_streaming_reader_is_woken_when_its_own_range_is_there() {
        let moments: [(u64, &[usize]); 5] = [
            (5 * FRAME - 1, &[5, 9, 21]),
            (5 * FRAME, &[9, 21]),
            (8 * FRAME + 8192, &[9, 21]),
            (9 * FRAME, &[21]),
            (21 * FRAME, &[]),
        ];
        check(Release::AsItComes, &moments);
    }

    #[test]
    fn a_reader_of_whole_chunks_is_woken_when_all_of_it_is_there() {
        check(Release::Complete, &[(5 * FRAME, &[5, 9, 21]), (CHUNK_BYTES - 1, &[5, 9, 21])]);
    }

    #[test]
    fn a_read_that_spans_chunks_goes_through_one_after_another() {
        for release in [Release::AsItComes, Release::Complete] {
            let fed = Fed::new(release);
            let reader = fed.read(CHUNK_BYTES - 4096, 8192);
            let feeds = fed.request_for(0);
            fed.waiting(0, 1);
            assert!(fed.asked.try_recv().is_err(), "the next one is not asked for before this one is there");
            feeds.blocking_send(fed.part(0, 0..CHUNK_BYTES)).unwrap();
            let feeds = fed.request_for(1);
            feeds.blocking_send(fed.part(1, 0..CHUNK_BYTES / 2)).unwrap();
            drop(feeds);
            reader.join().unwrap();
        }
    }

    #[test]
    fn a_body_that_breaks_or_is_damaged_fails_who_waits_and_the_next_read_asks_again() {
        let fed = Fed::new(Release::AsItComes);
        for damaged in [false, true] {
            let object = Arc::clone(&fed.object);
            let reader = std::thread::spawn(move || object.read(0, &mut [0; 4096]).map_err(|error| error.to_string()));
            let feeds = fed.request_for(0);
            let mut bytes = fed.part(0, 0..FRAME).to_vec();
            bytes[77] ^= 1;
            let fails = if damaged { Bytes::from(bytes) } else { fed.part(0, 0..100) };
            feeds.blocking_send(fails).unwrap();
            drop(feeds);
            let error = reader.join().unwrap().unwrap_err();
            assert!(error.contains(if damaged { "frame 0 is damaged" } else { "ended" }), "{error}");
            while fed.object.lock().contains_key(&0) {
                std::thread::yield_now();
            }
        }
        let reader = fed.read(0, 4096);
        fed.request_for(0).blocking_send(fed.part(0, 0..FRAME)).unwrap();
        reader.join().unwrap();
        drop(fed.runtime);
    }
}
