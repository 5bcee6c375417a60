//! The cache: what is read is what was stored, whatever else happens.

use crate::children::{folder, in_namespace, kills, spawn};
use atoll_blocks::cache::{Cache, CacheError, CachedObject, Limits, Lookup, PresenceMap, Stored};
use atoll_blocks::frames::Header;
use atoll_sys::count;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const FRAME: u64 = 128 << 10;
const MIB: u64 = 1 << 20;
const ROOMY: Limits = Limits { bytes_max: 1 << 40, free_bytes_min: 0 };

/// The header of an object of so many bytes, as if it had been packed; `seed` tells objects apart.
fn header(bytes: u64, seed: u8) -> Header {
    let mut encoded = [0; Header::BYTES];
    encoded[..8].copy_from_slice(b"atollfr1");
    encoded[8] = FRAME.ilog2() as u8;
    encoded[16..24].copy_from_slice(&bytes.to_le_bytes());
    encoded[24..32].copy_from_slice(&bytes.to_le_bytes());
    encoded[32..40].copy_from_slice(&bytes.div_ceil(FRAME).to_le_bytes());
    encoded[40..72].fill(seed);
    Header::decode(&encoded).unwrap().0
}

/// The content of a frame: tells object, frame and place apart, and is nowhere zero.
fn content(header: &Header, frame: u32) -> Vec<u8> {
    let seed = u64::from(header.identity().0[0]) << 32 | u64::from(frame);
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = (0..header.content_of(frame).div_ceil(8)).flat_map(|_| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random | 0x0101_0101_0101_0101).to_le_bytes()
    });
    let mut bytes: Vec<u8> = words.collect();
    bytes.truncate(header.content_of(frame) as usize);
    bytes
}

fn store(object: &CachedObject, frame: u32) -> Stored {
    object.store(frame, &content(object.header(), frame)).unwrap()
}

/// Reads each frame; those that are there must be right. How many are.
fn verify(object: &CachedObject) -> u32 {
    let mut found = 0;
    for frame in 0..object.header().frames() {
        let mut buffer = vec![0; object.header().content_of(frame) as usize];
        match object.read(u64::from(frame) * FRAME, &mut buffer).unwrap() {
            Lookup::Miss => {}
            Lookup::Hit | Lookup::Watched(_) => {
                assert!(buffer == content(object.header(), frame), "frame {frame}");
                found += 1;
            }
        }
    }
    found
}

fn data_file(folder: &Path, object: &CachedObject) -> PathBuf {
    folder.join(format!("{}.data", object.identity()))
}

