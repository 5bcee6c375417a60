//! Asynchronous operations of a worker.
//!
//! An operation is a future whose result settles one promise. Futures are polled outside V8, by their wakers alone;
//! whatever is ready is delivered together in one turn. Order between operations is not promised.

use crate::native::{JsError, NativeResult};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The most operations that one worker may have under way. It bounds the memory of a guest that starts them in a loop;
/// a server with 10,000 connections that each wait on one operation fits.
const MAX_PENDING_OPS: usize = 65_536;

/// The most results delivered in one turn, so that a burst can't keep a thread's other workers waiting.
const MAX_RESULTS_PER_TURN: usize = 256;

pub(crate) type OpFuture = Pin<Box<dyn Future<Output = NativeResult> + Send>>;

struct Op {
    resolver: Option<v8::Global<v8::PromiseResolver>>,
    future: OpFuture,
}

/// A finished operation and the promise that it settles.
pub(crate) struct OpResult {
    pub(crate) resolver: v8::Global<v8::PromiseResolver>,
    pub(crate) result: NativeResult,
}

impl Future for Op {
    type Output = Option<OpResult>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.future.as_mut().poll(context));
        Poll::Ready(self.resolver.take().map(|resolver| OpResult { resolver, result }))
    }
}

#[derive(Default)]
pub(crate) struct Ops {
    pending: FuturesUnordered<Op>,
    started: u64,
}

impl Ops {
    pub(crate) fn start(&mut self, resolver: v8::Global<v8::PromiseResolver>, future: OpFuture) -> Result<(), JsError> {
        if self.pending.len() >= MAX_PENDING_OPS {
            return Err(JsError::range_error(format!("more than {MAX_PENDING_OPS} asynchronous operations at once")));
        }
        self.started += 1;
        self.pending.push(Op { resolver: Some(resolver), future });
        Ok(())
    }

    /// How many operations were ever started; the event loop sees by it that there is something new to poll.
    pub(crate) fn started(&self) -> u64 {
        self.started
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// What has finished, at least one result; pending while nothing has, also when nothing is under way.
    pub(crate) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Vec<OpResult>> {
        let mut results = Vec::new();
        while results.len() < MAX_RESULTS_PER_TURN {
            match self.pending.poll_next_unpin(context) {
                Poll::Ready(Some(result)) => results.extend(result),
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if results.is_empty() { Poll::Pending } else { Poll::Ready(results) }
    }
}
