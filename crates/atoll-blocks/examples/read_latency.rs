//! What a read that has to wait costs beyond the network: `cargo run --release -p atoll-blocks --example read_latency --
//! DIRECTORY`, with a directory for caches.
//!
//! An origin on loopback has the time to a first byte and the bandwidth of a network; the bound is what no system could beat
//! there: that time, and the frame's bytes at full bandwidth. Frames have 128 KiB and are stored raw. Times are milliseconds.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark works on the host's files")]

use atoll_blocks::cache::{Cache, Limits};
use atoll_blocks::frames::{FrameTable, Header, Identity, Packing, pack};
use atoll_blocks::reader::{Object, Reader, ReaderConfig};
use atoll_blocks::upstream::store_for;
use atoll_sys::timer::Timer;
use atoll_test::object_origin::{Bandwidth, ObjectOrigin, Shape};
use std::error::Error;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const FRAME: u64 = 128 << 10;
const CHUNK: u64 = 4 << 20;
const CHUNKS: u64 = 64;
const BYTES: u64 = CHUNK * CHUNKS;

struct Origin {
    name: &'static str,
    first_byte: Duration,
    bandwidth: u64,
}

const ORIGINS: [Origin; 2] = [
    Origin { name: "20 ms, 100 MB/s", first_byte: Duration::from_millis(20), bandwidth: 100_000_000 },
    Origin { name: "1 ms, 500 MB/s", first_byte: Duration::from_millis(1), bandwidth: 500_000_000 },
];

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn of_hundred(values: &mut [f64], of_hundred: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * of_hundred / 100]
}

fn print(case: &str, bound: f64, times: &mut [f64]) {
    let (median, late) = (of_hundred(times, 50), of_hundred(times, 90));
    println!("  {case:<40}{bound:>10.3}{median:>10.3}{late:>10.3}{:>10.3}", median / bound);
}

fn open(
    runtime: &Runtime,
    origin: &ObjectOrigin,
    identity: Identity,
    directory: &Path,
) -> Result<(Arc<Object>, Arc<Reader>), Box<dyn Error>> {
    let cache = Cache::open(directory, Limits { bytes_max: u64::MAX, free_bytes_min: 0 })?;
    let (store, location) = store_for(&origin.url("object"), [])?;
    let reader = Reader::new(runtime.handle().clone(), store, cache, ReaderConfig::default())?;
    let object = runtime.block_on(reader.open(location, identity))?;
    Ok((object, reader))
}

