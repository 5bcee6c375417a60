//! Foreground tasks: what V8's own threads leave to be done on an isolate's thread.
//!
//! A WebAssembly module compiled in the background, the callbacks of a `FinalizationRegistry`, the last step of a garbage
//! collection: V8 posts each of them from any thread, and nothing but the embedder runs them. Every isolate has a queue
//! here. A task doesn't say which realm of the isolate it is for: it may settle a promise of any of them, whose reactions run
//! in a turn of that realm only. So every realm that waits is woken when a task comes, the first one runs it in a turn, and all
//! others have a turn after that. Delayed tasks (V8 gives some when memory could be tidied up) wait for the first turn after
//! their time.

use futures_util::task::AtomicWaker;
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

/// The most delayed tasks that an isolate keeps; V8 has a few kinds, one of each at a time.
const MAX_DELAYED: usize = 64;

#[derive(Default)]
struct Waiting {
    ready: Vec<v8::Task>,
    delayed: Vec<(Instant, v8::Task)>,
    /// The isolate is going away: tasks are dropped as they come.
    closed: bool,
}

/// The queue of one isolate.
#[derive(Default)]
pub(crate) struct TaskQueue {
    waiting: Mutex<Waiting>,
    /// Whether `ready` has a task: read at every turn, without the lock.
    has_ready: AtomicBool,
    /// How often tasks were taken to be run.
    runs: AtomicU64,
    /// Of the realms that live.
    wakers: Mutex<Vec<Weak<AtomicWaker>>>,
}

/// A realm's part in the queue of its isolate.
#[derive(Debug)]
pub(crate) struct Subscription {
    waker: Arc<AtomicWaker>,
    /// How often tasks had been run when the realm last had a turn.
    seen: u64,
}

impl Subscription {
    /// Wakes `waker` when the realm has reason for a turn.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TaskQueue {
    /// Whether a task can run now.
    pub(crate) fn has_ready(&self) -> bool {
        self.has_ready.load(Ordering::Acquire)
    }

    /// Lets one more realm take part.
    pub(crate) fn subscribe(&self) -> Subscription {
        let waker = Arc::new(AtomicWaker::new());
        let mut wakers = lock(&self.wakers);
        wakers.retain(|waker| waker.strong_count() > 0);
        wakers.push(Arc::downgrade(&waker));
        Subscription { waker, seen: self.runs.load(Ordering::Acquire) }
    }

    /// Whether a realm has reason for a turn: a task can run, or ran since the realm's last turn.
    pub(crate) fn wants_turn(&self, subscription: &Subscription) -> bool {
        self.has_ready() || self.runs.load(Ordering::Acquire) != subscription.seen
    }

    /// A realm has its turn now, and the tasks have been run.
    pub(crate) fn note_turn(&self, subscription: &mut Subscription) {
        subscription.seen = self.runs.load(Ordering::Acquire);
    }

    fn wake_all(&self) {
        for waker in lock(&self.wakers).iter().filter_map(Weak::upgrade) {
            waker.wake();
        }
    }

    /// The tasks that can run now, those with a delay that is over included. To be run at once.
    pub(crate) fn take(&self) -> Vec<v8::Task> {
        let mut waiting = lock(&self.waiting);
        self.has_ready.store(false, Ordering::Release);
        let now = Instant::now();
        let mut tasks = std::mem::take(&mut waiting.ready);
        let due = waiting.delayed.extract_if(.., |(due, _)| *due <= now);
        tasks.extend(due.map(|(_, task)| task));
        drop(waiting);
        self.runs.fetch_add(1, Ordering::AcqRel);
        self.wake_all();
        tasks
    }

    /// Drops what waits, and from now on what comes. Tasks refer to their isolate, so this goes before it.
    pub(crate) fn close(&self) {
        let (ready, delayed) = {
            let mut waiting = lock(&self.waiting);
            waiting.closed = true;
            self.has_ready.store(false, Ordering::Release);
            (std::mem::take(&mut waiting.ready), std::mem::take(&mut waiting.delayed))
        };
        drop((ready, delayed));
    }

    fn post(&self, task: v8::Task) {
        let mut waiting = lock(&self.waiting);
        if waiting.closed {
            drop(waiting);
            drop(task);
            return;
        }
        waiting.ready.push(task);
        self.has_ready.store(true, Ordering::Release);
        drop(waiting);
        self.wake_all();
    }

    fn post_delayed(&self, task: v8::Task, delay_seconds: f64) {
        let due = Instant::now() + Duration::try_from_secs_f64(delay_seconds.max(0.0)).unwrap_or_default();
        let mut waiting = lock(&self.waiting);
        if !waiting.closed && waiting.delayed.len() < MAX_DELAYED {
            waiting.delayed.push((due, task));
        } else {
            drop(waiting);
            drop(task);
        }
    }
}

/// The queues, by the address of their isolate: V8 posts tasks already while it makes one.
static QUEUES: OnceLock<Mutex<HashMap<usize, Arc<TaskQueue>>>> = OnceLock::new();

fn queues() -> MutexGuard<'static, HashMap<usize, Arc<TaskQueue>>> {
    lock(QUEUES.get_or_init(Mutex::default))
}

/// The queue of the isolate at an address, made when it is first asked for.
pub(crate) fn queue_of(isolate: usize) -> Arc<TaskQueue> {
    Arc::clone(queues().entry(isolate).or_default())
}

/// Forgets the queue of an isolate that was disposed of: its address may be used again.
pub(crate) fn forget(isolate: usize) {
    queues().remove(&isolate);
}

/// What V8 hands its foreground tasks to.
pub(crate) struct Poster;

impl v8::PlatformImpl for Poster {
    fn post_task(&self, isolate: *mut c_void, task: v8::Task) {
        queue_of(isolate.addr()).post(task);
    }

    fn post_non_nestable_task(&self, isolate: *mut c_void, task: v8::Task) {
        queue_of(isolate.addr()).post(task);
    }

    fn post_delayed_task(&self, isolate: *mut c_void, task: v8::Task, delay_seconds: f64) {
        queue_of(isolate.addr()).post_delayed(task, delay_seconds);
    }

    fn post_non_nestable_delayed_task(&self, isolate: *mut c_void, task: v8::Task, delay_seconds: f64) {
        queue_of(isolate.addr()).post_delayed(task, delay_seconds);
    }

    fn post_idle_task(&self, _isolate: *mut c_void, task: v8::IdleTask) {
        // The platform is made without idle tasks, so V8 posts none.
        drop(task);
    }
}
