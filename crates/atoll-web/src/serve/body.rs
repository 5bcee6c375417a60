//! Bodies on their way between the host's HTTP and the guest's streams.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::{Mutex, mpsc, watch};

/// Chunks of a response that may wait for the client: one being written, one ready, so that the guest is at most two
/// ahead and its memory, not ours, holds what it made too early.
const RESPONSE_CHUNKS: usize = 2;

/// Why a body ended early.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BodyError {
    /// The connection failed or the client left.
    #[error("the connection was lost")]
    Disconnected,
    /// It is longer than the host admits.
    #[error("it is longer than the limit of {limit_bytes} bytes")]
    TooLong {
        /// The limit.
        limit_bytes: u64,
    },
    /// The guest's stream failed, or the guest was ended by force.
    #[error("the worker did not finish it")]
    Unfinished,
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// The body of a request.
#[derive(Debug, Clone)]
pub enum RequestBody {
    /// All of it, which came with the head. The guest reads it without waiting.
    Whole(Bytes),
    /// What is still to come.
    Chunks(RequestChunks),
}

impl RequestBody {
    /// A body of these chunks.
    pub fn new(chunks: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static) -> Self {
        Self::Chunks(RequestChunks(Arc::new(Mutex::new(Some(Box::pin(chunks))))))
    }
}

/// A body that is read chunk by chunk.
#[derive(Clone)]
pub struct RequestChunks(Arc<Mutex<Option<Chunks>>>);

impl std::fmt::Debug for RequestChunks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RequestChunks").finish_non_exhaustive()
    }
}

impl RequestChunks {
    /// The next chunk, `None` at the end. Reads are answered in the order in which they were asked for.
    pub(super) async fn next(&self) -> Option<Result<Bytes, BodyError>> {
        let mut chunks = self.0.lock().await;
        let next = chunks.as_mut()?.next().await;
        if !matches!(next, Some(Ok(_))) {
            *chunks = None;
        }
        next
    }
}

/// What a chunk met.
pub(super) enum SendError {
    /// No room yet; the chunk comes back.
    Full(Bytes),
    /// The client is gone.
    Closed,
}

/// The guest's end of a streamed response.
#[derive(Debug, Clone)]
pub(super) struct ResponseSender(mpsc::Sender<Bytes>);

impl ResponseSender {
    pub(super) fn try_send(&self, chunk: Bytes) -> Result<(), SendError> {
        self.0.try_send(chunk).map_err(|error| match error {
            mpsc::error::TrySendError::Full(chunk) => SendError::Full(chunk),
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })
    }

    /// Waits for room; false when the client is gone, or the body was cut off, which `gone` tells.
    pub(super) async fn send(self, chunk: Bytes, mut gone: watch::Receiver<bool>) -> bool {
        tokio::select! {
            sent = self.0.send(chunk) => sent.is_ok(),
            // Without a sender the exchange is over, and what it has sent still finds its way.
            Ok(_) = gone.wait_for(|gone| *gone) => false,
        }
    }
}

enum Content {
    Full(Option<Bytes>),
    /// The receiver of chunks, and whether the guest said that the body is complete.
    Stream(mpsc::Receiver<Bytes>, watch::Receiver<bool>),
}

/// The body of a response. Dropping it before its end tells the guest that the client is gone.
pub struct ResponseBody {
    content: Content,
    gone: Option<watch::Sender<bool>>,
}

impl std::fmt::Debug for ResponseBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl ResponseBody {
    /// A body that is there already.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self { content: Content::Full(Some(bytes.into())), gone: None }
    }

    /// A body that is written while it is sent: its sender, the way to say that it is complete, and itself.
    pub(super) fn stream() -> (ResponseSender, watch::Sender<bool>, Self) {
        let (sender, receiver) = mpsc::channel(RESPONSE_CHUNKS);
        let (complete, is_complete) = watch::channel(false);
        (ResponseSender(sender), complete, Self { content: Content::Stream(receiver, is_complete), gone: None })
    }

    /// Who is told when the client leaves before the end.
    pub(super) fn notify(&mut self, gone: watch::Sender<bool>) {
        self.gone = Some(gone);
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = match &mut self.content {
            Content::Full(bytes) => bytes.take().filter(|bytes| !bytes.is_empty()).map(Ok),
            Content::Stream(chunks, is_complete) => match ready!(chunks.poll_recv(context)) {
                Some(chunk) => Some(Ok(chunk)),
                None if *is_complete.borrow() => None,
                None => Some(Err(BodyError::Unfinished)),
            },
        };
        if !matches!(next, Some(Ok(_))) {
            // Served, or failed by the guest itself: no one left.
            self.gone = None;
        }
        Poll::Ready(next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Full(bytes) if bytes.as_ref().is_none_or(Bytes::is_empty))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Content::Stream(..) => SizeHint::default(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(gone) = self.gone.take() {
            gone.send_replace(true);
        }
    }
}
