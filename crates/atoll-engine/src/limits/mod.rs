//! What keeps a guest within its bounds: memory by the allocator and V8's heap callback, CPU by the shared watchdog.
//!
//! Whatever limit is hit, the guest's execution is terminated, the reason is kept, and the isolate is discarded: after
//! a termination its heap may hold half-made objects.

mod heap;
pub(crate) mod memory;
mod watchdog;

pub(crate) use heap::HeapGuard;
pub(crate) use watchdog::Watch;

use std::sync::atomic::{AtomicU8, Ordering};

/// What a worker may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// JavaScript heap, bytes.
    pub heap_bytes: usize,
    /// `ArrayBuffer` contents, bytes, counted apart from the heap.
    pub buffer_bytes: usize,
}

/// Why a guest's execution was ended by force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Termination {
    /// It used up its CPU time.
    Cpu = 1,
    /// It used up its time by the clock.
    Wall = 2,
    /// It used up its heap or its `ArrayBuffer` memory.
    Memory = 3,
    /// It asked to be ended: `process.exit()`.
    Exit = 4,
}

impl Termination {
    /// `cpu`, `wall`, `memory`, `exit`: the value of the `atoll-termination` header, of logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Wall => "wall",
            Self::Memory => "memory",
            Self::Exit => "exit",
        }
    }
}

/// An isolate's way to end its guest's execution from any thread. The first reason stays.
#[derive(Debug)]
pub(crate) struct Killer {
    handle: v8::IsolateHandle,
    reason: AtomicU8,
}

impl Killer {
    pub(crate) fn new(handle: v8::IsolateHandle) -> Self {
        Self { handle, reason: AtomicU8::new(0) }
    }

    pub(crate) fn kill(&self, reason: Termination) {
        let _ = self.reason.compare_exchange(0, reason as u8, Ordering::AcqRel, Ordering::Acquire);
        self.handle.terminate_execution();
    }

    pub(crate) fn reason(&self) -> Option<Termination> {
        match self.reason.load(Ordering::Acquire) {
            1 => Some(Termination::Cpu),
            2 => Some(Termination::Wall),
            3 => Some(Termination::Memory),
            4 => Some(Termination::Exit),
            _ => None,
        }
    }

    pub(crate) fn handle(&self) -> &v8::IsolateHandle {
        &self.handle
    }
}
