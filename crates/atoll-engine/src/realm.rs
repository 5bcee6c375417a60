//! A realm: one context on an isolate of its own, with its limits and its host.
//!
//! A realm is `Send` and used by one thread at a time. All JavaScript runs in [`Realm::turn`]: the isolate is locked,
//! the watchdog armed, the host put into the isolate's slot. Once a limit was hit the realm is spent: every later turn
//! returns the reason, and dropping it frees the isolate.

use crate::callbacks;
use crate::host::{Hooks, Host, HostSlot, State};
use crate::limits::memory::{BudgetSlot, BufferBudget, allocator};
use crate::limits::{HeapGuard, Killer, MemoryLimits, Termination, Watch};
use crate::modules::{CodeCache, ModuleLoader, ModuleMap};
use crate::native::{Builtin, Value};
use crate::ops::Ops;
use crate::snapshot::{USE_BUILTIN_INDEX, external_references};
use crate::turn::{Settled, Turn};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What realms are made from; the same for all of a process.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot {
    /// What [`crate::build_snapshot`] returned for `builtins`.
    pub blob: &'static [u8],
    /// The builtins, in the same order as at build time.
    pub builtins: &'static [Builtin],
}

/// What one realm is made with.
pub struct RealmOptions {
    /// Startup snapshot.
    pub snapshot: Snapshot,
    /// Memory limits.
    pub memory: MemoryLimits,
    /// Where its modules come from.
    pub loader: Arc<dyn ModuleLoader>,
    /// Where compiled code is kept.
    pub code_cache: Option<Arc<dyn CodeCache>>,
    /// State for its natives.
    pub state: State,
}

impl std::fmt::Debug for RealmOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RealmOptions").field("memory", &self.memory).finish_non_exhaustive()
    }
}

/// What a turn may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnBudget {
    /// CPU time of the thread.
    pub cpu: Duration,
    /// Time by the clock.
    pub wall: Duration,
}

/// What a turn gave and used.
#[derive(Debug)]
pub struct TurnReport<R> {
    /// What the body returned.
    pub value: R,
    /// CPU time used.
    pub cpu: Duration,
}

/// Memory of a realm, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// Live and garbage objects on the JavaScript heap.
    pub heap_used: usize,
    /// What the heap takes from the system.
    pub heap_total: usize,
    /// `ArrayBuffer` contents.
    pub buffers: usize,
}

/// The queue's handle frees a root in the isolate's heap, so it is dropped under the lock; see [`Realm`]'s `Drop`.
struct Queue(v8::MicrotaskQueueHandle);

#[expect(unsafe_code, reason = "the handle is a pointer, which Rust holds for bound to its thread")]
// SAFETY: the handle is used and dropped only under the isolate's lock.
unsafe impl Send for Queue {}

/// See the module's documentation.
pub struct Realm {
    context: v8::Global<v8::Context>,
    queue: Option<Queue>,
    host: Option<Box<Host>>,
    killer: Arc<Killer>,
    budget: Arc<BufferBudget>,
    isolate: v8::SharedIsolate,
    /// After the isolate: V8 holds its address.
    _heap_guard: Box<HeapGuard>,
}

impl std::fmt::Debug for Realm {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Realm").field("termination", &self.killer.reason()).finish_non_exhaustive()
    }
}

impl Realm {
    /// Makes an isolate and its context from the snapshot: about a millisecond.
    pub fn new(options: RealmOptions) -> Self {
        crate::initialize();
        let budget = BufferBudget::new(options.memory.buffer_bytes);
        let parameters = v8::CreateParams::default()
            .snapshot_blob(options.snapshot.blob.into())
            .external_references(external_references(options.snapshot.builtins))
            .heap_limits(0, options.memory.heap_bytes)
            .allow_atomics_wait(false)
            .array_buffer_allocator(allocator(&budget));
        let mut isolate = v8::Isolate::new(parameters);
        callbacks::install(&mut isolate);
        let killer = Arc::new(Killer::new(isolate.thread_safe_handle()));
        budget.set_killer(Arc::clone(&killer));
        let heap_guard = HeapGuard::install(&mut isolate, Arc::clone(&killer));
        isolate.set_slot(BudgetSlot(Arc::clone(&budget)));
        isolate.set_slot(HostSlot(None));

        let queue = v8::MicrotaskQueue::new(&mut isolate, v8::MicrotasksPolicy::Explicit);
        let mut hooks = Hooks::default();
        let context = {
            v8::scope!(let scope, &mut isolate);
            let microtask_queue = std::ptr::from_ref::<v8::MicrotaskQueue>(&queue).cast_mut();
            let context = v8::Context::new(
                scope,
                v8::ContextOptions { microtask_queue: Some(microtask_queue), ..v8::ContextOptions::default() },
            );
            let scope = &mut v8::ContextScope::new(scope, context);
            let use_builtin = scope
                .get_context_data_from_snapshot_once::<v8::Function>(USE_BUILTIN_INDEX)
                .expect("the snapshot that this binary was built with holds it");
            hooks.use_builtin = Some(v8::Global::new(scope, use_builtin));
            v8::Global::new(scope, context)
        };
        let host = Host {
            state: options.state,
            ops: Ops::default(),
            hooks,
            modules: ModuleMap::new(options.loader, options.code_cache),
            rejections: Vec::new(),
            killer: Arc::clone(&killer),
        };
        #[expect(unsafe_code, reason = "V8 can't check what hangs on an isolate")]
        // SAFETY: the slots hold `HostSlot` and `BudgetSlot`, whose contents are `Send`; callbacks are plain functions;
        // the allocator and the heap guard are reached through atomics; no reference into a `Global` is alive.
        let shared = unsafe { isolate.try_into_shared() };
        let isolate = shared.expect("a fresh isolate has no weak handles and no embedder heap");
        let mut realm = Self {
            context,
            queue: Some(Queue(queue)),
            host: Some(Box::new(host)),
            killer,
            budget,
            isolate,
            _heap_guard: heap_guard,
        };
        realm.find_hooks();
        realm
    }

