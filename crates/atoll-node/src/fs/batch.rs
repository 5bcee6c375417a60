//! Operations that were put off, from their submission to the delivery of their results.
//!
//! ```text
//! submit(…, ticket) ─► lane ─(end of the turn: the waiter is polled)─► pool ─► lane.done ─(waker)─► collect() in a turn
//! ```
//!
//! What needs no disk, as far as can be known, is done where it is when the turn is over. What else one turn submits is handed
//! to the pool together, and what has been done by the time the worker gets its turn is
//! delivered together. Each request has a lane, with one promise (`wait`) that the event loop polls while operations of the
//! lane are under way: so results are delivered in a turn of their request, on its budget.

use super::FsState;
use super::metadata;
use super::operation::{Context, Later, Outcome, Pace, keep, keep_directory};
use super::pool::{Ended, Queue, Task};
use atoll_engine::{Call, GuestShare, JsError, NativeResult, Value};
use atoll_vfs::MAX_PATH_BYTES;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Operations that one worker may have under way, as many as it may have of other kinds: it bounds the memory of a guest
/// that starts them in a loop.
const MAX_PENDING: usize = 65_536;

/// Operations of one turn that are tried on the worker's own thread, as many as are delivered in one: about a millisecond,
/// for which other workers of the thread wait. More of them are better done beside it.
const MAX_INSTANT_OPERATIONS: usize = MAX_RESULTS_PER_TURN;

/// What an operation that waits takes beside its paths, bytes, about.
const OPERATION_BYTES: usize = 256;

/// Results delivered in one turn, so that a burst can't keep a thread's other workers waiting.
const MAX_RESULTS_PER_TURN: usize = 256;

/// The operations of one request.
#[derive(Default)]
pub(super) struct Lane(Mutex<State>);

