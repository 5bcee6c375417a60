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

use std::sync::OnceLock;
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
}

impl Reason {
    /// All of them; a reason's position is its number.
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
        }
    }

    /// What limit and amount are counted in; empty where there are none.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Cpu | Self::Wall | Self::Deploy | Self::Idle => "ms",
            Self::Heap | Self::External => "bytes",
            Self::Exit => "",
        }
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
}

impl Killer {
    pub(crate) fn new(handle: v8::IsolateHandle) -> Self {
        Self { handle, reason: OnceLock::new() }
    }

    pub(crate) fn kill(&self, reason: Termination) {
        let _ = self.reason.set(reason);
        self.handle.terminate_execution();
    }

    pub(crate) fn reason(&self) -> Option<Termination> {
        self.reason.get().copied()
    }

    pub(crate) fn handle(&self) -> &v8::IsolateHandle {
        &self.handle
    }
}
