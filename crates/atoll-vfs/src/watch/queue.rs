//! Events that wait until somebody asks for them.

use super::{Event, EventKind, EventSink};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// How many events several queues may keep together.
#[derive(Debug, Clone)]
pub struct EventBudget(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    left: AtomicUsize,
}

impl EventBudget {
    /// What one worker's queues keep by default: as many as one queue of the kernel (`fs.inotify.max_queued_events`). With names
    /// of the longest kind that is some five megabytes.
    pub const DEFAULT_EVENTS: usize = 16_384;

    /// For this many events.
    pub fn new(events: usize) -> Self {
        Self(Arc::new(Budget { left: AtomicUsize::new(events) }))
    }

    fn take(&self) -> bool {
        self.0.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    fn give(&self, events: usize) {
        self.0.left.fetch_add(events, Ordering::Relaxed);
    }
}

/// An event that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedEvent {
    /// The number that its watch's sink was made with; none for [`EventKind::Overflow`], which is the queue's own.
    pub watch: Option<u32>,
    /// What has happened.
    pub kind: EventKind,
    /// Whether it happened to a directory.
    pub is_directory: bool,
    /// The name in the watched directory; none for the watched object itself.
    pub name: Option<Box<[u8]>>,
}

impl QueuedEvent {
    fn is(&self, watch: u32, event: &Event<'_>) -> bool {
        self.watch == Some(watch)
            && self.kind == event.kind
            && self.is_directory == event.is_directory
            && self.name.as_deref() == event.name
    }
}

/// Events of several watches, in the order in which they were told: what an inotify instance is. As there, an event that is
/// equal to the last one that waits is not kept a second time, and what exceeds the budget is lost, with an
/// [`EventKind::Overflow`] in its place.
#[derive(Debug, Clone)]
pub struct EventQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    budget: EventBudget,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<QueuedEvent>,
    waker: Option<Waker>,
    is_closed: bool,
}

impl State {
    /// Events that the budget was asked for.
    fn counted(&self) -> usize {
        self.events.iter().filter(|event| event.kind != EventKind::Overflow).count()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, watch: u32, event: Event<'_>) {
        let mut state = self.state();
        if state.is_closed || state.events.back().is_some_and(|last| last.is(watch, &event)) {
            return;
        }
        let queued = if event.kind != EventKind::Overflow && self.budget.take() {
            let (kind, is_directory, name) = (event.kind, event.is_directory, event.name.map(Into::into));
            QueuedEvent { watch: Some(watch), kind, is_directory, name }
        } else {
            if state.events.back().is_some_and(|last| last.kind == EventKind::Overflow) {
                return;
            }
            QueuedEvent { watch: None, kind: EventKind::Overflow, is_directory: false, name: None }
        };
        state.events.push_back(queued);
        wake(state);
    }
}

/// Wakes whoever waits, after the lock was let go.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let counted = self.state().counted();
        self.budget.give(counted);
    }
}

impl EventQueue {
    /// An empty queue.
    pub fn new(budget: &EventBudget) -> Self {
        Self(Arc::new(Shared { budget: budget.clone(), state: Mutex::default() }))
    }

    /// Where the events of a watch come in, under a number of the caller's.
    pub fn sink(&self, watch: u32) -> Arc<dyn EventSink> {
        Arc::new(QueueSink { queue: Arc::clone(&self.0), watch })
    }

    /// Takes the first events, at most so many; whether there are more.
    pub fn take(&self, count: usize) -> (Vec<QueuedEvent>, bool) {
        let mut state = self.0.state();
        let count = count.min(state.events.len());
        let taken: Vec<_> = state.events.drain(..count).collect();
        let more = !state.events.is_empty();
        drop(state);
        self.0.budget.give(taken.iter().filter(|event| event.kind != EventKind::Overflow).count());
        (taken, more)
    }

    /// Ready when there are events or the queue is closed; else the task is woken then, or by [`EventQueue::wake`].
    pub fn poll_ready(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.0.state();
        if state.is_closed || !state.events.is_empty() {
            return Poll::Ready(());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Wakes the task that waits.
    pub fn wake(&self) {
        wake(self.0.state());
    }

    /// Drops what is there; nothing is kept any more.
    pub fn close(&self) {
        let mut state = self.0.state();
        state.is_closed = true;
        let counted = state.counted();
        state.events = VecDeque::new();
        wake(state);
        self.0.budget.give(counted);
    }
}

#[derive(Debug)]
struct QueueSink {
    queue: Arc<Shared>,
    watch: u32,
}

impl EventSink for QueueSink {
    fn notify(&self, event: Event<'_>) {
        self.queue.push(self.watch, event);
    }
}

#[cfg(test)]
mod tests {
    use super::EventKind::{Created, Deleted, Modified, Overflow};
    use super::*;

    fn event(kind: EventKind, name: &str) -> Event<'_> {
        Event { kind, is_directory: false, name: Some(name.as_bytes()) }
    }

    fn taken(queue: &EventQueue) -> Vec<(Option<u32>, EventKind)> {
        queue.take(usize::MAX).0.into_iter().map(|event| (event.watch, event.kind)).collect()
    }

    #[test]
    fn equal_neighbours_are_one() {
        let queue = EventQueue::new(&EventBudget::new(10));
        let (one, two) = (queue.sink(1), queue.sink(2));
        for sink in [&one, &one, &two, &one, &one] {
            sink.notify(event(Modified, "a"));
        }
        one.notify(event(Modified, "b"));
        let numbers: Vec<_> = taken(&queue).into_iter().filter_map(|(watch, _)| watch).collect();
        assert_eq!(numbers, [1, 2, 1, 1]);
    }

    #[test]
    fn what_exceeds_the_budget_is_lost_and_said_to_be() {
        let budget = EventBudget::new(4);
        let (queue, other) = (EventQueue::new(&budget), EventQueue::new(&budget));
        let fill = |queue: &EventQueue| {
            let sink = queue.sink(7);
            for index in 0..100 {
                sink.notify(event(if index % 2 == 0 { Created } else { Deleted }, "a"));
            }
        };
        fill(&queue);
        fill(&other);
        assert_eq!(taken(&other), [(None, Overflow)]);
        let expected =
            [(Some(7), Created), (Some(7), Deleted), (Some(7), Created), (Some(7), Deleted), (None, Overflow)];
        assert_eq!(taken(&queue), expected);
        // What was taken can be kept again; what a queue that goes has kept, too.
        fill(&other);
        drop(other);
        fill(&queue);
        assert_eq!(taken(&queue), expected);
        fill(&queue);
        queue.close();
        fill(&queue);
        assert!(taken(&queue).is_empty());
        assert_eq!(budget.0.left.load(Ordering::Relaxed), 4);
    }

    #[test]
    fn whoever_waits_is_woken() {
        let queue = EventQueue::new(&EventBudget::new(1));
        let waker = Waker::noop();
        let context = Context::from_waker(waker);
        assert!(queue.poll_ready(&context).is_pending());
        queue.sink(1).notify(event(Created, "a"));
        assert!(queue.0.state().waker.is_none(), "it was taken to wake");
        assert!(queue.poll_ready(&context).is_ready());
        queue.take(1);
        assert!(queue.poll_ready(&context).is_pending());
        queue.close();
        assert!(queue.poll_ready(&context).is_ready());
    }
}
