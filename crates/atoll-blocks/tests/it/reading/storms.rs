//! Many readers of everything at once, while everything goes wrong, against a model.

use super::origin::Fault;
use super::{FRAME, MIB, Reply, Scene, config};
use atoll_blocks::cache::Limits;
use atoll_blocks::reader::ReaderConfig;
use futures_util::future::{Either, select};
use std::ops::Range;
use std::pin::pin;
use std::time::{Duration, Instant};

/// Variable that says for how many seconds a storm lasts.
const SECONDS_VARIABLE: &str = "ATOLL_TEST_SECONDS";
/// For how many without it.
const SECONDS: u64 = 2;
const BYTES: usize = 40 * MIB;

fn seconds() -> Duration {
    let seconds = std::env::var(SECONDS_VARIABLE).map_or(SECONDS, |number| number.parse().expect("a number"));
    Duration::from_secs(seconds)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % limit
    }

    /// Mostly short, now and then long.
    fn range(&mut self) -> Range<usize> {
        let length = match self.below(20) {
            0 => self.below(3 * MIB),
            1 => 0,
            _ => self.below(3 * FRAME),
        };
        let begin = self.below(BYTES);
        begin..(begin + length).min(BYTES)
    }
}

/// One answer in ten is not what it should be.
fn bad_weather(nth: usize) -> Reply {
    let mut random = Random(nth as u64);
    let fault = match random.below(60) {
        0 | 1 => Some(Fault::Break),
        2 | 3 => Some(Fault::Truncate),
        4 => Some(Fault::Damage),
        5 => Some(Fault::Hang),
        _ => None,
    };
    Reply {
        first_byte: Duration::from_micros(random.below(4000) as u64),
        piece_bytes: 1 + random.below(60_000),
        pause: Duration::ZERO,
        fault: fault.filter(|_| nth > 2).map(|fault| (random.below(100_000), fault)),
    }
}

fn storm(limits: Limits, config: ReaderConfig) {
    let scene = Scene::with(BYTES, limits, config, |nth, _| bad_weather(nth));
    let end = Instant::now() + seconds();
    std::thread::scope(|scope| {
        for thread in 0..64_u64 {
            let scene = &scene;
            scope.spawn(move || {
                let mut random = Random(thread);
                while Instant::now() < end {
                    scene.read(random.range());
                }
            });
        }
        let scene = &scene;
        // Tasks that leave, and what was read before, fetched again.
        scope.spawn(move || {
            let mut random = Random(1000);
            while Instant::now() < end {
                let range = random.range();
                let mut buffer = vec![0; range.len()];
                let patience = Duration::from_micros(random.below(3000) as u64);
                let came = scene.runtime.block_on(async {
                    let read = pin!(scene.object.read(range.start as u64, &mut buffer));
                    match select(read, pin!(tokio::time::sleep(patience))).await {
                        Either::Left((read, _)) => Some(read.unwrap()),
                        Either::Right(_) => None,
                    }
                });
                assert!(came.is_none_or(|length| buffer[..length] == scene.content[range.start..range.start + length]));
                if random.below(50) == 0 {
                    scene.object.prefetch(&scene.object.trace()).unwrap();
                }
            }
        });
    });
    let stats = scene.reader.stats();
    assert_eq!(stats.failed_reads, 0, "{stats:?}");
    assert!(stats.schedule.failures > 0, "{stats:?}");
}

/// The rest of what is needed to pass: attempts, and time for them on a machine that is busy.
fn patient() -> ReaderConfig {
    let mut config = config();
    config.schedule.read_timeout = Duration::from_mins(2);
    // A frame that comes damaged by chance so often in a row is none.
    config.schedule.corrupt_attempts_max = 100;
    config
}

#[test]
fn readers_with_room_for_everything() {
    storm(super::ROOMY, patient());
}

#[test]
fn readers_with_room_for_a_fifth() {
    storm(Limits { bytes_max: 8 * MIB as u64, free_bytes_min: 0 }, patient());
}

#[test]
fn readers_with_little_memory_and_no_room() {
    let config = ReaderConfig { unstored_bytes_max: 0, not_kept_bytes_max: 2 * FRAME, ..patient() };
    storm(Limits { bytes_max: 0, free_bytes_min: 0 }, config);
}
