//! The threads on which operations that were put off are done: a few, shared by all workers of the process.
//!
//! A worker's operations are in a queue of its own. Queues take turns: a thread takes a few operations of the first one,
//! which then goes behind all others. One queue has at most [`MAX_THREADS_PER_WORKER`] threads at a time, so a guest whose
//! files hang holds no more than these. What could hang by design, a FIFO or a device, is never opened.
//!
//! Threads are started when there is work and none is idle, and stay. A worker that goes takes its queue along: what has not
//! begun is dropped, what has is finished and its result dropped.

use super::batch::Lane;
use super::operation::{Context, Done, Failure, Job, Outcome, Pace};
use atoll_engine::{GuestShare, JsError};
use atoll_vfs::without_waiting;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Threads of the process. Four is what Node has for one program; a disk has more to give than that only where it may
/// reorder more requests, which a process with many workers brings.
const MAX_THREADS: usize = 8;

/// Threads that one worker may have at a time: Node's number.
const MAX_THREADS_PER_WORKER: usize = 4;

/// Quick operations that a thread takes at a time. Their results are told of together: waking a worker costs as much as
/// several of them.
const QUICK_OPERATIONS: usize = 64;

/// An operation under way.
pub(super) struct Task {
    pub(super) job: Job,
    pub(super) ticket: u32,
    pub(super) lane: Arc<Lane>,
    pub(super) pace: Pace,
    /// Whether memory was short already.
    pub(super) is_second_try: bool,
    /// What it takes itself, until it has been done.
    #[expect(dead_code, reason = "it counts for as long as it is there")]
    pub(super) share: Option<GuestShare>,
}

/// How it ended.
pub(super) enum Ended {
    /// With a share of the guest's memory for the result, until that is delivered.
    Done(Done, #[expect(dead_code, reason = "it counts for as long as it is there")] Option<GuestShare>),
    /// Memory was short: it is to be tried again after garbage was collected.
    Short(Task),
}

/// What became of operations, by ticket.
pub(super) type Results = Vec<(u32, Ended)>;

/// The operations of one worker that wait for a thread.
pub(super) struct Queue {
    context: Context,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    tasks: VecDeque<Task>,
    /// Threads that do operations of this queue.
    threads: usize,
    /// Whether the pool has it in its list.
    is_listed: bool,
    is_closed: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Queue").finish_non_exhaustive()
    }
}

/// A panic of one operation must not take the others' results along.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    pub(super) fn new(context: Context) -> Arc<Self> {
        Arc::new(Self { context, waiting: Mutex::default() })
    }

    /// Hands operations to the pool.
    pub(super) fn push(self: &Arc<Self>, tasks: Vec<Task>) {
        if tasks.is_empty() {
            return;
        }
        let mut waiting = lock(&self.waiting);
        if waiting.is_closed {
            return;
        }
        waiting.tasks.extend(tasks);
        let list = waiting.wants_listing();
        drop(waiting);
        if list {
            POOL.list(Arc::clone(self));
        }
    }

    /// Drops what has not begun; nothing begins any more.
    pub(super) fn close(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.is_closed = true;
        let dropped = std::mem::take(&mut waiting.tasks);
        drop(waiting);
        drop(dropped);
    }

    /// What a thread is to do next, and whether there is more for others.
    fn take(&self) -> (Vec<Task>, bool) {
        let mut waiting = lock(&self.waiting);
        waiting.is_listed = false;
        let mut taken = Vec::new();
        while taken.len() < QUICK_OPERATIONS
            && let Some(task) = waiting.tasks.pop_front_if(|task| taken.is_empty() || task.pace != Pace::Slow)
        {
            let is_slow = task.pace == Pace::Slow;
            taken.push(task);
            if is_slow {
                break;
            }
        }
        if !taken.is_empty() {
            waiting.threads += 1;
        }
        let more = waiting.wants_listing();
        (taken, more)
    }

    /// A thread is done with what it took; whether there is more to do.
    fn finish(&self) -> bool {
        let mut waiting = lock(&self.waiting);
        waiting.threads -= 1;
        waiting.wants_listing()
    }

    /// Does an operation on the worker's own thread, if that need not wait for a disk.
    pub(super) fn try_now(&self, task: Task) -> Result<Ended, Task> {
        let done = without_waiting(|| self.attempt(&task));
        match done {
            Some(done) => Ok(self.ended(task, done)),
            None => Err(task),
        }
    }

    fn end(&self, task: Task) -> Ended {
        let done = self.attempt(&task);
        self.ended(task, done)
    }

    fn attempt(&self, task: &Task) -> Done {
        let done = catch_unwind(AssertUnwindSafe(|| (task.job)(&self.context)));
        done.unwrap_or_else(|_| Err(JsError::error("an internal fault of the runtime").into()))
    }

    fn ended(&self, task: Task, done: Done) -> Ended {
        match done.and_then(|outcome| Ok((self.share_for(&outcome)?, outcome))) {
            Ok((share, outcome)) => Ended::Done(Ok(outcome), share),
            Err(Failure::Memory) if !task.is_second_try => Ended::Short(Task { is_second_try: true, ..task }),
            Err(failure) => Ended::Done(Err(failure), None),
        }
    }

    fn share_for(&self, outcome: &Outcome) -> Result<Option<GuestShare>, Failure> {
        match outcome {
            Outcome::Value(value) if value.held_bytes() > 0 => self.context.share(value.held_bytes()),
            _ => Ok(None),
        }
    }

    fn run(&self, tasks: Vec<Task>) {
        let mut told: Vec<(Arc<Lane>, Results)> = Vec::new();
        for task in tasks {
            let (lane, ticket) = (Arc::clone(&task.lane), task.ticket);
            let ended = self.end(task);
            match told.last_mut() {
                Some((last, results)) if Arc::ptr_eq(last, &lane) => results.push((ticket, ended)),
                _ => told.push((lane, vec![(ticket, ended)])),
            }
        }
        for (lane, results) in told {
            lane.tell(results);
        }
    }
}

