//! The scheduler against the limits of physics, in virtual time: `cargo run --release -p atoll-blocks --example
//! simulate`.
//!
//! Each row is the mean over the callers of many rounds, each with a new object, by a scheduler that has measured its
//! upstream before; `cold` is by one that has not, in its first round, and `opened` by one that has seen no more of it than
//! the object's first 256 KiB. Times are milliseconds.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use atoll_blocks::limits::{CALLERS, CHUNK_BYTES, Draw, Line, Read};
use atoll_blocks::schedule::{Answer, Config, Layout, ObjectId};
use atoll_blocks::simulate::{Event, Link, Reply, World};
use std::collections::BTreeMap;
use std::time::Duration;

const MIB: u64 = 1 << 20;
const FRAME: u64 = 4096;
const CHUNK_FRAMES: u32 = (CHUNK_BYTES / FRAME) as u32;
const ROUNDS: u32 = 500;

const LINES: [(&str, Line); 2] = [("20 ms, 100 MB/s", Line::REGION), ("1 ms, 500 MB/s", Line::NEARBY)];

fn world(line: Line, is_shared: bool) -> World {
    let link = Link { bandwidth: line.bandwidth, is_shared };
    World::new(Config::default(), link, move |_| Reply { first_byte: line.first_byte, fault: None })
}

/// A world in which an object was just opened.
fn opened(line: Line, is_shared: bool) -> World {
    let mut world = world(line, is_shared);
    world.begin(line.first_byte, 256 << 10);
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
fn round(world: &mut World, object: ObjectId, reads: &[Read]) -> Vec<Duration> {
    let begun = world.now();
    let mut waiting = BTreeMap::new();
    let mut waits = vec![Duration::ZERO; reads.len()];
    let mut order: Vec<usize> = (0..reads.len()).collect();
    order.sort_by_key(|caller| reads[*caller].at);
    let mut note = |world: &World, waiting: &mut BTreeMap<_, usize>, event| {
        let Event::Woken(read) = event else { panic!("nothing fails here") };
        let caller = waiting.remove(&read).expect("who is woken waits");
        waits[caller] = world.now().saturating_sub(begun + reads[caller].at);
    };
    for caller in order {
        let Read { at, offset, bytes } = reads[caller];
        while let Some(event) = world.next(Some(begun + at)) {
            note(world, &mut waiting, event);
        }
        let frames = (offset / FRAME) as u32..(offset + bytes).div_ceil(FRAME) as u32;
        if let Answer::Waits(read) = world.read(object, frames) {
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
    line: Line,
    is_shared: bool,
    chunks: u64,
    bound: impl Fn(&[Read]) -> Duration,
    reads: impl Fn(&mut Draw) -> Vec<Read>,
) -> Row {
    let mut draw = Draw::new(42);
    let one = |world: &mut World, draw: &mut Draw| {
        let object = world.open(Layout::uniform(chunks * 4 * MIB, FRAME, CHUNK_FRAMES));
        let reads = reads(draw);
        let waits = round(world, object, &reads);
        world.close(object);
        let mean = waits.iter().map(|wait| milliseconds(*wait)).sum::<f64>() / waits.len() as f64;
        (mean, milliseconds(bound(&reads)))
    };
    let first_rounds = |world: fn(Line, bool) -> World, draw: &mut Draw| {
        (0..ROUNDS).map(|_| one(&mut world(line, is_shared), draw).0 / f64::from(ROUNDS)).sum()
    };
    let opened = first_rounds(opened, &mut Draw::new(43));
    let cold = first_rounds(world, &mut draw);
    let mut warm = world(line, is_shared);
    warm_up(&mut warm);
    let before = warm.counts();
    let (mut mean, mut lower) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        let (took, bound) = one(&mut warm, &mut draw);
        mean += took / f64::from(ROUNDS);
        lower += bound / f64::from(ROUNDS);
    }
    let per_chunk = f64::from(ROUNDS) * chunks as f64;
    let requests = (warm.counts().requests - before.requests) as f64 / per_chunk;
    let bytes = (warm.counts().bytes - before.bytes) as f64 / (per_chunk * 4.0 * MIB as f64);
    Row { bound: lower, mean, cold, opened, requests, bytes }
}

/// A reader that reads an object from begin to end.
fn sequential(line: Line, bytes: u64) -> Row {
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
    let (cold, opened) = (read_all(&mut world(line, true)), read_all(&mut opened(line, true)));
    let mut warm = world(line, true);
    warm_up(&mut warm);
    let before = warm.counts();
    let mean = read_all(&mut warm);
    let chunks = bytes as f64 / (4.0 * MIB as f64);
    Row {
        bound: milliseconds(line.wait(bytes)),
        mean,
        cold,
        opened,
        requests: (warm.counts().requests - before.requests) as f64 / chunks,
        bytes: (warm.counts().bytes - before.bytes) as f64 / bytes as f64,
    }
}

/// One fault in frames of 256 KiB that take 0.4 of that.
fn compressed(line: Line) -> Row {
    let frame = (256_u64 << 10) * 2 / 5;
    let offsets: Vec<u64> = (0..=64).map(|index| index * frame).collect();
    let layout = Layout::table(offsets.into(), 16);
    let one = |world: &mut World| {
        let object = world.open(layout.clone());
        let begun = world.now();
        let _ = world.read(object, 21..22);
        let _ = world.next(None);
        let took = milliseconds(world.now().saturating_sub(begun));
        while world.next(None).is_some() {}
        world.close(object);
        took
    };
    let (cold, opened) = (one(&mut world(line, true)), one(&mut opened(line, true)));
    let mut warm = world(line, true);
    warm_up(&mut warm);
    let before = warm.counts();
    let mean = one(&mut warm);
    Row {
        bound: milliseconds(line.wait(frame)),
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
    for (name, line) in LINES {
        let alone = move |bytes: u64| move |_: &[Read]| line.wait(bytes);
        let shared = move |bytes: u64| move |_: &[Read]| line.wait(bytes * u64::from(CALLERS));
        println!("{name}");
        println!(
            "  {:<46}{:>9}{:>9}{:>8}{:>9}{:>9}{:>10}{:>8}",
            "case", "bound", "mean", "ratio", "cold", "opened", "requests", "bytes"
        );
        for is_shared in [false, true] {
            let how = if is_shared { "shared" } else { "own bandwidth" };
            for bytes in [FRAME, 64 << 10] {
                let case = |what: &str| format!("{what}, {} KiB, {how}", bytes >> 10);
                let same = |draw: &mut Draw| draw.at_once(bytes, false);
                let apart = |draw: &mut Draw| draw.at_once(bytes, true);
                if is_shared {
                    print(&case("3 callers, one chunk"), &rounds(line, true, 1, shared(bytes), same));
                    print(&case("3 callers, 3 chunks"), &rounds(line, true, 3, shared(bytes), apart));
                } else {
                    print(&case("3 callers, one chunk"), &rounds(line, false, 1, alone(bytes), same));
                    print(&case("3 callers, 3 chunks"), &rounds(line, false, 3, alone(bytes), apart));
                }
                let late = |draw: &mut Draw| draw.staggered(bytes, &line);
                let bound = |reads: &[Read]| line.wait_staggered(reads);
                print(&case("3 callers, staggered"), &rounds(line, is_shared, 1, bound, late));
            }
        }
        print("4 MiB sequential", &sequential(line, 4 * MIB));
        print("256 MiB sequential", &sequential(line, 256 * MIB));
        print("one compressed frame of 256 KiB", &compressed(line));
    }
}
