//! The scheduler against the limits of physics, in virtual time: `cargo run --release -p atoll-blocks --example
//! simulate`.
//!
//! Each row is the mean over the callers of many rounds, each with a new object, by a scheduler that has measured its
//! upstream before; `cold` is by one that has not, in its first round, and `opened` by one that has seen no more of it than
//! the object's first 256 KiB. Times are milliseconds.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use atoll_blocks::schedule::{Answer, Config, Layout, ObjectId};
use atoll_blocks::simulate::{Event, Link, Reply, World};
use std::collections::BTreeMap;
use std::time::Duration;

const MIB: u64 = 1 << 20;
const FRAME: u64 = 4096;
const CHUNK_FRAMES: u32 = 1024;
const ROUNDS: u32 = 500;
const CALLERS: u32 = 3;

/// An origin: time to the first byte, bytes per second.
#[derive(Clone, Copy)]
struct Origin {
    name: &'static str,
    first_byte: Duration,
    bandwidth: f64,
}

const ORIGINS: [Origin; 2] = [
    Origin { name: "20 ms, 100 MB/s", first_byte: Duration::from_millis(20), bandwidth: 100e6 },
    Origin { name: "1 ms, 500 MB/s", first_byte: Duration::from_millis(1), bandwidth: 500e6 },
];

/// SplitMix64: the same table each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// One caller: when it comes, and what it reads.
#[derive(Clone, Copy)]
struct Caller {
    at: Duration,
    frame: u32,
    frames: u32,
}

fn world(origin: Origin, is_shared: bool) -> World {
    let link = Link { bandwidth: origin.bandwidth, is_shared };
    World::new(Config::default(), link, move |_| Reply { first_byte: origin.first_byte, fault: None })
}

/// A world in which an object was just opened.
fn opened(origin: Origin, is_shared: bool) -> World {
    let mut world = world(origin, is_shared);
    world.begin(origin.first_byte, 256 << 10);
    world
}

/// Lets the scheduler measure its upstream.
fn warm_up(world: &mut World) {
    for _ in 0..40 {
        let object = world.open(Layout::uniform(4 * MIB, FRAME, CHUNK_FRAMES));
        let _ = world.read(object, 0..1);
        while world.next(None).is_some() {}
        world.close(object);
    }
}

/// How long each caller waits.
fn round(world: &mut World, object: ObjectId, callers: &[Caller]) -> Vec<Duration> {
    let begun = world.now();
    let mut waiting = BTreeMap::new();
    let mut waits = vec![Duration::ZERO; callers.len()];
    let mut order: Vec<usize> = (0..callers.len()).collect();
    order.sort_by_key(|caller| callers[*caller].at);
    let mut note = |world: &World, waiting: &mut BTreeMap<_, usize>, event| {
        let Event::Woken(read) = event else { panic!("nothing fails here") };
        let caller = waiting.remove(&read).expect("who is woken waits");
        waits[caller] = world.now().saturating_sub(begun + callers[caller].at);
    };
    for caller in order {
        let Caller { at, frame, frames } = callers[caller];
        while let Some(event) = world.next(Some(begun + at)) {
            note(world, &mut waiting, event);
        }
        if let Answer::Waits(read) = world.read(object, frame..frame + frames) {
            waiting.insert(read, caller);
        }
    }
    while let Some(event) = world.next(None) {
        note(world, &mut waiting, event);
    }
    waits
}

