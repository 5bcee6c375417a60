//! A tarball on its way from the threads that download to one that unpacks it meanwhile.

use std::{
    io::{self, BufRead, Read},
    sync::Arc,
};

use bytes::{Buf, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::integrity::Hasher;

/// Bytes on their way, 1 MiB, or one chunk that is longer. They come in chunks of what the HTTP client has read at once.
const QUEUE_BYTES_MAX: usize = 1 << 20;

/// A way for chunks, which has `start` on it already, and hashes what is read of it.
pub(super) fn arriving(start: Bytes, hasher: Hasher) -> (Sender, Arriving) {
    let (sender, queue) = mpsc::unbounded_channel();
    let current = Queued { chunk: start, _room: None };
    let sender = Sender { queue: sender, room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)) };
    (sender, Arriving { current, queue, is_over: false, hasher })
}

/// Where chunks are put. Dropped without [`Sender::end`], it says that the download broke off.
pub(super) struct Sender {
    queue: mpsc::UnboundedSender<Option<Queued>>,
    room: Arc<Semaphore>,
}

/// A chunk on its way.
struct Queued {
    chunk: Bytes,
    /// What it takes of the way.
    _room: Option<OwnedSemaphorePermit>,
}

impl Sender {
    /// Puts a chunk there as soon as there is room; whether there is still a reader.
    pub(super) async fn send(&self, chunk: Bytes) -> bool {
        let bytes = u32::try_from(chunk.len().min(QUEUE_BYTES_MAX)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await.ok();
        self.queue.send(Some(Queued { chunk, _room: room })).is_ok()
    }

    /// That was all.
    pub(super) fn end(self) {
        // A reader that is gone has an error of its own.
        let _ = self.queue.send(None);
    }
}

/// Reads chunks as they come, and hashes them.
pub(super) struct Arriving {
    current: Queued,
    /// `Some(chunk)`, then `None` at the end. A queue that closes without `None` was cut off.
    queue: mpsc::UnboundedReceiver<Option<Queued>>,
    is_over: bool,
    /// Of all that was consumed.
    pub(super) hasher: Hasher,
}

impl BufRead for Arriving {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.chunk.is_empty() && !self.is_over {
            // The next one may need the room of this one.
            self.current = Queued { chunk: Bytes::new(), _room: None };
            match self.queue.blocking_recv() {
                Some(Some(queued)) => self.current = queued,
                Some(None) => self.is_over = true,
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the download broke off")),
            }
        }
        Ok(&self.current.chunk)
    }

    fn consume(&mut self, count: usize) {
        self.hasher.update(&self.current.chunk[..count]);
        self.current.chunk.advance(count);
    }
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use futures_util::poll;

    use super::*;
    use crate::integrity::Integrity;

    fn pair(start: &'static [u8]) -> (Sender, Arriving) {
        let integrity = Integrity::parse("sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=").unwrap();
        arriving(Bytes::from_static(start), integrity.hasher())
    }

    #[tokio::test]
    async fn chunks_of_all_sizes_arrive_in_their_order() {
        let (sender, mut arriving) = pair(b"start");
        let reader = thread::spawn(move || {
            let mut content = Vec::new();
            arriving.read_to_end(&mut content).map(|_| content)
        });
        let mut expected = b"start".to_vec();
        // Each is more than the one before leaves, and some are more than there is at all.
        for (bytes, value) in
            [700 << 10, 1, 700 << 10, 900 << 10, 3 << 20, 3 << 20, 0, 5, 1 << 20, 1].into_iter().zip(0..)
        {
            let chunk = vec![value; bytes];
            expected.extend_from_slice(&chunk);
            // What is read makes room within moments; it is not waited for without end.
            assert!(tokio::time::timeout(Duration::from_secs(30), sender.send(chunk.into())).await.unwrap());
        }
        sender.end();
        assert!(reader.join().unwrap().unwrap() == expected);
    }

    #[tokio::test]
    async fn what_is_not_read_holds_the_sender() {
        let (sender, mut arriving) = pair(b"");
        let chunk = || Bytes::from(vec![0; QUEUE_BYTES_MAX / 2]);
        assert!(sender.send(chunk()).await && sender.send(chunk()).await);
        let mut third = Box::pin(sender.send(chunk()));
        assert!(poll!(&mut third).is_pending());
        let reader = thread::spawn(move || {
            for _ in 0..2 {
                let length = arriving.fill_buf().unwrap().len();
                arriving.consume(length);
            }
            arriving
        });
        let _arriving = reader.join().unwrap();
        assert!(third.await);
    }

    #[tokio::test]
    async fn a_download_that_breaks_off_is_an_error_and_a_reader_that_is_gone_ends_it() {
        let (sender, mut arriving) = pair(b"start");
        drop(sender);
        let error = thread::spawn(move || arriving.read_to_end(&mut Vec::new()).unwrap_err()).join().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let (sender, arriving) = pair(b"");
        let chunk = Bytes::from(vec![0; QUEUE_BYTES_MAX]);
        assert!(sender.send(chunk.clone()).await);
        let mut second = Box::pin(sender.send(chunk));
        assert!(poll!(&mut second).is_pending());
        drop(arriving);
        assert!(!second.await);
    }
}