/// What a thread that drives requests does with a frame, and what it would take to have another thread do it. Microseconds,
/// medians.
fn frames(runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    println!("{:<46}{:>10}", "µs", "p50");
    for (bits, level, what) in [
        (17, None, "to verify a raw frame of 128 KiB"),
        (17, Some(3), "to verify and inflate one of 128 KiB"),
        (18, Some(3), "of 256 KiB"),
        (20, Some(3), "of 1 MiB"),
    ] {
        // Content that becomes half as long.
        let mut random = 1_u64;
        let words = (0..1_u64 << (bits - 3)).flat_map(|word| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (if word % 2 == 0 { random } else { word / 64 }).to_le_bytes()
        });
        let content: Vec<u8> = words.collect();
        let mut object = Cursor::new(Vec::new());
        let header = pack(&mut &content[..], content.len() as u64, Packing { frame_bits: bits, level }, &mut object)?;
        let object = bytes::Bytes::from(object.into_inner());
        let table = FrameTable::believe(&header, &object[Header::BYTES..header.frames_begin() as usize])?;
        let stored = object.slice(header.frames_begin() as usize..);
        let mut times: Vec<f64> = Vec::new();
        for _ in 0..301 {
            let began = Instant::now();
            table.content(0, stored.clone())?;
            times.push(milliseconds(began.elapsed()) * 1e3);
        }
        println!("{what:<46}{:>10.0}", of_hundred(&mut times, 50));
    }
    let mut hops = runtime.block_on(async {
        let hop = async {
            let mut times = Vec::new();
            for _ in 0..301 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let began = Instant::now();
                // It does nothing, and can't be cancelled.
                let _ = tokio::task::spawn_blocking(|| ()).await;
                times.push(milliseconds(began.elapsed()) * 1e3);
            }
            times
        };
        tokio::spawn(hop).await
    })?;
    println!("{:<46}{:>10.0}", "to another thread and back", of_hundred(&mut hops, 50));
    let mut late = runtime.block_on(async {
        let late = async {
            let timer = Timer::new()?.register()?;
            let mut times = Vec::new();
            for _ in 0..301 {
                let (began, after) = (Instant::now(), Duration::from_micros(300));
                timer.get_ref().set(after)?;
                timer.readable().await?.clear_ready();
                times.push(milliseconds(began.elapsed().saturating_sub(after)) * 1e3);
                timer.get_ref().take()?;
            }
            Ok::<_, std::io::Error>(times)
        };
        tokio::spawn(late).await
    })??;
    println!("{:<46}{:>10.0}", "by which a timer is late", of_hundred(&mut late, 50));
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::args_os().nth(1).ok_or("name a directory that caches may be in")?);
    let mut random = 1_u64;
    let content: Vec<u8> = (0..BYTES / 8)
        .flat_map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random.to_le_bytes()
        })
        .collect();
    let mut packed = Cursor::new(Vec::new());
    let header = pack(&mut &content[..], BYTES, Packing { frame_bits: 17, level: None }, &mut packed)?;
    let packed = packed.into_inner();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    frames(&runtime)?;
    for (number, Origin { name, first_byte, bandwidth }) in ORIGINS.into_iter().enumerate() {
        let shape = Shape { bandwidth: Bandwidth::Shared(bandwidth), ..Shape::of(first_byte) };
        let origin = ObjectOrigin::start(shape)?;
        origin.put("object", packed.clone());
        let transfer = |bytes: u64| bytes as f64 / bandwidth as f64 * 1e3;
        println!("{name}");
        println!("  {:<40}{:>10}{:>10}{:>10}{:>10}", "case", "bound", "p50", "p90", "ratio");
        let folder = directory.join(format!("{number}"));
        let (object, reader) = open(&runtime, &origin, header.identity(), &folder)?;
        let mut buffer = vec![0; FRAME as usize];
        // One frame of a chunk that nobody has read from, when nothing else is under way.
        let mut alone = Vec::new();
        for chunk in 0..CHUNKS {
            let began = Instant::now();
            object.read_blocking(chunk * CHUNK + 17 * FRAME, &mut buffer[..4096])?;
            alone.push(milliseconds(began.elapsed()));
            while reader.stats().fetched_bytes < (chunk + 1) * CHUNK - 2 * FRAME {
                std::thread::sleep(Duration::from_millis(2));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        print("4 KiB of one frame, alone", milliseconds(first_byte) + transfer(FRAME), &mut alone[1..]);
        runtime.block_on(reader.flush());
        let requests = reader.stats().schedule.requests;
        let mut cached: Vec<f64> = (0..10_000_u64)
            .map(|read| {
                let began = Instant::now();
                let _ = object.read_blocking(read * 7919 * 4096 % BYTES / 4096 * 4096, &mut buffer[..4096]);
                milliseconds(began.elapsed())
            })
            .collect();
        println!("  requests {requests:?}, cached read of 4 KiB: p50 {:.4} ms", of_hundred(&mut cached, 50));
        drop((object, reader));
        std::thread::sleep(Duration::from_millis(300));
        std::fs::remove_dir_all(&folder)?;
        // All of it in order, by 128 KiB.
        let (object, reader) = open(&runtime, &origin, header.identity(), &folder)?;
        let began = Instant::now();
        for frame in 0..BYTES / FRAME {
            object.read_blocking(frame * FRAME, &mut buffer)?;
        }
        let took = milliseconds(began.elapsed());
        print("256 MiB in sequence", milliseconds(first_byte) + transfer(BYTES), &mut [took]);
        println!("  requests {:?}", reader.stats().schedule.requests);
        drop((object, reader));
        std::thread::sleep(Duration::from_millis(300));
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}
