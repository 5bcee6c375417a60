//! What reading 4 KiB from the cache costs beside a bare `pread` of the same file:
//! `cargo run --release -p atoll-blocks --example cached_read -- DIRECTORY`.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark works on the host's files")]

use atoll_blocks::cache::{Cache, Limits, Lookup, Stored};
use atoll_blocks::frames::{Packing, pack};
use std::fs::File;
use std::io::{self, Cursor};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Instant;

const BYTES: u64 = 256 << 20;
const READ_BYTES: u64 = 4096;
const READS: u64 = 200_000;
/// Rounds of each, in turn: the machine's moods meet both.
const ROUNDS: usize = 15;

/// Nanoseconds of a read, by reads at random places.
fn measure(mut read: impl FnMut(u64, &mut [u8]) -> io::Result<()>) -> io::Result<f64> {
    let mut buffer = [0; READ_BYTES as usize];
    let mut random = 1_u64;
    let begun = Instant::now();
    for _ in 0..READS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        read((random >> 20) % (BYTES / READ_BYTES) * READ_BYTES, &mut buffer)?;
    }
    Ok(begun.elapsed().as_nanos() as f64 / READS as f64)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = PathBuf::from(std::env::args_os().nth(1).ok_or("name a directory that the cache may be in")?);
    let mut object = Cursor::new(Vec::new());
    let header = pack(&mut io::repeat(7), BYTES, Packing::default(), &mut object)?;
    let cache = Cache::open(&directory, Limits { bytes_max: u64::MAX, free_bytes_min: 0 })?;
    let cached = cache.object(&header)?;
    let content = vec![7; header.frame_bytes() as usize];
    for frame in 0..header.frames() {
        if cached.store(frame, &content)? == Stored::Full {
            return Err("the disk is full".into());
        }
    }
    let file = File::open(directory.join(format!("{}.data", cached.identity())))?;
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(measure(|offset, buffer| file.read_exact_at(buffer, offset))?);
        ours.push(measure(|offset, buffer| match cached.read(offset, buffer)? {
            Lookup::Hit => Ok(()),
            Lookup::Watched(_) | Lookup::Miss => Err(io::ErrorKind::NotFound.into()),
        })?);
    }
    let (bare, ours) = (median(&mut bare), median(&mut ours));
    println!("pread {bare:.0} ns, cache {ours:.0} ns, {:.3} ×", ours / bare);
    Ok(())
}
