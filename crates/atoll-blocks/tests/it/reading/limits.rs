//! A cache that can't keep everything, or anything.

use super::{FRAME, KIB, MIB, Reply, Scene, config, patient};
use atoll_blocks::cache::Limits;
use atoll_blocks::reader::ReaderConfig;
use std::fs::OpenOptions;

const NOTHING: Limits = Limits { bytes_max: 0, free_bytes_min: 0 };

#[test]
fn what_can_t_be_kept_is_passed_on() {
    let scene = Scene::with(4 * MIB, NOTHING, patient(), |_, _| Reply::default());
    scene.read(0..10);
    scene.settle();
    // What is read in small parts is fetched once all the same, and not with all of its chunk.
    let before = scene.origin.requests().len();
    for begin in (2 * MIB..2 * MIB + 4 * FRAME).step_by(KIB) {
        scene.read(begin..begin + KIB);
    }
    let requests = scene.origin.requests().len() - before;
    assert!(requests <= 4, "{requests}");
    scene.read(0..4 * MIB);
    let stats = scene.reader.stats();
    assert_eq!((stats.kept_frames, stats.failed_reads, stats.disk_errors), (0, 0, 0));
}

#[test]
fn what_can_t_be_kept_anywhere_is_passed_on_too() {
    let config = ReaderConfig { not_kept_bytes_max: 0, ..config() };
    let scene = Scene::with(2 * MIB, NOTHING, config, |_, _| Reply::default());
    for begin in [0, MIB, 5, MIB + 9] {
        scene.read(begin..begin + 10);
    }
    scene.read(0..2 * MIB);
    assert_eq!(scene.reader.stats().failed_reads, 0);
}

#[test]
fn reads_are_right_while_their_bytes_are_evicted() {
    // Room for a fifth.
    let limits = Limits { bytes_max: 4 * MIB as u64, free_bytes_min: 0 };
    let scene = Scene::with(20 * MIB, limits, config(), |_, _| Reply::default());
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let scene = &scene;
            scope.spawn(move || {
                let mut random = thread as u64 + 1;
                for _ in 0..150 {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let begin = (random >> 20) as usize % (20 * MIB - 50_000);
                    scene.read(begin..begin + 1 + (random >> 50) as usize * 3);
                }
            });
        }
    });
    assert_eq!(scene.reader.stats().failed_reads, 0);
}

#[test]
fn a_disk_that_can_t_be_read_is_read_past() {
    let scene = Scene::new(2 * MIB, |_, _| Reply::default());
    scene.read(0..2 * MIB);
    scene.settle();
    let path = scene.folder.path().join(format!("{}.data", scene.header.identity()));
    // What lies behind the end of the file can't be read, whatever the map says.
    OpenOptions::new().write(true).open(path).unwrap().set_len(MIB as u64).unwrap();
    scene.read(MIB - 10..MIB + 10);
    scene.read(0..2 * MIB);
    let stats = scene.reader.stats();
    assert!(stats.disk_errors > 0);
    assert_eq!(stats.failed_reads, 0);
}