#[derive(Default)]
struct State {
    submitted: Vec<Task>,
    done: Vec<(u32, Ended)>,
    waker: Option<Waker>,
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the worker of results.
    pub(super) fn tell(&self, results: Vec<(u32, Ended)>) {
        let mut state = self.state();
        state.done.extend(results);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Adds an operation; the first one of a turn wakes whoever hands them to the pool.
    fn submit(&self, task: Task) {
        let mut state = self.state();
        state.submitted.push(task);
        let waker = if state.submitted.len() == 1 { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A lane as the worker sees it.
#[derive(Default)]
pub(super) struct Submissions {
    lane: Arc<Lane>,
    pending: usize,
    /// Whether a promise waits for results.
    is_awaited: bool,
}

impl std::fmt::Debug for Submissions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Submissions").field("pending", &self.pending).finish_non_exhaustive()
    }
}

/// Hands what was submitted to the pool, and is ready when there are results.
struct Waiter {
    lane: Arc<Lane>,
    queue: Arc<Queue>,
}

impl Future for Waiter {
    type Output = NativeResult;

    fn poll(self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        let submitted = std::mem::take(&mut self.lane.state().submitted);
        let mut instant = 0;
        let (here, elsewhere): (Vec<_>, Vec<_>) = submitted.into_iter().partition(|task| {
            instant += usize::from(task.pace == Pace::Instant);
            task.pace == Pace::Instant && instant <= MAX_INSTANT_OPERATIONS
        });
        self.queue.push(elsewhere);
        let mut done = Vec::with_capacity(here.len());
        let mut would_wait = Vec::new();
        for task in here {
            let ticket = task.ticket;
            match self.queue.try_now(task) {
                Ok(ended) => done.push((ticket, ended)),
                Err(task) => would_wait.push(task),
            }
        }
        self.queue.push(would_wait);
        let mut state = self.lane.state();
        state.done.extend(done);
        if state.done.is_empty() {
            state.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(Value::Undefined))
    }
}

/// The number by which an operation is put off: `(name)`.
pub(super) fn number(call: &mut Call<'_, '_, '_>, table: &[Later]) -> NativeResult {
    let name = call.string(0)?;
    let found = table.iter().position(|operation| operation.name == name);
    found.map(|number| Value::Number(number as f64)).ok_or_else(|| JsError::error("there is no such operation"))
}

/// A share of the guest's memory for an operation that waits: its paths are copies.
fn share_for(call: &mut Call<'_, '_, '_>) -> Result<Option<GuestShare>, JsError> {
    let mut length = |index| call.with_utf8(index, <[u8]>::len).map_or(0, |length| length.min(MAX_PATH_BYTES));
    let bytes = OPERATION_BYTES + length(0) + length(1);
    if let Ok(share) = Context::of(call).share(bytes) {
        return Ok(share);
    }
    call.collect_garbage();
    Context::of(call).share(bytes).map_err(JsError::from)
}

/// `(…five arguments, operation, ticket)` → whether `wait` must be called.
pub(super) fn submit(call: &mut Call<'_, '_, '_>, table: &[Later]) -> NativeResult {
    let (number, ticket) = (call.u32(5)?, call.u32(6)?);
    let request = call.request();
    let operation = table.get(number as usize).ok_or_else(|| JsError::error("there is no such operation"))?;
    let prepared = if call.state::<FsState>().pending() < MAX_PENDING {
        share_for(call).and_then(|share| Ok(((operation.prepare)(call)?, share)))
    } else {
        Err(JsError::range_error(format!("more than {MAX_PENDING} asynchronous operations at once")))
    };
    let submissions = call.state::<FsState>().submissions(request);
    submissions.pending += 1;
    let lane = Arc::clone(&submissions.lane);
    let wait = !std::mem::replace(&mut submissions.is_awaited, true);
    match prepared {
        Ok((job, share)) => {
            let pace = operation.pace;
            let task = Task { job, ticket, lane: Arc::clone(&lane), pace, is_second_try: false, share };
            lane.submit(task);
        }
        Err(error) => lane.tell(vec![(ticket, Ended::Done(Err(error.into()), None))]),
    }
    Ok(Value::Bool(wait))
}

/// `()` → a promise that is fulfilled when there are results.
pub(super) fn wait(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let context = Context::of(call);
    let request = call.request();
    let state = call.state::<FsState>();
    let queue = Arc::clone(state.queue.get_or_insert_with(|| Queue::new(context)));
    let lane = Arc::clone(&state.submissions(request).lane);
    call.spawn(Waiter { lane, queue })
}

/// `()` → `[results, stats, again]`. The results are `ticket, status, value` one after the other; the status is 0 for a value, 1
/// for an error, 2 for the number of a result in `stats`. `again` says whether `wait` must be called.
#[expect(clippy::unnecessary_wraps, reason = "the type of natives")]
pub(super) fn collect(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let request = call.request();
    let lane = Arc::clone(&call.state::<FsState>().submissions(request).lane);
    let done = {
        let mut state = lane.state();
        let count = state.done.len().min(MAX_RESULTS_PER_TURN);
        state.done.drain(..count).collect::<Vec<_>>()
    };
    let mut results = Vec::with_capacity(done.len() * 3);
    let mut stats = Vec::new();
    let mut collected_garbage = false;
    let mut delivered = 0;
    for (ticket, ended) in done {
        let (status, value) = match ended {
            Ended::Short(task) => {
                if !std::mem::replace(&mut collected_garbage, true) {
                    call.collect_garbage();
                }
                lane.submit(task);
                continue;
            }
            Ended::Done(Ok(Outcome::Value(value)), _) => (0, value),
            Ended::Done(Ok(Outcome::Opened(file)), _) => told(keep(call, file)),
            Ended::Done(Ok(Outcome::OpenedDirectory(directory)), _) => told(keep_directory(call, directory)),
            Ended::Done(Ok(Outcome::Metadata { metadata, as_integers }), _) => {
                let start = stats.len();
                stats.resize(start + metadata::RESULT_BYTES, 0);
                metadata::encode(&metadata, as_integers, &mut stats[start..]);
                (2, Value::Number((start / metadata::RESULT_BYTES) as f64))
            }
            Ended::Done(Err(failure), _) => (1, Value::Error(Box::new(failure.into()))),
        };
        delivered += 1;
        results.extend([Value::Number(f64::from(ticket)), Value::Number(f64::from(status)), value]);
    }
    let again = call.state::<FsState>().delivered(request, delivered);
    Ok(Value::List(vec![Value::List(results), Value::Bytes(stats), Value::Bool(again)]))
}

/// A result with its status.
fn told(result: NativeResult) -> (i32, Value) {
    match result {
        Ok(value) => (0, value),
        Err(error) => (1, Value::Error(Box::new(error))),
    }
}

impl FsState {
    /// Operations under way.
    fn pending(&self) -> usize {
        self.submissions.iter().map(|(_, submissions)| submissions.pending).sum()
    }

    /// Those of a request.
    fn submissions(&mut self, request: u64) -> &mut Submissions {
        let found = self.submissions.iter().position(|(other, _)| *other == request);
        let index = found.unwrap_or_else(|| {
            self.submissions.push((request, Submissions::default()));
            self.submissions.len() - 1
        });
        &mut self.submissions[index].1
    }

    /// Notes that results were delivered; whether some of the request's operations are still under way.
    fn delivered(&mut self, request: u64, count: usize) -> bool {
        let submissions = self.submissions(request);
        submissions.pending = submissions.pending.saturating_sub(count);
        submissions.is_awaited = submissions.pending > 0;
        let again = submissions.is_awaited;
        if !again {
            self.submissions.retain(|(other, _)| *other != request);
        }
        again
    }
}