struct Row {
    bound: f64,
    mean: f64,
    cold: f64,
    opened: f64,
    requests: f64,
    bytes: f64,
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Rounds of callers in objects of `chunks` chunks.
fn rounds(
    origin: Origin,
    is_shared: bool,
    chunks: u64,
    bound: impl Fn(&[Caller]) -> f64,
    callers: impl Fn(&mut Random) -> Vec<Caller>,
) -> Row {
    let mut random = Random(42);
    let one = |world: &mut World, random: &mut Random| {
        let object = world.open(Layout::uniform(chunks * 4 * MIB, FRAME, CHUNK_FRAMES));
        let callers = callers(random);
        let waits = round(world, object, &callers);
        world.close(object);
        let mean = waits.iter().map(|wait| milliseconds(*wait)).sum::<f64>() / waits.len() as f64;
        (mean, bound(&callers))
    };
    let first_rounds = |world: fn(Origin, bool) -> World, random: &mut Random| {
        (0..ROUNDS).map(|_| one(&mut world(origin, is_shared), random).0 / f64::from(ROUNDS)).sum()
    };
    let opened = first_rounds(opened, &mut Random(43));
    let cold = first_rounds(world, &mut random);
    let mut warm = world(origin, is_shared);
    warm_up(&mut warm);
    let before = warm.counts();
    let (mut mean, mut lower) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        let (took, bound) = one(&mut warm, &mut random);
        mean += took / f64::from(ROUNDS);
        lower += bound / f64::from(ROUNDS);
    }
    let per_chunk = f64::from(ROUNDS) * chunks as f64;
    let requests = (warm.counts().requests - before.requests) as f64 / per_chunk;
    let bytes = (warm.counts().bytes - before.bytes) as f64 / (per_chunk * 4.0 * MIB as f64);
    Row { bound: lower, mean, cold, opened, requests, bytes }
}

fn at_once(random: &mut Random, frames: u32, chunks: u32) -> Vec<Caller> {
    let places = u64::from(CHUNK_FRAMES / frames);
    let mut callers: Vec<Caller> = Vec::new();
    while callers.len() < CALLERS as usize {
        let chunk = if chunks > 1 { callers.len() as u32 } else { 0 };
        let frame = chunk * CHUNK_FRAMES + random.below(places) as u32 * frames;
        if callers.iter().all(|caller| caller.frame != frame) {
            callers.push(Caller { at: Duration::ZERO, frame, frames });
        }
    }
    callers
}

/// Callers that come while the chunk is being fetched.
fn staggered(random: &mut Random, origin: Origin, frames: u32) -> Vec<Caller> {
    let whole = origin.first_byte + Duration::from_secs_f64(4.0 * MIB as f64 / origin.bandwidth);
    let mut callers = at_once(random, frames, 1);
    for caller in &mut callers[1..] {
        caller.at = Duration::from_nanos(random.below(whole.as_nanos() as u64));
    }
    callers
}

/// What staggered callers wait for if each fault either waits for a transfer that will come to it, or has one of its
/// own that goes on from there, whichever is sooner, and nothing costs anything.
fn staggered_bound(origin: Origin, callers: &[Caller]) -> f64 {
    let mut order = callers.to_vec();
    order.sort_by_key(|caller| caller.at);
    let chunk = 4.0 * MIB as f64;
    // Where a transfer begins, and when.
    let mut cursors: Vec<(f64, f64)> = Vec::new();
    let mut sum = 0.0;
    for caller in order {
        let now = caller.at.as_secs_f64();
        let begin = f64::from(caller.frame) * FRAME as f64;
        let read = f64::from(caller.frames) * FRAME as f64 / origin.bandwidth;
        let arrives = |(place, at): &(f64, f64)| at + (begin - place).rem_euclid(chunk) / origin.bandwidth + read;
        let waits = cursors.iter().map(|cursor| (arrives(cursor) - now).max(0.0));
        let own = origin.first_byte.as_secs_f64() + read;
        let wait = waits.fold(f64::INFINITY, f64::min);
        if own < wait {
            cursors.push((begin, now + origin.first_byte.as_secs_f64()));
        }
        sum += wait.min(own);
    }
    sum * 1e3 / callers.len() as f64
}