    /// # Panics
    /// When the platform's JavaScript names a primordial that does not exist: a fault of this build.
    fn find_hooks(&mut self) {
        let found = self.enter(|turn| {
            let missing = turn.call_builtin("engine/primordials", "complete", &[]);
            assert_eq!(missing, Ok(Value::String(String::new())), "these primordials don't exist");
            let create_error = turn.global_function("web/dom-exception", "createError");
            let prepare_stack_trace = turn.global_function("engine/stack", "prepareStackTrace");
            (create_error, prepare_stack_trace)
        });
        if let Some(host) = &mut self.host {
            (host.hooks.create_error, host.hooks.prepare_stack_trace) = found;
        }
    }

    /// Runs `body` in the realm within `budget`. Errors: the realm hit a limit, in this turn or an earlier one.
    pub fn turn<R>(
        &mut self,
        budget: TurnBudget,
        body: impl FnOnce(&mut Turn<'_, '_, '_>) -> R,
    ) -> Result<TurnReport<R>, Termination> {
        if let Some(reason) = self.killer.reason() {
            return Err(reason);
        }
        let watch = Watch::of_current_thread();
        let started = watch.cpu();
        watch.arm(Arc::clone(&self.killer), started, budget.cpu, budget.wall);
        let value = self.enter(body);
        watch.disarm();
        match self.killer.reason() {
            Some(reason) => Err(reason),
            None => Ok(TurnReport { value, cpu: watch.cpu().saturating_sub(started) }),
        }
    }

    fn enter<R>(&mut self, body: impl FnOnce(&mut Turn<'_, '_, '_>) -> R) -> R {
        let queue = &self.queue.as_ref().expect("only dropping takes the queue").0;
        let mut locker = self.isolate.lock();
        locker.set_slot(HostSlot(self.host.take()));
        let value = {
            v8::scope!(let scope, &mut *locker);
            let context = v8::Local::new(scope, &self.context);
            let scope = &mut v8::ContextScope::new(scope, context);
            body(&mut Turn::new(scope, queue))
        };
        self.host = locker.get_slot_mut::<HostSlot>().and_then(|slot| slot.0.take());
        value
    }

    /// Why the realm is spent, if it is.
    pub fn termination(&self) -> Option<Termination> {
        self.killer.reason()
    }

    /// A way to end what the realm runs, from any thread.
    pub fn terminator(&self) -> Terminator {
        Terminator(Arc::clone(&self.killer))
    }

    /// State of the worker, between turns.
    pub fn state(&mut self) -> &mut State {
        &mut self.host.as_mut().expect("between turns the host is here").state
    }

    /// Operations that have finished; pending until one has. Needs no lock.
    pub fn poll_operations(&mut self, context: &mut Context<'_>) -> Poll<Settled> {
        let host = self.host.as_mut().expect("between turns the host is here");
        host.ops.poll_ready(context).map(Settled)
    }

    /// How many operations were ever started.
    pub fn operations_started(&self) -> u64 {
        self.host.as_ref().map_or(0, |host| host.ops.started())
    }

    /// Whether an operation is under way.
    pub fn has_operations(&self) -> bool {
        self.host.as_ref().is_some_and(|host| !host.ops.is_empty())
    }

    /// Memory in use. Takes the isolate's lock.
    pub fn memory(&mut self) -> MemoryUse {
        let statistics = self.isolate.lock().get_heap_statistics();
        MemoryUse {
            heap_used: statistics.used_heap_size(),
            heap_total: statistics.total_heap_size(),
            buffers: self.budget.used(),
        }
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        // What refers to the heap goes while the lock is held; then the isolate.
        let locker = self.isolate.lock();
        self.host.take();
        self.queue.take();
        drop(locker);
    }
}

/// Ends a realm's execution from any thread.
#[derive(Debug, Clone)]
pub struct Terminator(Arc<Killer>);

impl Terminator {
    /// Ends what runs now and spends the realm.
    pub fn terminate(&self, reason: Termination) {
        self.0.kill(reason);
    }
}
