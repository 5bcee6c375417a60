//! How exact the object origin is: what answers take, beside what they should take by its shape.
//!
//! `cargo run --release -p atoll-test --example object_origin`. The client asks by one connection that stays
//! open, and looks for the answer without pause: waking it would take time that is not the origin's. Times are microseconds.

use atoll_test::object_origin::{Bandwidth, ObjectOrigin, Shape};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const ROUNDS: usize = 300;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "| shape | bytes | due | first byte: p50, p99 later | last byte: p50, p99 later |")?;
    writeln!(out, "| --- | --- | --- | --- | --- |")?;
    for (milliseconds, rate) in [(0, 0), (1, 500_000_000), (20, 100_000_000)] {
        let bandwidth = if rate == 0 { Bandwidth::Unlimited } else { Bandwidth::Shared(rate) };
        let shape = Shape { bandwidth, ..Shape::of(Duration::from_millis(milliseconds)) };
        let origin = ObjectOrigin::start(shape)?;
        origin.put("object", vec![1; 4 << 20]);
        for bytes in [4 << 10, 64 << 10, 1 << 20, 4 << 20] {
            let first = shape.first_byte;
            let last = first + Duration::from_secs_f64(if rate == 0 { 0.0 } else { bytes as f64 / rate as f64 });
            let times = measure(&origin, bytes)?;
            let later = |due: Duration, times: Vec<Duration>| {
                let mut later: Vec<i128> =
                    times.iter().map(|time| (time.as_nanos() as i128 - due.as_nanos() as i128) / 1000).collect();
                later.sort_unstable();
                format!("{}, {}", later[later.len() / 2], later[later.len() * 99 / 100])
            };
            writeln!(
                out,
                "| {milliseconds} ms, {} MB/s | {bytes} | {} | {} | {} |",
                rate / 1_000_000,
                last.as_micros(),
                later(first, times.iter().map(|(first, _)| *first).collect()),
                later(last, times.iter().map(|(_, last)| *last).collect()),
            )?;
        }
    }
    Ok(())
}

/// Times to the first and to the last byte of answers.
fn measure(origin: &ObjectOrigin, bytes: usize) -> std::io::Result<Vec<(Duration, Duration)>> {
    let mut socket = TcpStream::connect(origin.address())?;
    socket.set_nodelay(true)?;
    let request = format!("GET /object HTTP/1.1\r\nHost: origin\r\nRange: bytes=0-{}\r\n\r\n", bytes - 1);
    socket.set_nonblocking(true)?;
    let mut buffer = vec![0; 1 << 20];
    let read = |socket: &mut TcpStream, buffer: &mut [u8]| loop {
        match socket.read(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => std::hint::spin_loop(),
            result => return result,
        }
    };
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        socket.write_all(request.as_bytes())?;
        let mut received = read(&mut socket, &mut buffer)?;
        let first = start.elapsed();
        let head = buffer.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |end| end + 4);
        while received < head + bytes {
            received += read(&mut socket, &mut buffer)?;
        }
        times.push((first, start.elapsed()));
    }
    Ok(times)
}
