//! What the scheduler is told, and what is done about what it orders.

use super::config::ReaderConfig;
use super::error::Cause;
use super::keep::{Kept, store_all};
use super::object::Opened;
use super::request;
use super::wait::{Cell, Delivered};
use crate::schedule::{Action, Answer, ObjectId, ReadId, RequestId, Scheduler, Start, Stats, Why};
use atoll_sys::timer::Timer;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// What has been done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReaderStats {
    /// The scheduler's part.
    pub schedule: Stats,
    /// Bytes that came from the upstream in answer to the scheduler's requests.
    pub fetched_bytes: u64,
    /// Frames that came and were what they should be.
    pub verified_frames: u64,
    /// Frames that were not.
    pub damaged_frames: u64,
    /// Verified frames that the cache has taken.
    pub kept_frames: u64,
    /// Verified frames that the cache had no room for.
    pub not_kept_frames: u64,
    /// Reads that had to wait.
    pub waited_reads: u64,
    /// Reads that failed.
    pub failed_reads: u64,
    /// Times that the disk could not be read or written, other than for lack of room.
    pub disk_errors: u64,
    /// Requests that ended in a panic.
    pub panics: u64,
}

/// A scheduler, and what carries out its orders; see the [module](super).
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) runtime: Handle,
    pub(super) config: ReaderConfig,
    pub(super) kept: Kept,
    began: Instant,
    timer: AsyncFd<Timer>,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) scheduler: Scheduler,
    pub(super) objects: BTreeMap<ObjectId, Tracked>,
    pub(super) requests: BTreeMap<RequestId, AbortHandle>,
    pub(super) stats: ReaderStats,
    pub(super) storing: super::keep::Storing,
    /// What the upstream has said last instead of giving what it was asked for.
    pub(super) last_failure: Option<Arc<str>>,
    reads: BTreeMap<ReadId, Waiting>,
    /// What the timer is set for.
    timer_at: Option<Duration>,
    /// Nothing is carried out any more.
    is_over: bool,
}

/// An open object.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) opened: Arc<Opened>,
    /// Content that is there and not in the cache: not yet, or since it has no room.
    pub(super) held: BTreeMap<u32, Bytes>,
}

/// A read that waits.
#[derive(Debug)]
struct Waiting {
    object: ObjectId,
    frames: Range<u32>,
    delivered: Delivered,
    cell: Arc<Cell<Result<Delivered, Cause>>>,
}

/// The answer to [`Driver::ask`].
pub(super) enum Asked {
    /// Nothing has to come: this is in memory, and the rest in the cache.
    Here(Delivered),
    /// An answer will be left in the cell.
    Waits(ReadId, Arc<Cell<Result<Delivered, Cause>>>),
}

impl Driver {
    pub(super) fn new(runtime: Handle, config: ReaderConfig) -> io::Result<Arc<Self>> {
        let state = State {
            scheduler: Scheduler::new(config.schedule.clone()),
            objects: BTreeMap::new(),
            requests: BTreeMap::new(),
            stats: ReaderStats::default(),
            storing: super::keep::Storing::default(),
            last_failure: None,
            reads: BTreeMap::new(),
            timer_at: None,
            is_over: false,
        };
        let timer = {
            let _entered = runtime.enter();
            Timer::new()?.register()?
        };
        Ok(Arc::new(Self {
            runtime,
            kept: Kept::new(config.unstored_bytes_max),
            config,
            began: Instant::now(),
            timer,
            state: Mutex::new(state),
        }))
    }

    /// Says something to the scheduler, and does what it orders then. Nothing that takes long happens under the lock; who
    /// is woken is woken first of all.
    pub(super) fn tell<R>(self: &Arc<Self>, say: impl FnOnce(&mut State, Duration) -> R) -> R {
        let mut state = self.lock();
        let said = say(&mut state, self.began.elapsed());
        let woken = self.carry_out(&mut state);
        self.set_timer(&mut state);
        let starts_storing = state.storing.starts();
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        if starts_storing {
            let driver = Arc::clone(self);
            self.runtime.spawn_blocking(move || store_all(&driver));
        }
        said
    }

    fn carry_out(self: &Arc<Self>, state: &mut State) -> Vec<Waker> {
        let mut woken = Vec::new();
        while let Some(action) = state.scheduler.next_action() {
            match action {
                Action::Start(start) => self.start(state, start),
                Action::Abort(request) => {
                    if let Some(task) = state.requests.remove(&request) {
                        task.abort();
                    }
                }
                Action::Wake(read) => woken.extend(state.answer(read, None)),
                Action::Fail { read, why } => {
                    let last_failure = state.last_failure.clone();
                    woken.extend(state.answer(read, Some(Cause::Upstream { why, last_failure })));
                }
                Action::Watch { object, frame } => {
                    if let Some(tracked) = state.objects.get(&object) {
                        tracked.opened.cached.watch(frame);
                    }
                }
            }
        }
        woken
    }