#[test]
fn what_is_stored_is_read_at_any_place() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), ROOMY).unwrap();
    let object = cache.object(&header(3 * FRAME + 1000, 1)).unwrap();
    let whole: Vec<u8> = (0..4).flat_map(|frame| content(object.header(), frame)).collect();
    assert_eq!(object.read(0, &mut [0; 10]).unwrap(), Lookup::Miss);
    for frame in [1, 3, 2] {
        assert_eq!(store(&object, frame), Stored::Kept);
    }
    let check = |offset: u64, length: usize, expected: Lookup| {
        let mut buffer = vec![0; length];
        assert_eq!(object.read(offset, &mut buffer).unwrap(), expected, "{length} at {offset}");
        if expected == Lookup::Hit {
            assert!(buffer == whole[offset as usize..offset as usize + length], "{length} at {offset}");
        }
    };
    check(FRAME, 1, Lookup::Hit);
    check(FRAME - 1, 1, Lookup::Miss);
    check(FRAME - 1, 2, Lookup::Miss);
    check(2 * FRAME - 7, 4096, Lookup::Hit);
    check(FRAME, whole.len() - FRAME as usize, Lookup::Hit);
    check(3 * FRAME + 1000, 0, Lookup::Hit);
    for (offset, length) in [(3 * FRAME + 1000, 1), (3 * FRAME + 990, 11), (u64::MAX, 1)] {
        let error = object.read(offset, &mut vec![0; length]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
    // The holes take nothing.
    assert!(fs::metadata(data_file(folder.path(), &object)).unwrap().blocks() * 512 < 2 * FRAME + 8192);
    assert_eq!(cache.bytes(), 2 * FRAME + 1000);
}

#[test]
fn reading_what_is_there_is_one_call_and_no_allocation() {
    let folder = tempfile::tempdir().unwrap();
    let object = Cache::open(folder.path(), ROOMY).unwrap().object(&header(2 * FRAME, 1)).unwrap();
    assert_eq!((store(&object, 0), store(&object, 1)), (Stored::Kept, Stored::Kept));
    let mut buffer = [0; 4096];
    let mut read = |offset| object.read(offset, &mut buffer).unwrap();
    for offset in [0, 4096, FRAME - 2048] {
        let (lookup, calls) = count::of(|| read(offset));
        assert_eq!((lookup, calls), (Lookup::Hit, vec!["pread64"]));
        // The counter makes room for some calls at the first one.
        assert_eq!(read(offset), Lookup::Hit);
        assert_eq!(count::allocations_of(|| read(offset)), (Lookup::Hit, 0));
    }
    object.forget(0..1).unwrap();
    let ((lookup, calls), allocations) = count::allocations_of(|| count::of(|| read(0)));
    assert_eq!((lookup, calls.len(), allocations), (Lookup::Miss, 0, 0));
}

#[test]
fn a_watched_frame_tells_once() {
    let folder = tempfile::tempdir().unwrap();
    let object = Cache::open(folder.path(), ROOMY).unwrap().object(&header(8 * FRAME, 1)).unwrap();
    object.watch(5);
    assert_eq!(object.read(5 * FRAME, &mut [0; 8]).unwrap(), Lookup::Miss);
    (0..8).for_each(|frame| assert_eq!(store(&object, frame), Stored::Kept));
    assert_eq!(object.read(4 * FRAME, &mut [0; 8]).unwrap(), Lookup::Hit);
    assert_eq!(object.read(5 * FRAME - 4, &mut [0; 8]).unwrap(), Lookup::Watched(5));
    assert_eq!(object.read(5 * FRAME, &mut [0; 8]).unwrap(), Lookup::Hit);
}

#[test]
fn the_next_process_finds_what_was_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let header = header(100 * FRAME - 5, 1);
    {
        let object = Cache::open(folder.path(), ROOMY).unwrap().object(&header).unwrap();
        (0..100).step_by(3).for_each(|frame| assert_eq!(store(&object, frame), Stored::Kept));
        object.forget(30..60).unwrap();
    }
    let cache = Cache::open(folder.path(), ROOMY).unwrap();
    let object = cache.object(&header).unwrap();
    assert_eq!(verify(&object), 24);
    assert_eq!(cache.bytes(), 24 * FRAME - 5);
    assert!((0..100).all(|frame| object.presence().contains(frame..frame + 1) == (frame % 3 == 0 && !(30..60).contains(&frame))));
    // Opened by others, it is the same; with another object beside it.
    assert!(std::sync::Arc::ptr_eq(&object, &cache.object(&header).unwrap()));
    let other = cache.object(&self::header(FRAME, 2)).unwrap();
    assert_eq!(verify(&other), 0);
}

#[test]
fn files_that_are_not_right_are_empty() {
    let header = header(40 * FRAME, 1);
    let check = |damage: &dyn Fn(&Path, &Path)| {
        let folder = tempfile::tempdir().unwrap();
        let data = {
            let object = Cache::open(folder.path(), ROOMY).unwrap().object(&header).unwrap();
            (0..40).for_each(|frame| assert_eq!(store(&object, frame), Stored::Kept));
            data_file(folder.path(), &object)
        };
        damage(&data, &data.with_extension("map"));
        let cache = Cache::open(folder.path(), ROOMY).unwrap();
        let object = cache.object(&header).unwrap();
        assert_eq!(verify(&object), 0);
        assert_eq!(cache.bytes(), 0);
        // What no map speaks of takes no room.
        assert_eq!(fs::metadata(&data).unwrap().blocks(), 0);
        assert_eq!(store(&object, 7), Stored::Kept);
        assert_eq!(verify(&object), 1);
    };
    check(&|_, map| fs::remove_file(map).unwrap());
    check(&|data, _| fs::remove_file(data).unwrap());
    check(&|data, _| fs::write(data, b"short").unwrap());
    check(&|_, map| fs::write(map, b"short").unwrap());
    check(&|_, map| {
        let mut bytes = fs::read(map).unwrap();
        bytes[2] ^= 1;
        fs::write(map, bytes).unwrap();
    });
    check(&|_, map| fs::write(map, vec![0xff; 1 << 20]).unwrap());
}

