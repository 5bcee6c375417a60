//! Many machines start at once from one store, in virtual time: `cargo run --release -p atoll-blocks --example fleet --
//! 10 1000`, with the numbers of machines.
//!
//! Each has the scheduler that would serve it, and reads the same frames of the same object, one after the other.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use atoll_blocks::schedule::Layout;
use atoll_blocks::simulate::{Fleet, Store};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;
const FRAME: u64 = 128 << 10;
/// What a start reads, in this order: 24 frames in 5 of the 64 chunks of the object.
const READS: [u32; 24] =
    [0, 1, 40, 41, 42, 7, 300, 301, 60, 8, 310, 9, 1000, 1001, 1002, 1003, 61, 311, 312, 10, 11, 1010, 50, 1030];
const FRAMES: u64 = 2048;

/// The value that so many of a hundred are at most, in milliseconds.
fn percentile(values: &mut [Duration], of_hundred: usize) -> f64 {
    values.sort_unstable();
    values[(values.len() - 1) * of_hundred / 100].as_secs_f64() * 1e3
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "{:>9}{:>12}{:>10}{:>10}{:>8}{:>13}{:>13}{:>13}{:>13}{:>9}{:>9}",
        "machines",
        "requests",
        "refused",
        "GiB",
        "failed",
        "first p50",
        "first p99",
        "all p50",
        "all p99",
        "took",
        "memory"
    );
    for machines in std::env::args().skip(1) {
        let count: NonZeroUsize = machines.parse().map_err(|error| format!("{machines}: {error}"))?;
        let machines = count.get();
        let began = Instant::now();
        let mut fleet = Fleet::new(machines, Store::default(), Layout::uniform(FRAMES * FRAME, FRAME, 32), &READS);
        let mut outcome = fleet.run();
        assert_eq!((outcome.first_reads.len(), outcome.all_reads.len()), (machines, machines), "every machine starts");
        println!(
            "{machines:>9}{:>12}{:>10}{:>10.1}{:>8}{:>10.0} ms{:>10.0} ms{:>10.0} ms{:>10.0} ms{:>7.0} s{:>5} MiB",
            outcome.requests,
            outcome.refused,
            outcome.bytes as f64 / (MIB << 10) as f64,
            outcome.failed_reads,
            percentile(&mut outcome.first_reads, 50),
            percentile(&mut outcome.first_reads, 99),
            percentile(&mut outcome.all_reads, 50),
            percentile(&mut outcome.all_reads, 99),
            began.elapsed().as_secs_f64(),
            atoll_sys::memory::resident_bytes()? / MIB,
        );
    }
    Ok(())
}