impl Waiting {
    /// Whether the pool has to be told of the queue; it is taken as told then.
    fn wants_listing(&mut self) -> bool {
        let wants = !self.tasks.is_empty() && !self.is_listed && self.threads < MAX_THREADS_PER_WORKER;
        self.is_listed |= wants;
        wants
    }
}

static POOL: Pool =
    Pool { state: Mutex::new(State { listed: VecDeque::new(), idle: 0, threads: 0 }), woken: Condvar::new() };

struct Pool {
    state: Mutex<State>,
    woken: Condvar,
}

struct State {
    /// Queues with operations that a thread may take, in the order of their turns. Each is here at most once.
    listed: VecDeque<Arc<Queue>>,
    idle: usize,
    threads: usize,
}

impl Pool {
    fn list(&'static self, queue: Arc<Queue>) {
        let mut state = lock(&self.state);
        state.listed.push_back(queue);
        self.call_for_thread(state);
    }

    /// Has a thread look at the list: an idle one, or a new one.
    fn call_for_thread(&'static self, mut state: MutexGuard<'static, State>) {
        if state.idle > 0 {
            self.woken.notify_one();
            return;
        }
        if state.threads == MAX_THREADS {
            return;
        }
        state.threads += 1;
        let is_only = state.threads == 1;
        drop(state);
        let started = std::thread::Builder::new().name("atoll-files".into()).spawn(move || self.work());
        if started.is_err() {
            lock(&self.state).threads -= 1;
            if is_only {
                // The system has no thread to give: better late than never.
                drop(self.work_until_idle(lock(&self.state)));
            }
        }
    }

    fn work(&'static self) {
        let mut state = lock(&self.state);
        loop {
            state = self.work_until_idle(state);
            state.idle += 1;
            state =
                self.woken.wait_while(state, |state| state.listed.is_empty()).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Does what is listed until nothing is.
    fn work_until_idle(&'static self, mut state: MutexGuard<'static, State>) -> MutexGuard<'static, State> {
        while let Some(queue) = state.listed.pop_front() {
            let (tasks, more) = queue.take();
            if more {
                state.listed.push_back(Arc::clone(&queue));
                if state.idle > 0 {
                    self.woken.notify_one();
                }
            }
            drop(state);
            if !tasks.is_empty() {
                queue.run(tasks);
                if queue.finish() {
                    self.list(queue);
                }
            }
            state = lock(&self.state);
        }
        state
    }
}
