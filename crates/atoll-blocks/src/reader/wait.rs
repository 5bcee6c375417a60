//! Waiting for an answer, as a task or as a thread.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// Content of frames.
pub(super) type Delivered = BTreeMap<u32, Bytes>;

/// Where one answer is left for one who waits.
#[derive(Debug)]
pub(super) struct Cell<T> {
    slot: Mutex<Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    answer: Option<T>,
    waker: Option<Waker>,
}

impl<T> Cell<T> {
    pub(super) fn new() -> Self {
        Self { slot: Mutex::new(Slot { answer: None, waker: None }) }
    }

    /// Leaves the answer; who is to be woken then, by the caller, when it holds no lock.
    pub(super) fn answer(&self, answer: T) -> Option<Waker> {
        let mut slot = self.lock();
        slot.answer = Some(answer);
        slot.waker.take()
    }

    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.lock();
        if let Some(answer) = slot.answer.take() {
            return Poll::Ready(answer);
        }
        if !slot.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            slot.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        // Nothing in here panics in the middle of a change.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Has the calling thread wait for a future.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Parked(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            // Who is woken too early looks again.
            Poll::Pending => std::thread::park(),
        }
    }
}
