//! A TCP connection as hyper reads and writes it.
//!
//! hyper hands head and body of a response over as they are, in pieces. To copy small ones together and `send` them is
//! cheaper than `writev`, which has to look at each piece and takes the long way through the kernel's files.

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::TcpStream;

/// Pieces that are copied together, bytes in all; of more, the copy costs more than it saves.
const GATHERED_BYTES: usize = 2048;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Socket(TokioIo<TcpStream>);

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Without it a response in two writes waits for the client's delayed acknowledgement. Failing costs only that.
        let _ = stream.set_nodelay(true);
        Self(TokioIo::new(stream))
    }

    fn io(self: Pin<&mut Self>) -> Pin<&mut TokioIo<TcpStream>> {
        Pin::new(&mut self.get_mut().0)
    }
}

impl Read for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        self.io().poll_read(context, buffer)
    }
}

/// Copies the pieces into `gathered`, if all of them fit.
fn gather<'a>(pieces: &[IoSlice<'_>], gathered: &'a mut [u8; GATHERED_BYTES]) -> Option<&'a [u8]> {
    let mut length = 0;
    for piece in pieces {
        let end = length + piece.len();
        gathered.get_mut(length..end)?.copy_from_slice(piece);
        length = end;
    }
    gathered.get(..length)
}

impl Write for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.io().poll_write(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut gathered = [0; GATHERED_BYTES];
        match gather(pieces, &mut gathered) {
            Some(bytes) => self.io().poll_write(context, bytes),
            None => self.io().poll_write_vectored(context, pieces),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_gathered_in_their_order_if_all_fit() {
        let mut gathered = [0; GATHERED_BYTES];
        let long = vec![7; GATHERED_BYTES - 3];
        let pieces = |texts: &[&'static [u8]]| texts.iter().map(|text| IoSlice::new(text)).collect::<Vec<_>>();
        assert_eq!(gather(&pieces(&[b"head", b"", b"body"]), &mut gathered), Some(&b"headbody"[..]));
        assert_eq!(gather(&[], &mut gathered), Some(&b""[..]));
        let full = [IoSlice::new(b"abc"), IoSlice::new(&long)];
        assert_eq!(gather(&full, &mut gathered).map(<[u8]>::len), Some(GATHERED_BYTES));
        let too_long = [IoSlice::new(b"abc"), IoSlice::new(&long), IoSlice::new(b"d")];
        assert_eq!(gather(&too_long, &mut gathered), None);
    }
}
