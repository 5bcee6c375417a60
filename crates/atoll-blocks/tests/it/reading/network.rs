//! Over HTTP, from an origin with the latency and bandwidth of a network, and its faults.

use super::faults::unlucky;
use super::{FRAME, MIB, PACKING, ROOMY, content, packed, runtime};
use atoll_blocks::cache::Cache;
use atoll_blocks::frames::Header;
use atoll_blocks::reader::{Object, Reader};
use atoll_blocks::upstream::store_for;
use atoll_test::object_origin::{Bandwidth, Fault, ObjectOrigin, Shape, When};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const BYTES: usize = 8 * MIB;
/// Requests that open an object.
const OPENING: u64 = 2;

struct Net {
    content: Vec<u8>,
    header: Header,
    origin: ObjectOrigin,
    object: Arc<Object>,
    reader: Arc<Reader>,
    _folder: TempDir,
    runtime: Runtime,
}

impl Net {
    fn new() -> Self {
        let shape = Shape { bandwidth: Bandwidth::Shared(500_000_000), ..Shape::of(Duration::from_millis(1)) };
        let (content, origin) = (content(BYTES), ObjectOrigin::start(shape).unwrap());
        let (object, header) = packed(&content, PACKING);
        origin.put("object", object);
        let (folder, runtime) = (tempfile::tempdir().unwrap(), runtime());
        let (store, location) = store_for(&origin.url("object"), []).unwrap();
        let cache = Cache::open(folder.path(), ROOMY).unwrap();
        let reader = Reader::new(runtime.handle().clone(), store, cache, unlucky()).unwrap();
        let object = runtime.block_on(reader.open(location, header.identity())).unwrap();
        Self { content, header, origin, object, reader, _folder: folder, runtime }
    }

    fn read(&self, begin: usize, bytes: usize) {
        let mut buffer = vec![0; bytes];
        assert_eq!(self.object.read_blocking(begin as u64, &mut buffer).unwrap(), bytes);
        assert!(buffer == self.content[begin..begin + bytes], "{bytes} at {begin}");
    }

    /// Eight threads read everything, each from another place on.
    fn read_all(&self) {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for step in 0..8 {
                        self.read((thread + step) % 8 * MIB, MIB);
                    }
                });
            }
        });
        self.runtime.block_on(self.reader.flush());
    }
}

#[test]
fn each_byte_comes_once() {
    let net = Net::new();
    net.read(5 * FRAME, 10);
    net.read_all();
    let mut ranges: Vec<_> = net.origin.take_seen().into_iter().map(|seen| seen.range.unwrap()).collect();
    let frames = ranges.split_off(OPENING as usize);
    let asked: u64 = frames.iter().map(|range| range.end - range.start).sum();
    let stored = net.header.object_bytes() - net.header.frames_begin();
    let stats = net.reader.stats();
    assert_eq!((asked, stats.fetched_bytes, stats.failed_reads), (stored, stored, 0));
    assert_eq!(net.origin.counts().requests - OPENING, stats.schedule.requests.iter().sum::<u64>());
}

#[test]
fn every_byte_is_right_under_every_fault_of_a_network() {
    let after = FRAME as u64 + 77;
    let faults = [
        Fault::Status { status: 500, retry_after: None },
        Fault::Status { status: 503, retry_after: Some(0) },
        Fault::Status { status: 429, retry_after: None },
        Fault::Late(Duration::from_millis(60)),
        Fault::Reset,
        Fault::ResetInBody { after },
        Fault::Stall,
        Fault::StallInBody { after },
        Fault::Truncated { after },
        Fault::Corrupt { at: after },
        Fault::Drip { bytes: 1000, every: Duration::from_micros(200) },
        Fault::Shifted { by: 1 },
        Fault::Chunked,
        Fault::CloseDelimited,
        Fault::ContentLength(after),
    ];
    for fault in faults {
        let net = Net::new();
        net.origin.fail(When::Chance { probability: 0.3, seed: 5 }, fault.clone());
        net.read_all();
        let stats = net.reader.stats();
        assert_eq!(stats.failed_reads, 0, "{fault:?}: {stats:?}");
        assert_eq!(stats.verified_frames, u64::from(net.header.frames()), "{fault:?}: {stats:?}");
    }
}

#[test]
fn an_object_that_is_replaced_is_no_mixture_of_two() {
    let net = Net::new();
    net.read(0, 10);
    net.origin.put("object", vec![7; net.header.object_bytes() as usize]);
    let error = net.object.read_blocking(BYTES as u64 - 10, &mut [0; 10]).unwrap_err().to_string();
    assert!(error.contains("has changed since it was opened"), "{error}");
    // What has come stays what it was.
    net.read(0, 10);
}

#[test]
fn a_network_that_is_away_and_comes_back() {
    let net = Net::new();
    net.read(0, 10);
    net.origin.fail(When::Always, Fault::Reset);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| net.read(5 * MIB, 3 * FRAME));
        std::thread::sleep(Duration::from_millis(150));
        net.origin.heal();
        waits.join().unwrap();
    });
    net.read_all();
    assert_eq!(net.reader.stats().failed_reads, 0);
}
