//! An isolate: a heap with its limits, on which realms are made. All of them are one tenant's.

use super::{Snapshot, lock};
use crate::callbacks;
use crate::host::HOST_SLOT;
use crate::limits::memory::{BudgetSlot, BufferBudget, allocator};
use crate::limits::{HeapGuard, Interrupter, Killer, MemoryLimits, Termination};
use crate::snapshot::{BuiltinTable, external_references};
use crate::tasks::{self, TaskQueue};
use std::borrow::Cow;
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// Memory of an isolate, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// Live and garbage objects on the JavaScript heap.
    pub heap_used: usize,
    /// What the heap takes from the system.
    pub heap_total: usize,
    /// Outside of the heap: `ArrayBuffer` contents, WebAssembly memory.
    pub external: usize,
}

/// What the realms of an isolate share.
pub(crate) struct Shell {
    pub(super) shared: ManuallyDrop<v8::SharedIsolate>,
    pub(super) killer: Arc<Killer>,
    pub(super) heap_guard: Arc<HeapGuard>,
    pub(super) tasks: Arc<TaskQueue>,
    pub(super) budget: Arc<BufferBudget>,
    heap_bytes: usize,
    address: usize,
}

impl Drop for Shell {
    #[expect(unsafe_code, reason = "the order in which an isolate and what belongs to it go")]
    fn drop(&mut self) {
        // No isolate is disposed of while this thread has one entered.
        lock::release();
        self.tasks.close();
        // SAFETY: nothing uses the field after this.
        unsafe { ManuallyDrop::drop(&mut self.shared) };
        tasks::forget(self.address);
    }
}

/// See the module's documentation. Used by one thread at a time, as its realms are: a thread that gives it away calls
/// [`Isolate::release`] first.
#[derive(Clone)]
pub struct Isolate(pub(super) Arc<Shell>);

impl std::fmt::Debug for Isolate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Isolate").field("termination", &self.termination()).finish_non_exhaustive()
    }
}

impl Isolate {
    /// Makes an isolate from the snapshot, without a context: a good half of a millisecond.
    pub fn new(snapshot: Snapshot, memory: MemoryLimits) -> Self {
        crate::initialize();
        lock::release();
        let budget = BufferBudget::new(memory.external_bytes);
        let parameters = v8::CreateParams::default()
            .snapshot_blob(snapshot.blob.into())
            .external_references(external_references(snapshot.script, snapshot.builtins))
            .heap_limits(0, memory.heap_bytes)
            .allow_atomics_wait(false)
            .array_buffer_allocator(allocator(&budget));
        let mut isolate = v8::Isolate::new(parameters);
        budget.set_baseline(&mut isolate);
        callbacks::install(&mut isolate);
        let killer = Arc::new(Killer::new(isolate.thread_safe_handle()));
        budget.set_killer(Arc::clone(&killer));
        let heap_guard = HeapGuard::install(&mut isolate, Arc::clone(&killer), Arc::clone(&budget), memory.heap_bytes);
        isolate.set_slot(BudgetSlot(Arc::clone(&budget)));
        isolate.set_slot(BuiltinTable(Cow::Borrowed(snapshot.builtins)));
        isolate.set_data(HOST_SLOT, std::ptr::null_mut());
        #[expect(unsafe_code, reason = "the raw address is the key of the queue")]
        // SAFETY: the type is a transparent wrapper of a pointer, which is used as a number only.
        let address =
            unsafe { std::mem::transmute::<v8::UnsafeRawIsolatePtr, *const c_void>(isolate.as_raw_isolate_ptr()) }
                .addr();
        #[expect(unsafe_code, reason = "V8 can't check what hangs on an isolate")]
        // SAFETY: the slots hold `BudgetSlot` and `BuiltinTable`, whose contents are `Send`, and a pointer that is null outside of turns;
        // callbacks are plain functions; the allocator and the heap guard are reached through atomics; there is no
        // `Global` yet.
        let shared = unsafe { isolate.try_into_shared() };
        let shared = shared.expect("a fresh isolate has no weak handles and no embedder heap");
        Self(Arc::new(Shell {
            shared: ManuallyDrop::new(shared),
            killer,
            heap_guard,
            tasks: tasks::queue_of(address),
            budget,
            heap_bytes: memory.heap_bytes,
            address,
        }))
    }

    /// The heap limit that it was made with, bytes.
    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes
    }

    /// Changes the limit on memory outside of the heap, for an isolate that was made before it was known for whom.
    pub fn set_external_bytes(&self, bytes: usize) {
        self.0.budget.set_limit(bytes);
    }

    /// Whether somebody else refers to the isolate, too: another realm, or a copy of this.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Lets another thread use the isolate: this thread no longer has it entered.
    pub fn release(&self) {
        lock::release();
    }

    /// Why the isolate is spent, if it is.
    pub fn termination(&self) -> Option<Termination> {
        self.0.killer.final_reason()
    }

    /// From now on a limit on time ends one turn, and the isolate goes on, as it does after an interrupt: for an interactive
    /// session, which belongs to whoever typed what is ended. What was ended half-way stays as it is.
    pub fn survive(&self) -> Interrupter {
        self.0.killer.survive();
        Interrupter(Arc::clone(&self.0.killer))
    }

    /// A way to end what runs on the isolate, from any thread.
    pub fn terminator(&self) -> Terminator {
        Terminator(Arc::clone(&self.0.killer))
    }

    /// Runs `body` with the isolate locked and entered, outside of turns: to drop what refers to its heap.
    pub(crate) fn with_entered<R>(&self, body: impl FnOnce(&mut v8::Isolate) -> R) -> R {
        lock::with(&self.0, body)
    }

    /// Memory in use.
    pub fn memory(&self) -> MemoryUse {
        lock::with(&self.0, |isolate| {
            let statistics = isolate.get_heap_statistics();
            MemoryUse {
                heap_used: statistics.used_heap_size(),
                heap_total: statistics.total_heap_size(),
                external: self.0.budget.external(isolate).max(self.0.budget.used()),
            }
        })
    }

    /// Gives back what memory can be given back: a full garbage collection, milliseconds for each 10 MB that live.
    pub fn shrink(&self) {
        if self.termination().is_none() {
            lock::with(&self.0, |isolate| isolate.memory_pressure_notification(v8::MemoryPressureLevel::Critical));
        }
    }
}

/// Ends an isolate's execution from any thread.
#[derive(Debug, Clone)]
pub struct Terminator(Arc<Killer>);

impl Terminator {
    /// Ends what runs now and spends the isolate.
    pub fn terminate(&self, reason: Termination) {
        self.0.kill(reason);
    }
}
