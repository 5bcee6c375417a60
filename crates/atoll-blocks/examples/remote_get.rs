//! What a range of a remote object costs the processor, beside the same range by the HTTP client alone and by a bare socket:
//! `cargo run --release -p atoll-blocks --example remote_get`. The origin is on loopback; only the client's thread counts.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use atoll_blocks::upstream::{Remote, store_for};
use atoll_http::Tls;
use atoll_sys::clock::thread_cpu_time;
use atoll_test::object_origin::{ObjectOrigin, Shape};
use futures_util::StreamExt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const OBJECT_BYTES: u64 = 64 << 20;
const REQUESTS: u64 = 300;
/// Rounds of each, in turn: the machine's moods meet all.
const ROUNDS: usize = 9;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("| bytes | `Remote::get`, µs | HTTP client alone | socket alone |\n| --- | --- | --- | --- |");
        for bytes in [4 << 10, 128 << 10, 1 << 20] {
            let origin = ObjectOrigin::start(Shape::of(Duration::ZERO))?;
            origin.put("object", vec![1; OBJECT_BYTES as usize]);
            let (mut remotes, mut clients, mut sockets) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                remotes.push(by_remote(&origin, bytes).await?);
                clients.push(by_client(&origin, bytes).await?);
                sockets.push(by_socket(&origin, bytes)?);
            }
            let [remote, client, socket] = [remotes, clients, sockets].map(|mut times| {
                times.sort_unstable();
                times[ROUNDS / 2].as_secs_f64() * 1e6 / REQUESTS as f64
            });
            println!("| {bytes} | {remote:.1} | {client:.1} | {socket:.1} |");
        }
        Ok(())
    })
}

fn start_of(request: u64, bytes: u64) -> u64 {
    request * bytes % (OBJECT_BYTES - bytes)
}

async fn by_remote(origin: &ObjectOrigin, bytes: u64) -> Result<Duration, Failure> {
    let (store, location) = store_for(&origin.url("object"), [])?;
    let (remote, _) = Remote::open(store, location, 1).await?;
    let begun = thread_cpu_time();
    for request in 0..REQUESTS {
        let start = start_of(request, bytes);
        let mut body = remote.get(start..start + bytes).await?;
        while let Some(piece) = body.next().await {
            piece?;
        }
    }
    Ok(thread_cpu_time().saturating_sub(begun))
}

async fn by_client(origin: &ObjectOrigin, bytes: u64) -> Result<Duration, Failure> {
    let tls = Tls::of_system()?.config;
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).http1_only().no_proxy().build()?;
    let url = origin.url("object");
    client.get(&url).header("range", "bytes=0-0").send().await?.bytes().await?;
    let begun = thread_cpu_time();
    for request in 0..REQUESTS {
        let start = start_of(request, bytes);
        let range = format!("bytes={start}-{}", start + bytes - 1);
        let mut body = client.get(&url).header("range", range).send().await?.bytes_stream();
        while let Some(piece) = body.next().await {
            piece?;
        }
    }
    Ok(thread_cpu_time().saturating_sub(begun))
}

fn by_socket(origin: &ObjectOrigin, bytes: u64) -> Result<Duration, Failure> {
    let mut socket = TcpStream::connect(origin.address())?;
    let mut buffer = vec![0; 256 << 10];
    let begun = thread_cpu_time();
    for request in 0..REQUESTS {
        let start = start_of(request, bytes);
        let range =
            format!("GET /object HTTP/1.1\r\nHost: origin\r\nRange: bytes={start}-{}\r\n\r\n", start + bytes - 1);
        socket.write_all(range.as_bytes())?;
        let mut received = socket.read(&mut buffer)?;
        let head = buffer[..received].windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |end| end + 4);
        while received < head + bytes as usize {
            received += socket.read(&mut buffer)?;
        }
    }
    Ok(thread_cpu_time().saturating_sub(begun))
}
