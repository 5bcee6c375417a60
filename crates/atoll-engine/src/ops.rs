//! Asynchronous operations of a worker.
//!
//! An operation is a future whose result settles one promise. Futures are polled outside V8, by their wakers alone;
//! whatever is ready
//! of one request is delivered together in one turn. Order between operations is not promised.

use crate::native::{JsError, NativeResult};
use crate::turn::Settled;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The most operations that one worker may have under way. It bounds the memory of a guest that starts them in a loop;
/// a server with 10,000 connections that each wait on one operation fits.
const MAX_PENDING_OPS: usize = 65_536;

/// The most results delivered in one turn, so that a burst can't keep a thread's other workers waiting.
const MAX_RESULTS_PER_TURN: usize = 256;

/// The most results that are taken from the operations before some of them are delivered.
const MAX_RESULTS: usize = 1024;

pub(crate) type OpFuture = Pin<Box<dyn Future<Output = NativeResult> + Send>>;

struct Op {
    request: u64,
    /// Whether a program waits for it before it ends.
    keeps_alive: bool,
    resolver: Option<v8::Global<v8::PromiseResolver>>,
    future: OpFuture,
}

/// A finished operation and the promise that it settles.
pub(crate) struct OpResult {
    request: u64,
    keeps_alive: bool,
    pub(crate) resolver: v8::Global<v8::PromiseResolver>,
    pub(crate) result: NativeResult,
}

impl Future for Op {
    type Output = Option<OpResult>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.future.as_mut().poll(context));
        let (request, keeps_alive) = (self.request, self.keeps_alive);
        Poll::Ready(self.resolver.take().map(|resolver| OpResult { request, keeps_alive, resolver, result }))
    }
}

#[derive(Default)]
pub(crate) struct Ops {
    pending: FuturesUnordered<Op>,
    /// Finished, in the order in which they did, and not yet delivered.
    finished: VecDeque<OpResult>,
    started: u64,
    /// Those under way that keep a program alive.
    keeping_alive: usize,
}

impl Ops {
    pub(crate) fn start(
        &mut self,
        request: u64,
        keeps_alive: bool,
        resolver: v8::Global<v8::PromiseResolver>,
        future: OpFuture,
    ) -> Result<(), JsError> {
        if self.pending.len() >= MAX_PENDING_OPS {
            return Err(JsError::range_error(format!("more than {MAX_PENDING_OPS} asynchronous operations at once")));
        }
        self.started += 1;
        self.keeping_alive += usize::from(keeps_alive);
        self.pending.push(Op { request, keeps_alive, resolver: Some(resolver), future });
        Ok(())
    }

    /// How many operations were ever started; the event loop sees by it that there is something new to poll.
    pub(crate) fn started(&self) -> u64 {
        self.started
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.finished.is_empty()
    }

    /// Whether a program has to wait: for an operation that keeps it alive, or for a result to be delivered.
    pub(crate) fn keep_alive(&self) -> bool {
        self.keeping_alive > 0 || !self.finished.is_empty()
    }

    /// What has finished of one request, at least one result; pending while nothing has, also when nothing is under way.
    /// A request's results are delivered in a turn of its own, so that its CPU time is counted as its own.
    pub(crate) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Settled> {
        while self.finished.len() < MAX_RESULTS {
            match self.pending.poll_next_unpin(context) {
                Poll::Ready(Some(result)) => {
                    self.keeping_alive -= usize::from(result.as_ref().is_some_and(|result| result.keeps_alive));
                    self.finished.extend(result);
                }
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        let Some(request) = self.finished.front().map(|result| result.request) else { return Poll::Pending };
        let mut results = Vec::new();
        // The first run of the request's results: what comes behind another request's waits for its turn.
        while results.len() < MAX_RESULTS_PER_TURN
            && let Some(result) = self.finished.pop_front_if(|result| result.request == request)
        {
            results.push(result);
        }
        Poll::Ready(Settled { request, results })
    }
}
