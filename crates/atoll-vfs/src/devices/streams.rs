//! What the embedder provides.

use crate::Errno;

/// A stream that a guest writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// The standard streams of a guest, behind `/dev/stdin`, `/dev/stdout` and `/dev/stderr`.
///
/// The calls are made on the thread that runs the guest, or on one that works for it, and may be made by several at
/// once. An implementation that waits keeps that thread.
pub trait StandardStreams: Send + Sync + std::fmt::Debug {
    /// Reads into `buffer`, as many bytes as there are; waits for the first one. 0 at the end.
    fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno>;

    /// Writes, all of `data` or less: how many bytes.
    fn write(&self, stream: OutputStream, data: &[u8]) -> Result<usize, Errno>;
}
