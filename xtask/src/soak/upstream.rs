//! The server that guests reach by `fetch`: it echoes, and remembers what it was told.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Failure;

/// Longest wait for the work after responses, once nothing else is under way.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two looks at what was told.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Ids of requests whose work after the response is to be done, and that of which it was.
#[derive(Debug, Default)]
struct Told {
    promised: HashSet<String>,
    done: HashSet<String>,
}

/// A running upstream. Its threads end with the process.
#[derive(Debug)]
pub(super) struct Upstream {
    port: u16,
    told: Arc<Mutex<Told>>,
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Upstream {
    pub(super) fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let told = Arc::new(Mutex::new(Told::default()));
        let heard = Arc::clone(&told);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = Arc::clone(&heard);
                // A guest that is ended leaves its connections; that is no failure of the upstream's.
                std::thread::spawn(move || drop(serve(&stream, &heard)));
            }
        });
        Ok(Self { port, told })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// A client has the answer to a request whose work comes afterwards.
    pub(super) fn promise(&self, id: &str) {
        lock(&self.told).promised.insert(id.to_owned());
    }

    /// Waits until all work that was promised is done.
    pub(super) fn check_all_done(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            let missing = {
                let told = lock(&self.told);
                let mut missing = told.promised.difference(&told.done);
                missing.next().map(|one| (one.clone(), missing.count() + 1, told.promised.len()))
            };
            let Some((one, count, all)) = missing else { return Ok(()) };
            if begun.elapsed() > PATIENCE {
                return Err(format!("the work after {count} of {all} responses was not done, {one} among them").into());
            }
            std::thread::sleep(LOOK_PAUSE);
        }
    }
}

/// Answers the requests of a connection, which have no bodies.
fn serve(stream: &TcpStream, told: &Mutex<Told>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        if let Some(id) = path.strip_prefix("/done/") {
            lock(told).done.insert(id.to_owned());
        }
        let body = path.strip_prefix("/echo/").unwrap_or("done");
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        (&mut &*stream).write_all(answer.as_bytes())?;
    }
}
