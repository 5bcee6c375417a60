//! What is read is what was packed, from wherever it comes.

use super::{FRAME, KIB, MIB, ROOMY, Reply, Scene, patient};
use atoll_blocks::schedule::Class;
use atoll_sys::count;
use futures_util::FutureExt;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn any_part_is_what_was_packed() {
    let scene = Scene::new(3 * MIB + 1000, |_, _| Reply::default());
    let length = scene.content.len();
    scene.read(MIB + 5..MIB + 6);
    scene.read(0..3 * FRAME);
    scene.read(2 * MIB - 1..2 * MIB + FRAME + 1);
    scene.read(length - 1..length);
    scene.read(0..length);
    scene.read(0..length);
    let mut buffer = vec![0; 4096];
    for (offset, expected) in [(length - 10, 10), (length, 0), (usize::MAX, 0)] {
        assert_eq!(scene.object.read_blocking(offset as u64, &mut buffer).unwrap(), expected);
    }
    assert!(buffer[..10] == scene.content[length - 10..]);
    assert_eq!(scene.object.read_blocking(5, &mut []).unwrap(), 0);
    let stats = scene.reader.stats();
    assert_eq!((stats.failed_reads, stats.damaged_frames, stats.disk_errors), (0, 0, 0));
}

#[test]
fn tasks_read_as_threads_do() {
    let scene = Scene::new(2 * MIB, |_, _| Reply::default());
    let expected = &scene.content[MIB - 100..MIB + FRAME];
    let mut buffer = vec![0; expected.len()];
    let read = scene.runtime.block_on(scene.object.read(MIB as u64 - 100, &mut buffer)).unwrap();
    assert_eq!(read, expected.len());
    assert!(buffer == expected);
}

#[test]
fn what_is_in_the_cache_is_read_by_one_call_without_lock_or_allocation() {
    let scene = Scene::patient(2 * MIB);
    scene.read(0..2 * MIB);
    scene.settle();
    let requests = scene.origin.requests().len();
    let mut buffer = [0; 4096];
    let mut read = |offset| scene.object.read_blocking(offset, &mut buffer).unwrap();
    for offset in [0, 4096, MIB as u64 - 2048] {
        let (length, calls) = count::of(|| read(offset));
        assert_eq!((length, calls), (4096, vec!["pread64"]));
        read(offset);
        assert_eq!(count::allocations_of(|| read(offset)), (4096, 0));
    }
    let mut buffer = [0; 4096];
    let mut read = || scene.object.read(77, &mut buffer).now_or_never().unwrap().unwrap();
    read();
    assert_eq!(count::allocations_of(&mut read), (4096, 0));
    // All of this happened while the reader's requests and books belonged to somebody else.
    assert_eq!(scene.origin.requests().len(), requests);
}

#[test]
fn every_byte_is_fetched_once() {
    let scene = Scene::patient(5 * MIB);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let scene = &scene;
            scope.spawn(move || {
                for step in 0..40 {
                    let begin = (thread * 7919 + step * 131_071) % (5 * MIB - 9000);
                    scene.read(begin..begin + 9000);
                }
            });
        }
    });
    // And the rest of the chunks comes by itself.
    scene.settle();
    scene.assert_nothing_twice();
    let asked: u64 = scene.requests().iter().map(|range| range.end - range.start).sum();
    let stats = scene.reader.stats();
    assert_eq!(asked, scene.header.object_bytes() - scene.header.frames_begin());
    assert_eq!(stats.fetched_bytes, asked);
    assert_eq!((stats.verified_frames, stats.kept_frames), (320, 320));
    let requests = scene.origin.requests().len();
    scene.read(0..5 * MIB);
    assert_eq!((scene.origin.requests().len(), scene.reader.stats().fetched_bytes), (requests, asked));
}

#[test]
fn a_read_begins_with_what_is_wanted_and_does_not_wait_for_the_rest() {
    // Each piece of 16 KiB takes 5 ms: a chunk takes more than a second.
    let slow = Reply { piece_bytes: FRAME, pause: Duration::from_millis(5), ..Reply::default() };
    let scene = Scene::new(4 * MIB, move |_, _| slow);
    scene.read(3 * MIB..3 * MIB + 100);
    let fetched = scene.reader.stats().fetched_bytes;
    assert!(fetched < MIB as u64, "{fetched}");
    let first = scene.requests()[0].start - scene.header.frames_begin();
    // The 192nd frame; every other one is compressed.
    assert!(first > 96 * FRAME as u64 && first < 192 * FRAME as u64, "{first}");
}

#[test]
fn who_leaves_ends_nothing() {
    let slow = Reply { first_byte: Duration::from_millis(200), ..Reply::default() };
    let plan = move |nth, _: &_| if nth < 2 { Reply::default() } else { slow };
    let scene = Scene::with(MIB, ROOMY, patient(), plan);
    let mut buffer = [0; 100];
    {
        let mut read = std::pin::pin!(scene.object.read(7 * FRAME as u64, &mut buffer));
        let soon = scene.runtime.block_on(async { tokio::time::timeout(Duration::from_millis(20), &mut read).await });
        assert!(soon.is_err());
    }
    let requests = scene.requests();
    // What it had asked for comes, for whoever asks next.
    scene.read(7 * FRAME..7 * FRAME + 100);
    scene.settle();
    assert_eq!(scene.requests()[..requests.len()], requests);
    scene.assert_nothing_twice();
    assert_eq!(scene.reader.stats().failed_reads, 0);
}

#[test]
fn a_sequential_reader_is_read_ahead_of_through_the_cache() {
    let late = Reply { first_byte: Duration::from_millis(4), ..Reply::default() };
    let scene = Scene::with(32 * MIB, ROOMY, patient(), move |_, _| late);
    for begin in (0..32 * MIB).step_by(4 * KIB) {
        scene.read(begin..begin + 4 * KIB);
    }
    let stats = scene.reader.stats();
    assert!(stats.schedule.requests[Class::Readahead as usize] > 0, "{stats:?}");
    scene.settle();
    scene.assert_nothing_twice();
}

#[test]
fn objects_that_are_opened_twice_are_one() {
    let scene = Scene::new(MIB, |_, _| Reply::default());
    let requests = scene.origin.requests().len();
    let open = || scene.runtime.block_on(scene.reader.open("object".into(), scene.header.identity())).unwrap();
    assert!(Arc::ptr_eq(&open(), &scene.object));
    assert_eq!(scene.origin.requests().len(), requests);
    assert_eq!((scene.object.len(), scene.object.identity()), (MIB as u64, scene.header.identity()));
}