    fn start(self: &Arc<Self>, state: &mut State, start: Start) {
        let Some(tracked) = state.objects.get(&start.object).filter(|_| !state.is_over) else { return };
        let request = start.request;
        let task = request::run(Arc::clone(self), Arc::clone(&tracked.opened), start);
        // It can't say anything before it is noted: that takes the lock.
        state.requests.insert(request, self.runtime.spawn(task).abort_handle());
    }

    fn set_timer(&self, state: &mut State) {
        let Some(next) = state.scheduler.next_deadline() else { return };
        // One that is set for too early sets itself anew.
        if state.timer_at.is_none_or(|set| next < set)
            && self.timer.get_ref().set(next.saturating_sub(self.began.elapsed())).is_ok()
        {
            state.timer_at = Some(next);
        }
    }

    /// Wants frames of an object.
    pub(super) fn ask(self: &Arc<Self>, id: ObjectId, frames: &Range<u32>) -> Result<Asked, Cause> {
        self.tell(|state, now| {
            if state.is_over {
                return Err(Cause::ReaderGone);
            }
            let delivered = state.look_up(id, frames);
            match state.scheduler.read(now, id, frames.clone()) {
                Answer::Ready => Ok(Asked::Here(delivered)),
                Answer::Waits(read) => {
                    let cell = Arc::new(Cell::new());
                    let waiting = Waiting { object: id, frames: frames.clone(), delivered, cell: Arc::clone(&cell) };
                    state.reads.insert(read, waiting);
                    state.stats.waited_reads += 1;
                    Ok(Asked::Waits(read, cell))
                }
            }
        })
    }

    /// Whoever waited has left.
    pub(super) fn cancel(self: &Arc<Self>, read: ReadId) {
        let left = self.tell(|state, now| {
            let left = state.reads.remove(&read);
            if left.is_some() {
                state.scheduler.cancel(now, read);
            }
            left
        });
        drop(left);
    }

    /// Whether a read waits for a frame.
    pub(super) fn is_waited_for(&self, id: ObjectId, frame: u32) -> bool {
        let state = self.lock();
        state.reads.values().any(|read| read.object == id && read.frames.contains(&frame))
    }

    /// Has the scheduler look at the time whenever it wants to, until the runtime ends, or this is aborted.
    pub(super) async fn run_timer(self: Arc<Self>) {
        let running = Running(self);
        let driver = &running.0;
        while let Ok(mut ready) = driver.timer.readable().await {
            if driver.timer.get_ref().take().is_ok_and(|is_due| is_due) {
                driver.tell(|state, now| {
                    state.timer_at = None;
                    state.scheduler.tick(now);
                });
            }
            ready.clear_ready();
        }
    }

    /// Ends everything: who waits is told.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.is_over = true;
        for task in std::mem::take(&mut state.requests).into_values() {
            task.abort();
        }
        let reads = std::mem::take(&mut state.reads);
        drop(state);
        for read in reads.into_values() {
            if let Some(waker) = read.cell.answer(Err(Cause::ReaderGone)) {
                waker.wake();
            }
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lock().scheduler.is_idle()
    }

    pub(super) fn stats(&self) -> ReaderStats {
        let state = self.lock();
        ReaderStats { schedule: state.scheduler.stats(), ..state.stats }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A scheduler that has panicked may have lost reads and requests. What it has not lost goes on, and new reads end
        // at the latest when they have waited for too long.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells the scheduler which of these frames are there: the cache evicts, and others may store in it, without a word.
    /// Those that are in memory.
    pub(super) fn look_up(&mut self, id: ObjectId, frames: &Range<u32>) -> Delivered {
        let mut delivered = Delivered::new();
        let Some(tracked) = self.objects.get(&id) else { return delivered };
        for frame in frames.clone() {
            if let Some(content) = tracked.held.get(&frame) {
                delivered.insert(frame, content.clone());
            } else if tracked.opened.cached.presence().contains(frame..frame + 1) {
                self.scheduler.mark_ready(id, frame..frame + 1);
            } else {
                self.scheduler.forget(id, frame..frame + 1);
            }
        }
        delivered
    }

    /// A frame is there: those who wait for it get it.
    pub(super) fn deliver(&mut self, id: ObjectId, frame: u32, content: &Bytes) {
        for read in self.reads.values_mut().filter(|read| read.object == id && read.frames.contains(&frame)) {
            read.delivered.insert(frame, content.clone());
        }
    }

    /// A read has ended. Who is to be woken.
    fn answer(&mut self, read: ReadId, failure: Option<Cause>) -> Option<Waker> {
        let Waiting { delivered, cell, .. } = self.reads.remove(&read)?;
        cell.answer(failure.map_or(Ok(delivered), Err))
    }
}

/// Ends a driver when the runtime does.
struct Running(Arc<Driver>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Why a read fails that has waited for too long, again and again.
pub(super) fn timed_out() -> Cause {
    Cause::Upstream { why: Why::TimedOut, last_failure: None }
}
