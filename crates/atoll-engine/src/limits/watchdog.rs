//! One thread that ends turns which take too long, for all isolates of the process.
//!
//! A thread that runs turns has a [`Watch`]. Arming it notes what the turn may use; disarming clears the note. The
//! watchdog sleeps until the first moment at which an armed turn could have used up its CPU time (a thread's CPU clock
//! is never faster than the wall clock), then reads that thread's CPU clock: over the limit, it ends the turn, else it
//! sleeps for what is left. A turn that takes long has its memory looked at every now and then as well. While no turn is armed it sleeps without a deadline. Arming wakes it only when it would
//! otherwise sleep too long, so a thread that runs many short turns doesn't wake it for each.

use super::meter::{Meter, Started};
use super::{Killer, Reason, Termination, memory};
use crate::realm::Allowance;
use atoll_sys::CpuClock;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// The shortest sleep: what the scheduler's own latency makes sensible.
const MIN_SLEEP: Duration = Duration::from_micros(500);

/// How often what a guest has outside of its heap is looked at while it computes: WebAssembly's memory and resizable
/// buffers come from the system without our allocator. In this time it can touch some 20 MiB.
const EXTERNAL_INTERVAL: Duration = Duration::from_millis(10);

/// How often a turn that is over its limit is told so.
const KILL_INTERVAL: Duration = Duration::from_millis(10);

struct Armed {
    killer: Arc<Killer>,
    started: Started,
    cpu: Allowance,
    wall: Allowance,
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
    meter: Meter,
}

impl Watch {
    fn of_current_thread() -> Self {
        let clock = CpuClock::of_current_thread();
        let slot = Arc::new(Slot { clock, armed: Mutex::new(None) });
        lock(&watchdog().slots).push(Arc::downgrade(&slot));
        Self { slot, watchdog: Arc::clone(watchdog()), meter: Meter::new(clock) }
    }

    /// Runs `turn` under the watch of this thread, the first of which starts the watchdog. Returns what it returned, and
    /// the CPU time that it used.
    pub(crate) fn over<R>(
        killer: &Arc<Killer>,
        cpu: Allowance,
        wall: Allowance,
        turn: impl FnOnce() -> R,
    ) -> (R, Duration) {
        thread_local! {
            static WATCH: RefCell<Watch> = RefCell::new(Watch::of_current_thread());
        }
        let started = WATCH.with_borrow_mut(|watch| watch.arm(Arc::clone(killer), cpu, wall));
        let value = turn();
        let used = WATCH.with_borrow_mut(|watch| watch.disarm(started));
        (value, used)
    }

    fn arm(&mut self, killer: Arc<Killer>, cpu: Allowance, wall: Allowance) -> Started {
        let started = self.meter.start();
        let first = cpu.left().min(wall.left()).min(EXTERNAL_INTERVAL);
        *lock(&self.slot.armed) = Some(Armed { killer, started, cpu, wall });
        let due = self.watchdog.since_epoch(started.wall + first);
        if due < self.watchdog.wakes_at_ns.load(Ordering::Acquire) {
            self.watchdog.thread.unpark();
        }
        started
    }

    /// After it has returned no turn that comes later is ended on behalf of this one.
    fn disarm(&mut self, started: Started) -> Duration {
        lock(&self.slot.armed).take();
        self.meter.stop(started)
    }
}

impl Armed {
    /// The limit that the turn is over at `now`, with this reading of its thread's CPU clock.
    fn exceeded(&self, now: Instant, cpu_now: Duration) -> Option<Termination> {
        let used = cpu_now.saturating_sub(self.started.cpu);
        if used >= self.cpu.left() {
            return Some(Termination::time(Reason::Cpu, self.cpu.limit, self.cpu.used + used));
        }
        let passed = now.saturating_duration_since(self.started.wall);
        (passed >= self.wall.left()).then(|| Termination::time(Reason::Wall, self.wall.limit, self.wall.used + passed))
    }

    /// When it could be over a limit at the earliest.
    fn due(&self, now: Instant, cpu_now: Duration) -> Instant {
        let cpu_left = (self.started.cpu + self.cpu.left()).saturating_sub(cpu_now);
        (now + cpu_left.min(EXTERNAL_INTERVAL)).min(self.started.wall + self.wall.left())
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
            let armed = lock(&slot.armed);
            let Some(turn) = armed.as_ref() else { continue };
            let (now, cpu_now) = (Instant::now(), slot.clock.now());
            if let Some(termination) = turn.exceeded(now, cpu_now) {
                // Until the turn is over: a termination is spent by the innermost native that called JavaScript.
                turn.killer.kill(termination);
                let again = now + KILL_INTERVAL;
                next = Some(next.map_or(again, |earlier| earlier.min(again)));
                continue;
            }
            // Somebody else may have ended it.
            turn.killer.kill_again();
            if now.saturating_duration_since(turn.started.wall) >= EXTERNAL_INTERVAL {
                memory::check_external_soon(&turn.killer);
            }
            let due = turn.due(now, cpu_now);
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
