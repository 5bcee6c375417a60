//! Processes that are killed while they read, disks that become full, and two processes that want one directory.

use super::{FRAME, MIB, PACKING, ROOMY, Reply, Scene, config, content, packed, runtime};
use crate::children::{folder, in_namespace, kills, spawn};
use atoll_blocks::cache::{Cache, CacheError, Limits, Lookup};
use atoll_blocks::frames::Header;
use atoll_blocks::reader::{Object, Reader};
use object_store::local::LocalFileSystem;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

const BYTES: usize = 24 * MIB;

/// Packs an object into a folder; its content and its header.
fn pack_into(folder: &Path) -> (Vec<u8>, Header) {
    let content = content(BYTES);
    let (object, header) = packed(&content, PACKING);
    fs::write(folder.join("object"), object).unwrap();
    (content, header)
}

/// Opens the object of a folder, with a cache in `cache`.
fn open(folder: &Path, cache: &Path, limits: Limits) -> (Arc<Object>, Arc<Reader>, Runtime) {
    let (runtime, store) = (runtime(), Arc::new(LocalFileSystem::new_with_prefix(folder).unwrap()));
    let cache = Cache::open(cache, limits).unwrap();
    let reader = Reader::new(runtime.handle().clone(), store, cache, config()).unwrap();
    let identity = Header::decode(&fs::read(folder.join("object")).unwrap()).unwrap().1;
    let object = runtime.block_on(reader.open("object".into(), identity)).unwrap();
    (object, reader, runtime)
}

#[test]
fn a_process_that_is_killed_while_it_reads_leaves_no_wrong_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (content, header) = pack_into(folder.path());
    let (mut survived, kills) = (0, kills());
    for kill in 0..kills {
        let mut child = spawn("reading::ends::child_reads", folder.path());
        // From before it has opened the object, to when the cache has been full for some time.
        std::thread::sleep(Duration::from_millis(5 + (kill % 24).pow(2)));
        child.kill().unwrap();
        child.wait().unwrap();
        let cache = Cache::open(&folder.path().join("cache"), ROOMY).unwrap();
        let object = cache.object(&header).unwrap();
        for frame in 0..header.frames() {
            let begin = frame as usize * FRAME;
            let mut buffer = vec![0; header.content_of(frame) as usize];
            if object.read(begin as u64, &mut buffer).unwrap() != Lookup::Miss {
                assert!(buffer == content[begin..begin + buffer.len()], "frame {frame}");
                survived += 1;
            }
        }
    }
    assert!(survived > u64::from(header.frames()), "{survived}");
}

/// Not a test by itself.
#[test]
#[ignore = "runs in the child processes of the other tests"]
fn child_reads() {
    let folder = folder();
    let limits = Limits { bytes_max: 12 * MIB as u64, free_bytes_min: 0 };
    let (object, _reader, _runtime) = open(&folder, &folder.join("cache"), limits);
    fs::write(folder.join("is-open"), "").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let object = &object;
            scope.spawn(move || {
                let mut random = thread + u64::from(std::process::id());
                let mut buffer = vec![0; 20_000];
                loop {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    object.read_blocking((random >> 20) % (BYTES as u64 - 20_000), &mut buffer).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_full_disk_is_read_past() {
    let folder = tempfile::tempdir().unwrap();
    pack_into(folder.path());
    fs::create_dir(folder.path().join("cache")).unwrap();
    in_namespace(
        "mount -t tmpfs -o size=6m none \"$TEST_CACHE/cache\"",
        "reading::ends::child_has_a_small_disk",
        folder.path(),
    );
}

/// Not a test by itself: the cache is on a disk of 6 MiB.
#[test]
#[ignore = "runs in the child processes of the other tests"]
fn child_has_a_small_disk() {
    let folder = folder();
    let content = content(BYTES);
    let (object, reader, _runtime) = open(&folder, &folder.join("cache"), ROOMY);
    let read_all = || {
        let mut buffer = vec![0; 100_000];
        for begin in (0..BYTES).step_by(100_000) {
            let length = object.read_blocking(begin as u64, &mut buffer).unwrap();
            assert!(buffer[..length] == content[begin..begin + length], "{begin}");
        }
    };
    // Others have it all: there is nothing to evict either.
    let rest = fs::File::create(folder.join("cache/other")).unwrap();
    let fill = || {
        let mut offset = rest.metadata().unwrap().len();
        while let Ok(more) = atoll_sys::fs::write_at(&rest, &[1; 4096], offset) {
            offset += more as u64;
        }
    };
    fill();
    read_all();
    let not_kept = reader.stats().not_kept_frames;
    assert!(not_kept > 0, "{:?}", reader.stats());
    // They take more and more of it while this reads.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..200 {
                if round % 20 == 0 {
                    rest.set_len(0).unwrap();
                }
                let offset = rest.metadata().unwrap().len();
                let _ = atoll_sys::fs::write_at(&rest, &vec![1; MIB], offset);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        (0..3).for_each(|_| read_all());
    });
    rest.set_len(0).unwrap();
    read_all();
    assert!(reader.stats().kept_frames > 0, "{:?}", reader.stats());
    fill();
    read_all();
    assert_eq!(reader.stats().failed_reads, 0);
}

#[test]
fn two_processes_do_not_share_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    pack_into(folder.path());
    let mut child = spawn("reading::ends::child_reads", folder.path());
    let cache = folder.path().join("cache");
    while !folder.path().join("is-open").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it has opened the cache before it ends");
        std::thread::sleep(Duration::from_millis(1));
    }
    let Err(error @ CacheError::InUse(_)) = Cache::open(&cache, ROOMY) else { panic!("another process has it") };
    let refused = error.to_string();
    assert!(refused.contains("in use by another process"), "{refused}");
    child.kill().unwrap();
    child.wait().unwrap();
    // Each with its own reads the same.
    let own = Scene::new(MIB, |_, _| Reply::default());
    own.read(0..MIB);
    let (object, _reader, _runtime) = open(folder.path(), &cache, ROOMY);
    assert_eq!(object.read_blocking(0, &mut [0; 100]).unwrap(), 100);
}
