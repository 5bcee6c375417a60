//! The order in which one reader reads is what the next one finds fetched.

use super::{FRAME, MIB, ROOMY, Reply, Scene, config, patient};
use atoll_blocks::reader::{ReaderConfig, Trace, TraceError};
use atoll_blocks::schedule::{self, Class};
use atoll_sys::count;
use std::time::Duration;

/// What a start reads, by frames.
const START: [usize; 7] = [300, 7, 8, 9, 100, 2, 301];

fn start(scene: &Scene) {
    for frame in START {
        scene.read(frame * FRAME + 5..frame * FRAME + 10);
    }
}

#[test]
fn a_trace_is_the_order_of_first_reads() {
    let scene = Scene::new(8 * MIB, |_, _| Reply::default());
    assert!(scene.object.trace().frames().is_empty());
    start(&scene);
    scene.read(8 * FRAME..11 * FRAME);
    let frames = scene.object.trace();
    assert_eq!(frames.frames(), [300, 7, 8, 9, 100, 2, 301, 10]);
    assert_eq!(Trace::decode(&frames.encode()), Ok(frames));
    // What is recorded costs nothing that others would notice: the first read of a frame that is there, too.
    scene.settle();
    let first = || scene.object.read_blocking(200 * FRAME as u64, &mut [0; 100]).unwrap();
    assert_eq!(count::allocations_of(|| count::of(first)).0, (100, vec!["pread64"]));
    assert_eq!(scene.object.trace().frames().last(), Some(&200));
}

#[test]
fn a_trace_is_fetched_in_its_order_and_nothing_else() {
    let first = Scene::new(8 * MIB, |_, _| Reply::default());
    start(&first);
    let trace = first.object.trace();
    // One after the other: of several at once, any can be the first to get to the origin.
    let schedule = schedule::Config { requests_max: 2, reserved_requests: 1, ..patient().schedule };
    let config = ReaderConfig { schedule, ..patient() };
    let scene = Scene::with(8 * MIB, ROOMY, config, |_, _| Reply::default());
    scene.object.prefetch(&trace).unwrap();
    scene.settle();
    let waited = scene.reader.stats().waited_reads;
    start(&scene);
    let stats = scene.reader.stats();
    assert_eq!((waited, stats.waited_reads), (0, 0));
    assert_eq!(stats.verified_frames, START.len() as u64);
    let requests = scene.requests();
    let order: Vec<usize> = requests.iter().map(|range| range.start as usize).collect();
    // Runs of frames: 300, 7 to 9, 100, 2, 301.
    assert_eq!(order.len(), 5, "{order:?}");
    assert!(order[1] < order[2] && order[3] < order[1] && order[2] < order[0] && order[0] < order[4], "{order:?}");
    // What is there is not fetched again.
    scene.object.prefetch(&trace).unwrap();
    scene.settle();
    assert_eq!(scene.requests(), requests);
    scene.assert_nothing_twice();
}

#[test]
fn who_waits_goes_before_what_was_named() {
    // One request at a time beside demand's own.
    let schedule = schedule::Config { requests_max: 2, reserved_requests: 1, ..config().schedule };
    let slow = Reply { first_byte: Duration::from_millis(10), ..Reply::default() };
    let scene = Scene::with(16 * MIB, ROOMY, ReaderConfig { schedule, ..config() }, move |_, _| slow);
    let every_tenth: Vec<u32> = (0..1000).step_by(10).collect();
    let reader = Scene::new(16 * MIB, |_, _| Reply::default());
    for frame in &every_tenth {
        reader.read(*frame as usize * FRAME..*frame as usize * FRAME + 1);
    }
    assert_eq!(reader.object.trace().frames(), every_tenth);
    scene.object.prefetch(&reader.object.trace()).unwrap();
    scene.read(777 * FRAME..777 * FRAME + 10);
    let requests = scene.requests().len();
    assert!(requests < 10, "{requests}");
    let stats = scene.reader.stats().schedule;
    assert_eq!(stats.requests[Class::Demand as usize], 1);
}

#[test]
fn a_trace_of_another_object_is_refused() {
    let scene = Scene::new(MIB, |_, _| Reply::default());
    let other = Scene::new(MIB + 1, |_, _| Reply::default());
    let refused = scene.object.prefetch(&other.object.trace()).unwrap_err();
    let expected = TraceError::OtherObject { expected: scene.header.identity(), found: other.header.identity() };
    assert_eq!(refused, expected);
}