#[test]
fn a_directory_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), ROOMY).unwrap();
    let object = cache.object(&header(FRAME, 1)).unwrap();
    let refused = || match Cache::open(folder.path(), ROOMY) {
        Err(error @ CacheError::InUse(_)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(refused().contains(folder.path().to_str().unwrap()));
    // An object is enough to hold it.
    drop(cache);
    refused();
    drop(object);
    Cache::open(folder.path(), ROOMY).unwrap();
    let mut other = spawn("cache::child_owns", folder.path());
    while !folder.path().join("owned").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    refused();
    other.kill().unwrap();
    other.wait().unwrap();
    Cache::open(folder.path(), ROOMY).unwrap();
}

/// Not a test by itself.
#[test]
#[ignore = "runs in the child processes of the other tests"]
fn child_owns() {
    let folder = folder();
    let _cache = Cache::open(&folder, ROOMY).unwrap();
    fs::write(folder.join("owned"), []).unwrap();
    std::thread::sleep(Duration::from_mins(1));
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { bytes_max: 64 * MIB, free_bytes_min: 0 };
    let cache = Cache::open(folder.path(), limits).unwrap();
    let object = cache.object(&header(128 * MIB, 1)).unwrap();
    for frame in 0..1024 {
        assert_eq!(store(&object, frame), Stored::Kept);
        // The first piece is read all the time.
        assert_eq!(object.read(0, &mut [0; 8]).unwrap(), Lookup::Hit, "{frame}");
        assert!(cache.bytes() <= limits.bytes_max);
    }
    assert!(object.presence().contains(0..32));
    assert!(object.presence().contains(800..1024), "the last 28 MiB");
    assert!(object.presence().count(0..1024) >= 480);
    let blocks = fs::metadata(data_file(folder.path(), &object)).unwrap().blocks();
    assert!(blocks * 512 <= limits.bytes_max + 16 * 4096, "{blocks}");
    // What nobody has open goes before.
    let other = cache.object(&header(8 * MIB, 2)).unwrap();
    (0..64).for_each(|frame| assert_eq!(store(&other, frame), Stored::Kept));
    let path = data_file(folder.path(), &other);
    drop(other);
    let before = object.presence().count(0..1024);
    let absent = (0..1024).filter(|frame| !object.presence().contains(*frame..frame + 1));
    let mut stored = 0;
    for frame in absent {
        assert_eq!(store(&object, frame), Stored::Kept);
        stored += 1;
        if !path.exists() {
            break;
        }
    }
    assert!(!path.exists() && stored <= 33, "{stored}");
    assert_eq!(object.presence().count(0..1024), before + stored);
    verify(&object);
}

#[test]
fn a_frame_that_can_never_fit_is_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { bytes_max: FRAME - 1, free_bytes_min: 0 };
    let object = Cache::open(folder.path(), limits).unwrap().object(&header(2 * FRAME, 1)).unwrap();
    assert_eq!(store(&object, 0), Stored::Full);
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { bytes_max: 1 << 40, free_bytes_min: 1 << 60 };
    let object = Cache::open(folder.path(), limits).unwrap().object(&header(2 * FRAME, 1)).unwrap();
    assert_eq!(store(&object, 0), Stored::Full);
    assert_eq!(verify(&object), 0);
}

