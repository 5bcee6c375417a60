//! What the policy decides in histories that have a name.

use atoll_blocks::schedule::{Action, Answer, Class, Config, Ending, Layout, Scheduler, Start, Why};
use atoll_blocks::simulate::{Event, Fault, Link, Reply, World};
use std::time::Duration;

const MIB: u64 = 1 << 20;
const FRAME: u64 = 4096;
const GCS: (Duration, f64) = (Duration::from_millis(20), 100e6);

fn world(faults: impl Fn(u64) -> Option<(u64, Fault)> + 'static) -> World {
    let mut request = 0;
    World::new(Config::default(), Link { bandwidth: GCS.1, is_shared: true }, move |_: &Start| {
        request += 1;
        Reply { first_byte: GCS.0, fault: faults(request) }
    })
}

fn chunk() -> Layout {
    Layout::uniform(4 * MIB, FRAME, 1024)
}

fn actions(scheduler: &mut Scheduler) -> Vec<Action> {
    std::iter::from_fn(|| scheduler.next_action()).collect()
}

fn starts(scheduler: &mut Scheduler) -> Vec<Start> {
    let started = actions(scheduler).into_iter().filter_map(|action| match action {
        Action::Start(start) => Some(start),
        _ => None,
    });
    started.collect()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[test]
fn a_chunk_is_fetched_once_beginning_with_what_is_wanted() {
    let mut world = world(|_| None);
    let object = world.open(chunk());
    let Answer::Waits(read) = world.read(object, 700..701) else { panic!() };
    assert_eq!(world.next(None), Some(Event::Woken(read)));
    assert!(milliseconds(world.now()) < 20.1, "{:?}", world.now());
    assert_eq!(world.next(None), None);
    assert_eq!(world.counts().bytes, 4 * MIB);
    assert!((0..1024).all(|frame| world.is_ready(object, frame)));
    // The pipe was never idle: 20 ms and 4 MiB at 100 MB/s are 61.9.
    assert!(milliseconds(world.now()) < 63.0, "{:?}", world.now());
    assert!(world.counts().requests <= 20, "{}", world.counts().requests);
}

#[test]
fn a_near_fault_waits_and_a_far_one_goes_itself() {
    let mut scheduler = Scheduler::new(Config::default());
    let object = scheduler.open(Layout::uniform(64 * MIB, FRAME, 1024 * 16));
    let at = Duration::from_millis;
    assert!(matches!(scheduler.read(at(0), object, 0..1), Answer::Waits(_)));
    let first = starts(&mut scheduler).remove(0);
    // What is under way is waited for.
    assert!(matches!(scheduler.read(at(0), object, first.frames.end - 1..first.frames.end), Answer::Waits(_)));
    assert_eq!(starts(&mut scheduler), []);
    // What is not would come later than a request of its own brings it.
    assert!(matches!(scheduler.read(at(0), object, 5000..5001), Answer::Waits(_)));
    let second = starts(&mut scheduler).remove(0);
    assert_eq!((second.frames.start, second.class), (5000, Class::Demand));
    // A read across it leaves that out: each request ends where the next begins.
    assert!(matches!(scheduler.read(at(0), object, 4990..second.frames.end + 10), Answer::Waits(_)));
    let frames: Vec<_> = starts(&mut scheduler).into_iter().map(|start| start.frames).collect();
    assert_eq!((frames.len(), &frames[0], frames[1].start), (2, &(4990..5000), second.frames.end));
}

#[test]
fn cancelling_leaves_what_others_wait_for() {
    let mut world = world(|_| None);
    let object = world.open(chunk());
    let Answer::Waits(leaves) = world.read(object, 10..12) else { panic!() };
    let Answer::Waits(stays) = world.read(object, 11..12) else { panic!() };
    world.cancel(leaves);
    assert_eq!(world.next(None), Some(Event::Woken(stays)));
    assert!(milliseconds(world.now()) < 20.2, "{:?}", world.now());
}

#[test]
fn a_failure_is_no_answer_to_later_reads() {
    let mut world = world(|request| (request == 1).then_some((0, Fault::Refuse)));
    let object = world.open(Layout::uniform(FRAME, FRAME, 1));
    let Answer::Waits(first) = world.read(object, 0..1) else { panic!() };
    let Some(Event::Failed(failed, Why::Refused(_))) = world.next(None) else { panic!() };
    assert_eq!(failed, first);
    let Answer::Waits(second) = world.read(object, 0..1) else { panic!() };
    assert_eq!(world.next(None), Some(Event::Woken(second)));
}

#[test]
fn a_damaged_frame_is_tried_again_and_then_fails_its_own_readers_only() {
    // Whoever asks for frame 3 gets it damaged.
    let mut world = World::new(Config::default(), Link { bandwidth: GCS.1, is_shared: true }, |start: &Start| {
        let damaged = start.frames.contains(&3).then(|| (u64::from(3 - start.frames.start) * FRAME, Fault::Damage));
        Reply { first_byte: GCS.0, fault: damaged }
    });
    let object = world.open(chunk());
    let Answer::Waits(reads_it) = world.read(object, 0..4) else { panic!() };
    let Answer::Waits(reads_others) = world.read(object, 4..8) else { panic!() };
    let mut events = [world.next(None), world.next(None)];
    events.sort_by_key(|event| matches!(event, Some(Event::Failed(..))));
    assert_eq!(events[0], Some(Event::Woken(reads_others)));
    assert!(matches!(events[1], Some(Event::Failed(read, Why::Corrupt(_))) if read == reads_it));
    // Nobody waits any more: the chunk is filled but for that frame, and that is the end.
    assert_eq!(world.next(None), None);
    assert!((0..1024).all(|frame| world.is_ready(object, frame) == (frame != 3)));
}

#[test]
fn an_upstream_that_is_away_is_waited_for_until_the_deadline() {
    let mut world = world(|_| Some((0, Fault::Break)));
    let object = world.open(chunk());
    let Answer::Waits(read) = world.read(object, 0..1) else { panic!() };
    assert_eq!(world.next(None), Some(Event::Failed(read, Why::TimedOut)));
    assert_eq!(world.now(), Config::default().read_timeout);
    let requests = world.counts().requests;
    assert!(requests < 60, "{requests} attempts in half a minute");
    // Then nothing is tried for ever.
    assert_eq!(world.next(None), None);
}

#[test]
fn an_upstream_that_comes_back_is_noticed() {
    let mut world = world(|request| (request <= 6).then_some((0, Fault::Break)));
    let object = world.open(chunk());
    let Answer::Waits(read) = world.read(object, 512..513) else { panic!() };
    assert_eq!(world.next(None), Some(Event::Woken(read)));
    assert!(world.now() < Duration::from_secs(4), "{:?}", world.now());
    assert_eq!(world.next(None), None);
    assert!((0..1024).all(|frame| world.is_ready(object, frame)));
}

#[test]
fn a_stall_is_a_stall_however_much_came_before() {
    let mut world = world(|request| (request == 1).then_some((10 * FRAME, Fault::Stall)));
    let object = world.open(chunk());
    let Answer::Waits(read) = world.read(object, 0..20) else { panic!() };
    assert_eq!(world.next(None), Some(Event::Woken(read)));
    let stalled = world.now().saturating_sub(Config::default().stall_timeout);
    assert!(milliseconds(stalled) > 20.0 && milliseconds(stalled) < 45.0, "{stalled:?}");
    assert_eq!(world.scheduler().stats().failures, 1);
}

#[test]
fn what_the_caller_does_not_take_has_not_stalled_until_somebody_waits() {
    let mut scheduler = Scheduler::new(Config::default());
    let object = scheduler.open(chunk());
    let at = Duration::from_secs;
    scheduler.prefetch(at(0), object, 0..64);
    let start = starts(&mut scheduler).remove(0);
    scheduler.arrived(at(1), start.request, FRAME);
    scheduler.hold(start.request);
    scheduler.tick(at(60));
    assert_eq!(actions(&mut scheduler), []);
    assert!(matches!(scheduler.read(at(60), object, 1..2), Answer::Waits(_)));
    scheduler.tick(at(60));
    assert!(actions(&mut scheduler).contains(&Action::Abort(start.request)));
    assert_eq!(scheduler.stats().failures, 1);
}

/// Reads 2000 frames, each of a chunk of its own and not in order, from an origin that is 50 times later for every so
/// manieth of them after the first 200. How many reads took long.
fn read_with_late_first_bytes(late_one_in: u64) -> (World, u64) {
    let mut request = 0;
    let mut world = World::new(Config::default(), Link { bandwidth: GCS.1, is_shared: false }, move |start: &Start| {
        if start.hedges.is_some() {
            return Reply { first_byte: GCS.0, fault: None };
        }
        request += 1;
        let is_late = request >= 200 && u64::is_multiple_of(request, late_one_in);
        Reply { first_byte: GCS.0 * if is_late { 50 } else { 1 }, fault: None }
    });
    let object = world.open(Layout::uniform(2000 * FRAME, FRAME, 1));
    let mut slow = 0;
    for index in 0..2000 {
        let frame = index * 701 % 2000;
        let begun = world.now();
        if let Answer::Waits(read) = world.read(object, frame..frame + 1) {
            assert_eq!(world.next(None), Some(Event::Woken(read)));
            slow += u64::from(milliseconds(world.now().saturating_sub(begun)) > 100.0);
        }
    }
    assert_eq!(world.counts().bytes, 2000 * FRAME);
    (world, slow)
}

#[test]
fn a_late_first_byte_is_hedged() {
    let (world, slow) = read_with_late_first_bytes(120);
    let stats = world.scheduler().stats();
    // The 240th, the 360th, and so on.
    assert_eq!((stats.hedges, stats.hedges_won, slow), (15, 15, 0));
}

#[test]
fn hedges_are_few_however_late_first_bytes_are() {
    let (world, slow) = read_with_late_first_bytes(2);
    let stats = world.scheduler().stats();
    assert!(stats.hedges > 0 && stats.hedges <= 8 + 2000 / 20, "{stats:?}");
    assert!(slow > 500, "{slow}");
}

#[test]
fn a_sequential_reader_never_waits_for_a_first_byte_again() {
    let mut world = world(|_| None);
    let object = world.open(Layout::uniform(64 * MIB, 128 << 10, 32));
    let mut waits = Vec::new();
    for frame in 0..512 {
        let begun = world.now();
        if let Answer::Waits(read) = world.read(object, frame..frame + 1) {
            assert_eq!(world.next(None), Some(Event::Woken(read)));
            waits.push(milliseconds(world.now().saturating_sub(begun)));
        }
        // It looks at each frame for longer than its transfer takes.
        let until = world.now() + Duration::from_millis(2);
        assert_eq!(world.next(Some(until)), None);
    }
    let long = waits.iter().filter(|wait| **wait > 10.0).count();
    assert_eq!(long, 1, "{waits:?}");
}

#[test]
fn prefetch_keeps_its_order_and_its_place() {
    let mut scheduler = Scheduler::new(Config::default());
    let object = scheduler.open(Layout::uniform(64 * MIB, 64 << 10, 64));
    let at = Duration::from_millis;
    for frame in [900, 100, 500] {
        scheduler.prefetch(at(0), object, frame..frame + 1);
    }
    let mut order = Vec::new();
    let mut now = at(0);
    while let Some(deadline) = scheduler.next_deadline() {
        order.extend(starts(&mut scheduler));
        if order.len() == 3 {
            break;
        }
        now = deadline;
        scheduler.tick(now);
    }
    let frames: Vec<u32> = order.iter().map(|start| start.frames.start).collect();
    assert_eq!(frames, [900, 100, 500]);
    assert!(order.iter().all(|start| start.class == Class::Prefetch && start.frames.len() == 1));
    // A read of what is being prefetched waits for that.
    assert!(matches!(scheduler.read(now, object, 100..101), Answer::Waits(_)));
    assert!(starts(&mut scheduler).iter().all(|start| start.class != Class::Demand));
}

#[test]
fn a_closed_object_is_let_go() {
    let mut scheduler = Scheduler::new(Config::default());
    let object = scheduler.open(chunk());
    let Answer::Waits(read) = scheduler.read(Duration::ZERO, object, 0..1) else { panic!() };
    let start = starts(&mut scheduler).remove(0);
    scheduler.close(Duration::ZERO, object);
    let expected = [Action::Fail { read, why: Why::Closed }, Action::Abort(start.request)];
    assert_eq!(actions(&mut scheduler), expected);
    assert_eq!(scheduler.next_deadline(), None);
    // What is said of it later does nothing.
    scheduler.arrived(Duration::ZERO, start.request, 4096);
    scheduler.ended(Duration::ZERO, start.request, Ending::Complete);
    assert_eq!(scheduler.read(Duration::ZERO, object, 0..1), Answer::Ready);
    assert_eq!(actions(&mut scheduler), []);
}

#[test]
fn what_can_t_be_kept_is_not_fetched_unless_somebody_waits() {
    let mut scheduler = Scheduler::new(Config::default());
    let object = scheduler.open(chunk());
    scheduler.hold_background(Duration::ZERO);
    let Answer::Waits(_) = scheduler.read(Duration::ZERO, object, 5..6) else { panic!() };
    let demand = starts(&mut scheduler).remove(0);
    let mut started = Vec::new();
    let mut now = Duration::ZERO;
    while now < Config::default().not_kept_pause {
        started.extend(starts(&mut scheduler));
        now = scheduler.next_deadline().unwrap().max(now);
        scheduler.tick(now);
    }
    assert!(started.is_empty(), "{started:?}");
    // No more than what a request is worth.
    assert_eq!(demand.frames, 5..5 + (Config::default().segment_bytes_min / FRAME) as u32);
    // Later, the rest of the chunk comes.
    let later = starts(&mut scheduler);
    assert!(later.iter().all(|start| start.class == Class::Fill) && !later.is_empty(), "{later:?}");
}
