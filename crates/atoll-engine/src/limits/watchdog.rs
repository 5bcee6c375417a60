//! One thread that ends turns which take too long, for all isolates of the process.
//!
//! A thread that runs turns has a [`Watch`]. Arming it notes what the turn may use; disarming clears the note. The
//! watchdog sleeps until the first moment at which an armed turn could have used up its CPU time (a thread's CPU clock
//! is never faster than the wall clock), then reads that thread's CPU clock: over the limit, it ends the turn, else it
//! sleeps for what is left. While no turn is armed it sleeps without a deadline. Arming wakes it only when it would
//! otherwise sleep too long, so a thread that runs many short turns doesn't wake it for each.

use super::{Killer, Termination};
use atoll_sys::CpuClock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// The shortest sleep: what the scheduler's own latency makes sensible.
const MIN_SLEEP: Duration = Duration::from_micros(500);

struct Armed {
    killer: Arc<Killer>,
    /// The thread's CPU clock at which the turn is over its limit.
    cpu_deadline: Duration,
    /// The latest end of the turn by the wall clock.
    wall_deadline: Instant,
}

struct Slot {
    clock: CpuClock,
    armed: Mutex<Option<Armed>>,
}

struct Watchdog {
    slots: Mutex<Vec<Weak<Slot>>>,
    thread: Thread,
    epoch: Instant,
    /// When the watchdog wakes by itself, ns after `epoch`; `u64::MAX` when only arming can wake it.
    wakes_at_ns: AtomicU64,
}

static WATCHDOG: OnceLock<Arc<Watchdog>> = OnceLock::new();

/// The watch over one thread's turns.
pub(crate) struct Watch {
    slot: Arc<Slot>,
    watchdog: Arc<Watchdog>,
}

impl Watch {
    /// The watch of the current thread; the first one starts the watchdog.
    pub(crate) fn of_current_thread() -> Self {
        thread_local! {
            static SLOT: Arc<Slot> = {
                let slot = Arc::new(Slot { clock: CpuClock::of_current_thread(), armed: Mutex::new(None) });
                lock(&watchdog().slots).push(Arc::downgrade(&slot));
                slot
            };
        }
        Self { slot: SLOT.with(Arc::clone), watchdog: Arc::clone(watchdog()) }
    }

    /// The CPU time that this thread has used.
    pub(crate) fn cpu(&self) -> Duration {
        self.slot.clock.now()
    }

    /// Watches a turn that begins now. `started` is the thread's CPU time at this moment.
    pub(crate) fn arm(&self, killer: Arc<Killer>, started: Duration, cpu: Duration, wall: Duration) {
        let now = Instant::now();
        *lock(&self.slot.armed) = Some(Armed { killer, cpu_deadline: started + cpu, wall_deadline: now + wall });
        let due = self.watchdog.since_epoch(now + cpu.min(wall));
        if due < self.watchdog.wakes_at_ns.load(Ordering::Acquire) {
            self.watchdog.thread.unpark();
        }
    }

    /// Ends the watch; after it has returned no turn that comes later is ended on behalf of this one.
    pub(crate) fn disarm(&self) {
        lock(&self.slot.armed).take();
    }
}

impl Watchdog {
    fn since_epoch(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX)
    }

    fn run(&self) {
        loop {
            // Announce "awake" first: whoever arms from now on wakes us again, so no deadline is missed between the
            // look and the sleep.
            self.wakes_at_ns.store(u64::MAX, Ordering::Release);
            match self.look() {
                Some(due) => {
                    self.wakes_at_ns.store(self.since_epoch(due), Ordering::Release);
                    // Whoever armed since the look either saw the old announcement and unparked us, or is due later.
                    std::thread::park_timeout(due.saturating_duration_since(Instant::now()).max(MIN_SLEEP));
                }
                None => std::thread::park(),
            }
        }
    }

    /// Ends what is over its limit; says when the next turn could be.
    fn look(&self) -> Option<Instant> {
        let mut slots = lock(&self.slots);
        slots.retain(|slot| slot.strong_count() > 0);
        let mut next: Option<Instant> = None;
        for slot in slots.iter().filter_map(Weak::upgrade) {
            let mut armed = lock(&slot.armed);
            let Some(turn) = armed.as_ref() else { continue };
            let (now, used) = (Instant::now(), slot.clock.now());
            let reason = if used >= turn.cpu_deadline {
                Some(Termination::Cpu)
            } else if now >= turn.wall_deadline {
                Some(Termination::Wall)
            } else {
                None
            };
            if let Some(reason) = reason {
                turn.killer.kill(reason);
                *armed = None;
                continue;
            }
            let due = turn.wall_deadline.min(now + turn.cpu_deadline.saturating_sub(used));
            next = Some(next.map_or(due, |earlier| earlier.min(due)));
        }
        next
    }
}

fn watchdog() -> &'static Arc<Watchdog> {
    WATCHDOG.get_or_init(|| {
        let (sender, receiver) = std::sync::mpsc::sync_channel::<Arc<Watchdog>>(1);
        let handle = std::thread::Builder::new()
            .name("atoll-watchdog".to_owned())
            .spawn(move || {
                if let Ok(watchdog) = receiver.recv() {
                    watchdog.run();
                }
            })
            .expect("a process that can't start one thread can't serve");
        let watchdog = Arc::new(Watchdog {
            slots: Mutex::new(Vec::new()),
            thread: handle.thread().clone(),
            epoch: Instant::now(),
            wakes_at_ns: AtomicU64::new(u64::MAX),
        });
        sender.send(Arc::clone(&watchdog)).expect("the watchdog waits for this one message");
        watchdog
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
