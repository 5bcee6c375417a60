//! Short bodies, most of which come in the same packet as the head of their request.
//!
//! A guest that gets such a body with the request reads it without another turn: no operation, no wait, no stream. So a short
//! body is taken in before the guest is called, as far as it is there; nobody waits for what the client has not sent.

use atoll_web::{BodyError, RequestBody};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The longest body that is taken in ahead, bytes.
pub(crate) const SHORT_BYTES: u64 = 64 << 10;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// There until the end.
    body: Option<Incoming>,
    arrived: Arrived,
    /// The connection has had its chance to read on since the last chunk.
    looked: bool,
}

/// A body as far as it is there; one chunk is not copied.
#[derive(Debug)]
enum Arrived {
    One(Bytes),
    Several(BytesMut),
}

impl Arrived {
    fn push(&mut self, chunk: Bytes) {
        match self {
            Self::One(bytes) if bytes.is_empty() => *bytes = chunk,
            Self::One(bytes) => {
                let mut all = BytesMut::from(&**bytes);
                all.extend_from_slice(&chunk);
                *self = Self::Several(all);
            }
            Self::Several(all) => all.extend_from_slice(&chunk),
        }
    }

    fn take(&mut self) -> Bytes {
        match std::mem::replace(self, Self::One(Bytes::new())) {
            Self::One(bytes) => bytes,
            Self::Several(all) => all.freeze(),
        }
    }
}

impl Arrival {
    /// Of a body whose length is known and no more than [`SHORT_BYTES`].
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body: Some(body), arrived: Arrived::One(Bytes::new()), looked: false }
    }

    /// What there is, and then what comes.
    fn chunks(&mut self, last: Option<BodyError>) -> RequestBody {
        let arrived = self.arrived.take();
        let first = stream::iter((!arrived.is_empty()).then_some(Ok(arrived)));
        let rest = self.body.take().filter(|_| last.is_none());
        let rest = stream::iter(rest).flat_map(BodyExt::into_data_stream).map_err(|_| BodyError::Disconnected);
        RequestBody::new(first.chain(rest).chain(stream::iter(last.map(Err))))
    }
}

impl Future for Arrival {
    type Output = RequestBody;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<RequestBody> {
        let this = &mut *self;
        loop {
            let Some(body) = &mut this.body else { return Poll::Ready(RequestBody::Whole(this.arrived.take())) };
            match Pin::new(&mut *body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let is_over = body.is_end_stream();
                    if let Ok(chunk) = frame.into_data() {
                        this.arrived.push(chunk);
                        this.looked = false;
                    }
                    if is_over {
                        this.body = None;
                    }
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(this.chunks(Some(BodyError::Disconnected))),
                Poll::Ready(None) => this.body = None,
                Poll::Pending if this.looked => return Poll::Ready(this.chunks(None)),
                Poll::Pending => {
                    // The connection reads a body only when it is asked for. It has been now; what it has received already
                    // is here at the next poll.
                    this.looked = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }
}
