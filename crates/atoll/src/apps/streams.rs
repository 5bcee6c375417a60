//! The standard streams of this process as a program's own.

use atoll_node::InputSource;
use atoll_vfs::{Errno, OutputStream, StandardStreams};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};

/// Bytes that are read at once: what a pipe holds.
const INPUT_BYTES: usize = 65_536;

/// Behind `/dev/stdin`, `/dev/stdout` and `/dev/stderr`.
#[derive(Debug)]
pub(crate) struct ProcessStreams {
    /// The program's end by the clock. A read waits until then at most: the thread that waits is the one that ends the
    /// program.
    deadline: Option<Instant>,
}

impl ProcessStreams {
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        Self { deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)) }
    }

    /// Waits until there is something to read, or the end of it; fails when the program's time is over.
    fn wait(&self) -> Result<(), Errno> {
        let Some(deadline) = self.deadline else { return Ok(()) };
        let left = deadline.saturating_duration_since(Instant::now());
        match atoll_sys::readiness::wait_readable(std::io::stdin(), left) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Errno::EINTR),
            Err(error) => Err(errno(&error)),
        }
    }
}

impl StandardStreams for ProcessStreams {
    fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.wait()?;
        std::io::stdin().lock().read(buffer).map_err(|error| errno(&error))
    }

    fn write(&self, stream: OutputStream, data: &[u8]) -> Result<usize, Errno> {
        let written = match stream {
            OutputStream::Out => {
                let mut out = std::io::stdout().lock();
                out.write(data).and_then(|count| out.flush().map(|()| count))
            }
            OutputStream::Err => std::io::stderr().lock().write(data),
        };
        written.map_err(|error| errno(&error))
    }
}

type Chunk = io::Result<Vec<u8>>;

/// `process.stdin`: read by a thread of its own, from the first time that somebody wants to know, one chunk ahead. The thread
/// may wait for ever; it ends with the process.
#[derive(Debug, Default)]
pub(crate) struct ProcessInput {
    chunks: OnceLock<Arc<Mutex<mpsc::Receiver<Chunk>>>>,
}

impl InputSource for ProcessInput {
    fn read(&self) -> BoxFuture<'static, Chunk> {
        let chunks = Arc::clone(self.chunks.get_or_init(|| Arc::new(Mutex::new(start_reading()))));
        // Once the thread is gone there is nothing more.
        async move { chunks.lock().await.recv().await.unwrap_or_else(|| Ok(Vec::new())) }.boxed()
    }
}

fn start_reading() -> mpsc::Receiver<Chunk> {
    let (sender, receiver) = mpsc::channel(1);
    let failed = sender.clone();
    let read = move || {
        loop {
            let mut chunk = vec![0; INPUT_BYTES];
            let read = std::io::stdin().lock().read(&mut chunk).map(|count| {
                chunk.truncate(count);
                chunk
            });
            match read {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(chunk) if chunk.is_empty() => return,
                read => {
                    let is_over = read.is_err();
                    if sender.blocking_send(read).is_err() || is_over {
                        return;
                    }
                }
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("atoll-stdin".to_owned()).spawn(read) {
        // There is room: nothing was sent.
        let _ = failed.try_send(Err(error));
    }
    receiver
}

fn errno(error: &std::io::Error) -> Errno {
    match error.kind() {
        ErrorKind::Interrupted => Errno::EINTR,
        ErrorKind::WouldBlock => Errno::EAGAIN,
        ErrorKind::BrokenPipe => Errno::EPIPE,
        ErrorKind::IsADirectory => Errno::EISDIR,
        _ => Errno::EIO,
    }
}