#[test]
fn readers_see_whole_frames_while_others_store_and_evict() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), ROOMY).unwrap();
    let header = header(4 * MIB, 1);
    let object = cache.object(&header).unwrap();
    let is_over = AtomicBool::new(false);
    let hits = AtomicU64::new(0);
    let contents: Vec<Vec<u8>> = (0..32).map(|frame| content(&header, frame)).collect();
    std::thread::scope(|scope| {
        for reader in 0..3_u64 {
            let (object, contents, is_over, hits) = (&object, &contents, &is_over, &hits);
            scope.spawn(move || {
                let mut random = reader + 1;
                let mut buffer = vec![0; 4096];
                while !is_over.load(Ordering::Relaxed) {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let frame = (random >> 33) % 32;
                    let place = (random >> 40) % (FRAME - 4096);
                    if object.read(frame * FRAME + place, &mut buffer).unwrap() == Lookup::Hit {
                        let expected = &contents[frame as usize][place as usize..place as usize + 4096];
                        assert!(buffer == expected, "frame {frame} at {place}");
                        hits.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for round in 0..12_u32 {
            for frame in 0..32 {
                assert_eq!(object.store(frame, &contents[frame as usize]).unwrap(), Stored::Kept);
                let gone = (frame + round * 7) % 32;
                object.forget(gone..gone + 1).unwrap();
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(hits.load(Ordering::Relaxed) > 1000, "{hits:?}");
}

#[test]
fn a_process_that_is_killed_leaves_no_wrong_byte() {
    let folder = tempfile::tempdir().unwrap();
    let header = header(64 * MIB, 3);
    let (mut survived, mut bytes, kills) = (0, 0, kills());
    for kill in 0..kills {
        let mut child = spawn("cache::child_stores_and_evicts", folder.path());
        // From before it has opened the cache, to when it has evicted for some time.
        std::thread::sleep(Duration::from_millis(5 + (kill % 24).pow(2)));
        child.kill().unwrap();
        child.wait().unwrap();
        let cache = Cache::open(folder.path(), ROOMY).unwrap();
        let object = cache.object(&header).unwrap();
        let found = verify(&object);
        assert_eq!(found, object.presence().count(0..512));
        survived += u64::from(found > 0);
        bytes = bytes.max(cache.bytes());
    }
    // It was killed after it had stored something, and what had been written down was found.
    assert!(survived >= kills / 4, "{survived} of {kills}");
    assert!(bytes >= 8 * MIB, "{bytes}");
}

/// Not a test by itself.
#[test]
#[ignore = "runs in the child processes of the other tests"]
fn child_stores_and_evicts() {
    let limits = Limits { bytes_max: 40 * MIB, free_bytes_min: 0 };
    let object = Cache::open(&folder(), limits).unwrap().object(&header(64 * MIB, 3)).unwrap();
    let mut random = u64::from(std::process::id());
    loop {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let frame = (random >> 33) as u32 % 512;
        if random >> 60 == 0 {
            object.forget(frame..(frame + 40).min(512)).unwrap();
        } else {
            assert_eq!(store(&object, frame), Stored::Kept);
        }
    }
}

#[test]
fn a_full_disk_is_passed_by() {
    let folder = tempfile::tempdir().unwrap();
    in_namespace("mount -t tmpfs -o size=24m none \"$TEST_CACHE\"", "cache::child_fills_its_disk", folder.path());
}

/// Not a test by itself: its folder is a disk of 24 MiB.
#[test]
#[ignore = "runs in the child processes of the other tests"]
fn child_fills_its_disk() {
    let folder = folder();
    let cache = Cache::open(&folder, ROOMY).unwrap();
    let object = cache.object(&header(64 * MIB, 3)).unwrap();
    for frame in 0..512 {
        // Room is made before the disk is full.
        assert_eq!(store(&object, frame), Stored::Kept, "{frame}");
        assert!(cache.bytes() <= 24 * MIB);
    }
    assert!(verify(&object) > 128);
    // Others take all the rest: everything goes, and nothing is kept.
    let rest = fs::File::create(folder.join("other")).unwrap();
    object.forget(0..512).unwrap();
    let mut offset = 0;
    while let Ok(more) = atoll_sys::fs::write_at(&rest, &[1; 4096], offset) {
        offset += more as u64;
    }
    for frame in 0..3 {
        assert_eq!(store(&object, frame), Stored::Full);
    }
    assert_eq!((verify(&object), cache.bytes()), (0, 0));
    // Others take and give back all the time: between a look at what is free and the write it may be gone.
    let is_over = AtomicBool::new(false);
    let mut full = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                rest.set_len(0).unwrap();
                let mut offset = 0;
                while let Ok(more) = atoll_sys::fs::write_at(&rest, &[1; 8192], offset) {
                    offset += more as u64;
                }
            }
        });
        for round in 0..8 {
            for frame in 0..512 {
                full += u32::from(store(&object, (frame * 31 + round) % 512) == Stored::Full);
            }
            verify(&object);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(full > 0);
    // And when they have left, it goes on.
    rest.set_len(0).unwrap();
    object.forget(0..512).unwrap();
    assert_eq!(store(&object, 0), Stored::Kept);
    assert_eq!(verify(&object), 1);
    // With a limit on what is free, the disk does not become full.
    drop((object, cache));
    let limits = Limits { free_bytes_min: 8 * MIB, ..ROOMY };
    let object = Cache::open(&folder, limits).unwrap().object(&header(64 * MIB, 3)).unwrap();
    for frame in 0..512 {
        assert_eq!(store(&object, frame), Stored::Kept);
        let free = atoll_sys::fs::filesystem(&rest).unwrap();
        assert!(free.available_blocks * free.block_size >= 8 * MIB - FRAME);
    }
    verify(&object);
}

#[test]
fn a_map_names_its_pages() {
    let map = PresenceMap::new(100_000);
    assert_eq!((map.pages(), PresenceMap::page_of(0), PresenceMap::page_of(99_999)), (4, 0, 3));
}
