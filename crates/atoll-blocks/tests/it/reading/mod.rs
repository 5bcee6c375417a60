//! The whole of it: objects in a store are read through the scheduler and the cache, whatever goes wrong.

mod ends;
mod faults;
mod limits;
mod network;
mod opening;
mod origin;
mod prefetching;
mod reads;
mod storms;

use atoll_blocks::cache::{Cache, Limits};
use atoll_blocks::frames::{Header, Packing, pack};
use atoll_blocks::reader::{Object, Reader, ReaderConfig};
use atoll_blocks::schedule;
use object_store::ObjectStore;
use object_store::path::Path;
use origin::{Origin, Reply};
use std::io::Cursor;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const ROOMY: Limits = Limits { bytes_max: 1 << 40, free_bytes_min: 0 };
/// Frames of 16 KiB, of which some are compressed and others are not.
const PACKING: Packing = Packing { frame_bits: 14, level: Some(1) };
const FRAME: usize = 16 * KIB;

/// Content that tells its places apart; half of its frames can be compressed.
fn content(bytes: usize) -> Vec<u8> {
    let mut random = 1_u64;
    let words = (0..bytes.div_ceil(8)).flat_map(|word| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let is_noise = (word * 8 / FRAME).is_multiple_of(2);
        if is_noise { random.to_le_bytes() } else { (word as u64 / 16).to_le_bytes() }
    });
    let mut content: Vec<u8> = words.collect();
    content.truncate(bytes);
    content
}

fn packed(content: &[u8], packing: Packing) -> (Vec<u8>, Header) {
    let mut object = Cursor::new(Vec::new());
    let header = pack(&mut &content[..], content.len() as u64, packing, &mut object).unwrap();
    (object.into_inner(), header)
}

/// Patience for a test: what waits fails soon, what should not wait has time.
fn config() -> ReaderConfig {
    let schedule = schedule::Config {
        first_byte_timeout: Duration::from_millis(300),
        stall_timeout: Duration::from_millis(300),
        read_timeout: Duration::from_secs(20),
        retry_base: Duration::from_millis(2),
        ..ReaderConfig::default().schedule
    };
    // Only the header and the table come when an object is opened, or little more.
    ReaderConfig { schedule, prefix_bytes: 1, ..ReaderConfig::default() }
}

/// For tests that count: nothing is asked for again because this machine has other things to do.
fn patient() -> ReaderConfig {
    let day = Duration::from_hours(24);
    let schedule = schedule::Config {
        hedges: false,
        first_byte_timeout: day,
        stall_timeout: day,
        read_timeout: day,
        ..config().schedule
    };
    ReaderConfig { schedule, ..config() }
}

/// An object, where it lies, and who reads it.
struct Scene {
    content: Vec<u8>,
    header: Header,
    origin: Arc<Origin>,
    object: Arc<Object>,
    reader: Arc<Reader>,
    folder: TempDir,
    /// Last: the others use it.
    runtime: Runtime,
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

impl Scene {
    fn new(bytes: usize, plan: impl Fn(usize, &Range<u64>) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(bytes, ROOMY, config(), plan)
    }

    /// With an origin that answers at once, and patience.
    fn patient(bytes: usize) -> Self {
        Self::with(bytes, ROOMY, patient(), |_, _| Reply::default())
    }

    fn with(
        bytes: usize,
        limits: Limits,
        config: ReaderConfig,
        plan: impl Fn(usize, &Range<u64>) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::in_folder(folder, bytes, limits, config, plan)
    }

    fn in_folder(
        folder: TempDir,
        bytes: usize,
        limits: Limits,
        config: ReaderConfig,
        plan: impl Fn(usize, &Range<u64>) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let content = content(bytes);
        let (object, header) = packed(&content, PACKING);
        let origin = Origin::new(object, plan);
        let runtime = runtime();
        let cache = Cache::open(folder.path(), limits).unwrap();
        let store: Arc<dyn ObjectStore> = Arc::clone(&origin) as _;
        let reader = Reader::new(runtime.handle().clone(), store, cache, config).unwrap();
        let object = runtime.block_on(reader.open(Path::from("object"), header.identity())).unwrap();
        Self { content, header, origin, object, reader, folder, runtime }
    }

    /// Reads a part by a thread, which must be right.
    fn read(&self, range: Range<usize>) {
        let mut buffer = vec![0; range.len()];
        assert_eq!(self.object.read_blocking(range.start as u64, &mut buffer).unwrap(), range.len());
        assert!(buffer == self.content[range.clone()], "{range:?}");
    }

    /// Reads a part by a thread, which must fail; what it says.
    fn refused(&self, range: Range<usize>) -> String {
        let error = self.object.read_blocking(range.start as u64, &mut vec![0; range.len()]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::Other);
        error.to_string()
    }

    /// Requests for frames so far: those for the object's beginning left out.
    fn requests(&self) -> Vec<Range<u64>> {
        let begin = self.header.frames_begin();
        self.origin.requests().into_iter().filter(|range| range.start >= begin).collect()
    }

    /// Waits until nothing comes any more, and all that came is in the cache. Where something is wanted and does not come,
    /// since the cache has no room or the origin is away, for a second in which nothing happens.
    fn settle(&self) {
        let (mut before, mut unchanged) = (None, 0);
        while unchanged < 25 {
            let is_idle = self.reader.is_idle();
            self.runtime.block_on(self.reader.flush());
            if is_idle {
                return;
            }
            std::thread::sleep(Duration::from_millis(40));
            let now = Some((self.reader.stats(), self.origin.requests().len()));
            unchanged = if now == before { unchanged + 1 } else { 0 };
            before = now;
        }
    }

    /// Everything of the object is asked for once.
    fn assert_nothing_twice(&self) {
        let mut requests = self.requests();
        requests.sort_by_key(|range| range.start);
        for pair in requests.windows(2) {
            assert!(pair[0].end <= pair[1].start, "{pair:?}");
        }
    }
}