/// A reader that reads an object from begin to end.
fn sequential(origin: Origin, bytes: u64) -> Row {
    let layout = Layout::uniform(bytes, 128 << 10, 32);
    let read_all = |world: &mut World| {
        let object = world.open(layout.clone());
        let begun = world.now();
        for frame in 0..layout.frames() {
            if let Answer::Waits(_) = world.read(object, frame..frame + 1) {
                let _ = world.next(None);
            }
        }
        let took = milliseconds(world.now().saturating_sub(begun));
        world.close(object);
        took
    };
    let (cold, opened) = (read_all(&mut world(origin, true)), read_all(&mut opened(origin, true)));
    let mut warm = world(origin, true);
    warm_up(&mut warm);
    let before = warm.counts();
    let mean = read_all(&mut warm);
    let chunks = bytes as f64 / (4.0 * MIB as f64);
    Row {
        bound: milliseconds(origin.first_byte) + bytes as f64 / origin.bandwidth * 1e3,
        mean,
        cold,
        opened,
        requests: (warm.counts().requests - before.requests) as f64 / chunks,
        bytes: (warm.counts().bytes - before.bytes) as f64 / bytes as f64,
    }
}

/// One fault in frames of 256 KiB that take 0.4 of that.
fn compressed(origin: Origin) -> Row {
    let frame = (256_u64 << 10) * 2 / 5;
    let offsets: Vec<u64> = (0..=64).map(|index| index * frame).collect();
    let layout = Layout::table(offsets.into(), 16);
    let one = |world: &mut World| {
        let object = world.open(layout.clone());
        let waits = round(world, object, &[Caller { at: Duration::ZERO, frame: 21, frames: 1 }]);
        world.close(object);
        milliseconds(waits[0])
    };
    let (cold, opened) = (one(&mut world(origin, true)), one(&mut opened(origin, true)));
    let mut warm = world(origin, true);
    warm_up(&mut warm);
    let before = warm.counts();
    let mean = one(&mut warm);
    Row {
        bound: milliseconds(origin.first_byte) + frame as f64 / origin.bandwidth * 1e3,
        mean,
        cold,
        opened,
        requests: (warm.counts().requests - before.requests) as f64,
        bytes: (warm.counts().bytes - before.bytes) as f64 / (16 * frame) as f64,
    }
}

fn print(case: &str, row: &Row) {
    let Row { bound, mean, cold, opened, requests, bytes } = row;
    println!(
        "  {case:<46}{bound:>9.3}{mean:>9.3}{:>8.3}{cold:>9.3}{opened:>9.3}{requests:>10.1}{bytes:>8.3}",
        mean / bound
    );
}

fn main() {
    for origin in ORIGINS {
        let first_byte = milliseconds(origin.first_byte);
        let transfer = move |bytes: u64| bytes as f64 / origin.bandwidth * 1e3;
        let alone = move |bytes: u64| move |_: &[Caller]| first_byte + transfer(bytes);
        let shared = move |bytes: u64| move |_: &[Caller]| first_byte + transfer(bytes * u64::from(CALLERS));
        println!("{}", origin.name);
        println!(
            "  {:<46}{:>9}{:>9}{:>8}{:>9}{:>9}{:>10}{:>8}",
            "case", "bound", "mean", "ratio", "cold", "opened", "requests", "bytes"
        );
        for is_shared in [false, true] {
            let how = if is_shared { "shared" } else { "own bandwidth" };
            for (bytes, frames) in [(FRAME, 1), (64 << 10, 16)] {
                let case = |what: &str| format!("{what}, {} KiB, {how}", bytes >> 10);
                let same = |random: &mut Random| at_once(random, frames, 1);
                let apart = |random: &mut Random| at_once(random, frames, CALLERS);
                if is_shared {
                    print(&case("3 callers, one chunk"), &rounds(origin, true, 1, shared(bytes), same));
                    print(&case("3 callers, 3 chunks"), &rounds(origin, true, 3, shared(bytes), apart));
                } else {
                    print(&case("3 callers, one chunk"), &rounds(origin, false, 1, alone(bytes), same));
                    print(&case("3 callers, 3 chunks"), &rounds(origin, false, 3, alone(bytes), apart));
                }
                let late = |random: &mut Random| staggered(random, origin, frames);
                let bound = |callers: &[Caller]| staggered_bound(origin, callers);
                print(&case("3 callers, staggered"), &rounds(origin, is_shared, 1, bound, late));
            }
        }
        print("4 MiB sequential", &sequential(origin, 4 * MIB));
        print("256 MiB sequential", &sequential(origin, 256 * MIB));
        print("one compressed frame of 256 KiB", &compressed(origin));
    }
}
