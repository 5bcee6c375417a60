//! What keeps a guest within its bounds: memory by the allocator and V8's heap callback, CPU by the shared watchdog.
//!
//! Whatever limit is hit, the guest's execution is terminated, the reason is kept, and the isolate is discarded: after
//! a termination its heap may hold half-made objects.

mod heap;
pub(crate) mod memory;
mod meter;
mod watchdog;

pub(crate) use heap::HeapGuard;
pub(crate) use watchdog::Watch;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// What a worker may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// JavaScript heap, bytes.
    pub heap_bytes: usize,
    /// `ArrayBuffer` contents and WebAssembly memory, bytes, counted apart from the heap.
    pub external_bytes: usize,
}

/// Which bound a guest met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It used up its CPU time.
    Cpu,
    /// It used up its time by the clock.
    Wall,
    /// It used up its JavaScript heap.
    Heap,
    /// It used up its memory outside of the heap: `ArrayBuffer`s, WebAssembly.
    External,
    /// Its release was replaced, or the process ends, and what it had under way did not end in time.
    Deploy,
    /// A body on its way did not move for too long.
    Idle,
    /// It asked to be ended: `process.exit()`.
    Exit,
    /// Whoever sits in front of an interactive session pressed Ctrl-C. It ends a turn of such a session, never a guest.
    Interrupt,
}

impl Reason {
    /// All that end a guest; a reason's position is its number.
    pub const ALL: [Self; 7] =
        [Self::Cpu, Self::Wall, Self::Heap, Self::External, Self::Deploy, Self::Idle, Self::Exit];

    /// `cpu`, `wall`, `heap`, …: the value of the `atoll-termination` header, of logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Wall => "wall",
            Self::Heap => "heap",
            Self::External => "external",
            Self::Deploy => "deploy",
            Self::Idle => "idle",
            Self::Exit => "exit",
            Self::Interrupt => "interrupt",
        }
    }

    /// What limit and amount are counted in; empty where there are none.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Cpu | Self::Wall | Self::Deploy | Self::Idle => "ms",
            Self::Heap | Self::External => "bytes",
            Self::Exit | Self::Interrupt => "",
        }
    }

    /// Whether an interactive session outlives it: time was up, but the heap has room.
    fn is_survivable(self) -> bool {
        matches!(self, Self::Cpu | Self::Wall | Self::Interrupt)
    }
}

/// Why a guest's execution was ended by force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Termination {
    /// Which bound it met.
    pub reason: Reason,
    /// The bound, in the reason's [unit](Reason::unit).
    pub limit: u64,
    /// What the guest had used or wanted, in the same unit.
    pub amount: u64,
}

impl Termination {
    /// The guest asked for it.
    pub(crate) const EXIT: Self = Self { reason: Reason::Exit, limit: 0, amount: 0 };

    /// Somebody pressed Ctrl-C.
    const INTERRUPT: Self = Self { reason: Reason::Interrupt, limit: 0, amount: 0 };

    /// Time that was used up.
    pub fn time(reason: Reason, limit: Duration, used: Duration) -> Self {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self { reason, limit: milliseconds(limit), amount: milliseconds(used) }
    }

    /// Memory that was used up.
    pub(crate) fn memory(reason: Reason, limit: usize, wanted: usize) -> Self {
        Self { reason, limit: limit as u64, amount: wanted as u64 }
    }

    /// [`Reason::name`].
    pub fn name(self) -> &'static str {
        self.reason.name()
    }
}

/// `cpu (1003 of 1000 ms)`.
impl std::fmt::Display for Termination {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = self.reason.unit();
        if unit.is_empty() {
            return formatter.write_str(self.name());
        }
        write!(formatter, "{} ({} of {} {unit})", self.name(), self.amount, self.limit)
    }
}

/// An isolate's way to end its guest's execution from any thread. The first reason stays.
#[derive(Debug)]
pub(crate) struct Killer {
    handle: v8::IsolateHandle,
    reason: OnceLock<Termination>,
    /// Of an interactive session, whose turns can be ended alone.
    session: OnceLock<Mutex<SessionTurn>>,
}

/// Whether a turn of an interactive session runs, and what ends it. What comes between turns ends nothing: V8 would
/// remember it, and end the next one.
#[derive(Debug, Default)]
struct SessionTurn {
    is_running: bool,
    broken: Option<Termination>,
}

impl Killer {
    pub(crate) fn new(handle: v8::IsolateHandle) -> Self {
        Self { handle, reason: OnceLock::new(), session: OnceLock::new() }
    }

    /// From now on what a session survives ends one turn only.
    pub(crate) fn survive(&self) {
        self.session.get_or_init(Mutex::default);
    }

    pub(crate) fn kill(&self, reason: Termination) {
        match self.session.get() {
            Some(session) if reason.reason.is_survivable() => {
                let mut turn = lock(session);
                if turn.is_running {
                    turn.broken.get_or_insert(reason);
                    self.handle.terminate_execution();
                }
            }
            _ => {
                let _ = self.reason.set(reason);
                self.handle.terminate_execution();
            }
        }
    }

    /// Asks again for the end of what runs, if it was to end: where native code called JavaScript that was terminated, and
    /// returned, V8 has forgotten. Whether it was.
    pub(crate) fn kill_again(&self) -> bool {
        let is_ended = self.reason().is_some();
        if is_ended {
            self.handle.terminate_execution();
        }
        is_ended
    }

    /// Why what runs is to end, if it is.
    pub(crate) fn reason(&self) -> Option<Termination> {
        self.final_reason().or_else(|| lock(self.session.get()?).broken)
    }

    /// Why the isolate is spent, if it is.
    pub(crate) fn final_reason(&self) -> Option<Termination> {
        self.reason.get().copied()
    }

    /// A turn begins.
    pub(crate) fn begin_turn(&self) {
        if let Some(session) = self.session.get() {
            *lock(session) = SessionTurn { is_running: true, broken: None };
        }
    }

    /// A turn is over: why it was ended, if it was. What the session survives is forgotten.
    pub(crate) fn end_turn(&self) -> Option<Termination> {
        let broken = self.session.get().and_then(|session| {
            let broken = std::mem::take(&mut *lock(session)).broken;
            if broken.is_some() && self.final_reason().is_none() {
                self.handle.cancel_terminate_execution();
            }
            broken
        });
        self.final_reason().or(broken)
    }

    pub(crate) fn handle(&self) -> &v8::IsolateHandle {
        &self.handle
    }
}

/// Ends what runs in an interactive session, from any thread.
#[derive(Debug, Clone)]
pub struct Interrupter(pub(crate) Arc<Killer>);

impl Interrupter {
    /// Ends the turn that runs, if one does; the session goes on.
    pub fn interrupt(&self) {
        self.0.kill(Termination::INTERRUPT);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
