//! Any sequence of reads, cancellations and faults leaves the scheduler's promises intact: the [`World`] checks them
//! after each order. Here it is checked that every read is answered, and what else holds in the end.

use atoll_blocks::schedule::{Answer, Config, Layout, ObjectId, ReadId, Why};
use atoll_blocks::simulate::{Event, Fault, Link, Reply, World};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Debug, Clone)]
enum Step {
    Read { object: usize, begin: u32, frames: u32 },
    Prefetch { object: usize, begin: u32, frames: u32 },
    Cancel { nth: usize },
    Forget { object: usize, begin: u32, frames: u32 },
    Pass { microseconds: u64 },
    Close { object: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..3_usize, 0..120_u32);
    prop_oneof![
        10 => (place(), 1..4_u32).prop_map(|((object, begin), frames)| Step::Read { object, begin, frames }),
        2 => (place(), 4..80_u32).prop_map(|((object, begin), frames)| Step::Read { object, begin, frames }),
        2 => (place(), 1..40_u32).prop_map(|((object, begin), frames)| Step::Prefetch { object, begin, frames }),
        2 => any::<usize>().prop_map(|nth| Step::Cancel { nth }),
        1 => (place(), 1..40_u32).prop_map(|((object, begin), frames)| Step::Forget { object, begin, frames }),
        8 => (0..30_000_u64).prop_map(|microseconds| Step::Pass { microseconds }),
        1 => (0..3_usize).prop_map(|object| Step::Close { object }),
    ]
}

#[derive(Debug, Clone)]
struct Origin {
    link: Link,
    first_byte: Duration,
    /// For each request in turn, again and again: how many times later it is, and what goes wrong, after so many bytes.
    replies: Vec<(u32, Option<(u64, Fault)>)>,
}

fn origin(faults: bool) -> impl Strategy<Value = Origin> {
    let fault = prop_oneof![
        Just(Fault::Break),
        Just(Fault::Truncate),
        Just(Fault::Stall),
        Just(Fault::Damage),
        Just(Fault::Refuse)
    ];
    let fault = prop::option::weighted(0.3, (0..40_000_u64, fault)).prop_map(move |fault| fault.filter(|_| faults));
    let reply = (prop_oneof![9 => Just(1_u32), 1 => 1..100_u32], fault);
    let link = (1e6..200e6_f64, any::<bool>()).prop_map(|(bandwidth, is_shared)| Link { bandwidth, is_shared });
    let parts = (link, 200..50_000_u64, prop::collection::vec(reply, 1..60));
    parts.prop_map(|(link, first_byte, replies)| Origin {
        link,
        first_byte: Duration::from_micros(first_byte),
        replies,
    })
}

fn config(small: bool) -> Config {
    let roomy = Config { segment_bytes_min: 8 << 10, segment_bytes_max: 64 << 10, ..Config::default() };
    if !small {
        return roomy;
    }
    Config {
        requests_max: 3,
        reserved_requests: 1,
        in_flight_bytes_max: 24 << 10,
        reserved_bytes: 8 << 10,
        read_timeout: Duration::from_secs(2),
        first_byte_timeout: Duration::from_millis(400),
        stall_timeout: Duration::from_millis(300),
        ..roomy
    }
}

fn layouts() -> [Layout; 3] {
    let table: Vec<u64> = (0..=120_u64).map(|frame| 100 + frame * 700 + frame * frame * 13 % 690).collect();
    [Layout::uniform(120 * 4096 - 1000, 4096, 32), Layout::table(table.into(), 16), Layout::uniform(700, 4096, 32)]
}

/// What a read was answered, by whom it was asked.
#[derive(Default)]
struct Readers {
    open: BTreeSet<ReadId>,
    refused: u64,
}

impl Readers {
    fn note(&mut self, event: Event) {
        let read = match event {
            Event::Woken(read) => read,
            Event::Failed(read, why) => {
                self.refused += u64::from(why != Why::Closed);
                read
            }
        };
        assert!(self.open.remove(&read), "{read:?} is answered once, and not after it was cancelled");
    }
}

fn check(origin: Origin, config: &Config, steps: Vec<Step>) -> World {
    let Origin { link, first_byte, replies } = origin;
    let mut turn = 0;
    let mut world = World::new(config.clone(), link, move |_| {
        let (factor, fault) = replies[turn % replies.len()];
        turn += 1;
        Reply { first_byte: first_byte * factor, fault }
    });
    let layouts = layouts();
    let mut objects: Vec<ObjectId> = layouts.iter().map(|layout| world.open(layout.clone())).collect();
    let mut readers = Readers::default();
    for step in steps {
        let clip = |object: usize, begin: u32, frames: u32| {
            let end = layouts[object].frames();
            begin.min(end)..begin.saturating_add(frames).min(end)
        };
        match step {
            Step::Read { object, begin, frames } => {
                if let Answer::Waits(read) = world.read(objects[object], clip(object, begin, frames)) {
                    readers.open.insert(read);
                }
            }
            Step::Prefetch { object, begin, frames } => world.prefetch(objects[object], clip(object, begin, frames)),
            Step::Forget { object, begin, frames } => world.forget(objects[object], clip(object, begin, frames)),
            Step::Cancel { nth } => {
                if let Some(read) = readers.open.iter().nth(nth % readers.open.len().max(1)).copied() {
                    readers.open.remove(&read);
                    world.cancel(read);
                }
            }
            Step::Pass { microseconds } => {
                let until = world.now() + Duration::from_micros(microseconds);
                while let Some(event) = world.next(Some(until)) {
                    readers.note(event);
                }
            }
            Step::Close { object } => {
                world.close(objects[object]);
                objects[object] = world.open(layouts[object].clone());
            }
        }
    }
    let begun = world.now();
    while let Some(event) = world.next(None) {
        readers.note(event);
        assert!(world.now() <= begun + config.read_timeout, "a read waits for longer than a read may");
    }
    assert!(readers.open.is_empty(), "{:?} were never answered", readers.open);
    assert_eq!(world.scheduler().stats().failed_reads, readers.refused);
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn promises_hold_whatever_happens(
        origin in origin(true),
        small in any::<bool>(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        check(origin, &config(small), steps);
    }

    #[test]
    fn without_faults_no_read_fails_and_no_byte_comes_twice(
        origin in origin(false),
        small in any::<bool>(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        // The slowest origin needs 0.5 s for all objects, and 5 s for its latest byte.
        let patient = Duration::from_hours(1);
        let config = Config {
            read_timeout: patient, first_byte_timeout: patient, stall_timeout: patient, ..config(small)
        };
        let steps: Vec<_> = steps.into_iter().filter(|step| !matches!(step, Step::Forget { .. } | Step::Close { .. })).collect();
        let world = check(origin, &config, steps);
        prop_assert_eq!(world.scheduler().stats().failed_reads, 0);
        let total: u64 = layouts().iter().map(|layout| layout.offset(layout.frames()) - layout.offset(0)).sum();
        // Hedges never bring a byte: whichever of two requests is the first to bring one ends the other.
        prop_assert!(world.counts().bytes <= total, "{} bytes of {total}", world.counts().bytes);
    }
}
