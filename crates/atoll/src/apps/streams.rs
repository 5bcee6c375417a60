//! The standard streams of this process as a program's own.

use atoll_vfs::{Errno, OutputStream, StandardStreams};
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

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

fn errno(error: &std::io::Error) -> Errno {
    match error.kind() {
        ErrorKind::Interrupted => Errno::EINTR,
        ErrorKind::WouldBlock => Errno::EAGAIN,
        ErrorKind::BrokenPipe => Errno::EPIPE,
        ErrorKind::IsADirectory => Errno::EISDIR,
        _ => Errno::EIO,
    }
}
