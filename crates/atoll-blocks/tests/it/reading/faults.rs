//! What goes wrong at the upstream: every byte is right, or the read says why not.

use super::origin::Fault;
use super::{FRAME, MIB, ROOMY, Reply, Scene, config};
use atoll_blocks::reader::{Cause, ReadError, ReaderConfig};
use atoll_blocks::schedule::{self, Why};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Requests for the beginning of the object, which are answered well.
const OPENING: usize = 2;

/// For frames that come damaged several times in a row, by chance.
pub(super) fn unlucky() -> ReaderConfig {
    let schedule = schedule::Config { corrupt_attempts_max: 100, ..config().schedule };
    ReaderConfig { schedule, ..config() }
}

#[test]
fn every_byte_is_right_under_every_fault() {
    for fault in [Fault::Break, Fault::Truncate, Fault::Damage, Fault::Hang] {
        for after in [0, 1, FRAME - 1, 3 * FRAME + 5] {
            // Every third request fails.
            let scene = Scene::with(MIB, ROOMY, unlucky(), move |nth, _| match nth {
                nth if nth >= OPENING && nth % 3 == 0 => Reply::with(after, fault),
                _ => Reply::default(),
            });
            scene.read(9 * FRAME..9 * FRAME + 1);
            scene.read(40 * FRAME - 1..45 * FRAME);
            scene.read(0..MIB);
            let stats = scene.reader.stats();
            assert_eq!(stats.failed_reads, 0, "{fault:?} after {after}: {stats:?}");
            if fault == Fault::Damage {
                assert!(stats.damaged_frames > 0, "after {after}");
            }
        }
    }
}

#[test]
fn what_can_t_be_had_fails_and_the_next_read_tries_anew() {
    let scene = Scene::new(MIB, |nth, _| match nth {
        nth if (OPENING..OPENING + 1).contains(&nth) => Reply::with(0, Fault::Refuse),
        _ => Reply::default(),
    });
    let said = scene.refused(FRAME..FRAME + 10);
    assert!(said.starts_with("bytes 16384 to 16394 of Origin/object can't be read: the upstream refused"), "{said}");
    assert!(said.contains("does not exist"), "{said}");
    scene.read(FRAME..FRAME + 10);
    assert_eq!(scene.reader.stats().failed_reads, 1);
}

#[test]
fn a_frame_that_is_always_damaged_fails_alone() {
    let scene = Scene::new(MIB, |_, _| Reply::default());
    let place = scene.header.frames_begin() + 10;
    let (object, header) = (scene.origin.object.to_vec(), scene.header.clone());
    drop(scene);
    // The first frame is damaged where it lies.
    let scene = Scene::new(MIB, move |nth, range| match nth {
        nth if nth >= OPENING && range.contains(&place) => Reply::with((place - range.start) as usize, Fault::Damage),
        _ => Reply::default(),
    });
    assert_eq!((scene.origin.object.len(), scene.header.identity()), (object.len(), header.identity()));
    let said = scene.refused(5..6);
    assert!(said.contains("a frame is damaged at the upstream; what it has said last: frame 0 is damaged"), "{said}");
    scene.read(FRAME..MIB);
    // Three attempts for the read, and three more while it was nobody's.
    assert!((3..=6).contains(&scene.reader.stats().damaged_frames), "{:?}", scene.reader.stats());
}

#[test]
fn a_panic_fails_who_waits_for_it_and_nobody_else() {
    let first_frame = Scene::new(8 * MIB, |_, _| Reply::default()).header.frames_begin();
    let panics = Arc::new(AtomicBool::new(true));
    let scene = Scene::new(8 * MIB, {
        let panics = Arc::clone(&panics);
        move |nth, range| {
            // Each of them: a request whose first byte is late has another one beside it, which would bring the bytes.
            if nth >= OPENING && range.contains(&first_frame) && panics.load(Ordering::SeqCst) {
                return Reply::with(0, Fault::Panic);
            }
            Reply { first_byte: Duration::from_millis(if nth < OPENING { 0 } else { 100 }), ..Reply::default() }
        }
    });
    std::thread::scope(|scope| {
        let other = scope.spawn(|| scene.read(6 * MIB..6 * MIB + 10));
        while scene.origin.requests().len() <= OPENING {
            std::thread::yield_now();
        }
        let said = scene.refused(0..10);
        assert!(said.contains("a request panicked: injected"), "{said}");
        panics.store(false, Ordering::SeqCst);
        other.join().unwrap();
    });
    scene.read(0..10);
    let stats = scene.reader.stats();
    assert!(stats.panics >= 1);
    assert_eq!(stats.failed_reads, 1);
}

#[test]
fn reads_wait_for_a_store_that_is_away() {
    let scene = Scene::new(4 * MIB, |_, _| Reply::default());
    scene.read(0..10);
    scene.settle();
    scene.origin.is_away.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let reads: Vec<_> = [0, 1, 2, 3]
            .map(|mib| {
                scope.spawn({
                    let scene = &scene;
                    move || scene.read(mib * MIB + 777..mib * MIB + 2 * FRAME)
                })
            })
            .into();
        std::thread::sleep(Duration::from_millis(100));
        scene.origin.is_away.store(false, Ordering::SeqCst);
        for read in reads {
            read.join().unwrap();
        }
    });
    assert_eq!(scene.reader.stats().failed_reads, 0);
}

#[test]
fn a_store_that_stays_away_is_an_error_in_time() {
    let schedule = schedule::Config { read_timeout: Duration::from_millis(200), ..config().schedule };
    let scene = Scene::with(MIB, ROOMY, ReaderConfig { schedule, ..config() }, |_, _| Reply::default());
    scene.origin.is_away.store(true, Ordering::SeqCst);
    let error = scene.object.read_blocking(5 * FRAME as u64, &mut [0; 20]).unwrap_err();
    let inner = error.get_ref().unwrap().downcast_ref::<ReadError>().unwrap();
    let Cause::Upstream { why: Why::TimedOut, last_failure: Some(last) } = &inner.cause else { panic!("{inner:?}") };
    assert!(last.contains("no connection"), "{last}");
    assert_eq!((&*inner.object, inner.range.clone()), ("Origin/object", 81_920..81_940));
    assert_eq!(scene.reader.stats().failed_reads, 1);
    scene.origin.is_away.store(false, Ordering::SeqCst);
    // Attempts for what somebody has waited for have pauses between them, which may be longer than a read's patience here.
    while scene.object.read_blocking(5 * FRAME as u64, &mut [0; 20]).is_err() {}
    scene.read(5 * FRAME..5 * FRAME + 20);
}

#[test]
fn a_runtime_that_ends_leaves_nobody_waiting() {
    let scene = Scene::new(MIB, |nth, _| if nth < OPENING { Reply::default() } else { Reply::with(0, Fault::Hang) });
    let Scene { object, runtime, reader, folder, origin, .. } = scene;
    std::thread::scope(|scope| {
        let read = scope.spawn(|| object.read_blocking(0, &mut [0; 10]).unwrap_err().to_string());
        while origin.requests().len() <= OPENING {
            std::thread::yield_now();
        }
        runtime.shutdown_background();
        let said = read.join().unwrap();
        assert!(said.contains("runtime that was to fetch them was shut down"), "{said}");
    });
    let said = object.read_blocking(0, &mut [0; 10]).unwrap_err().to_string();
    assert!(said.contains("shut down"), "{said}");
    assert_eq!(reader.stats().failed_reads, 2);
    drop((object, reader, folder));
}
