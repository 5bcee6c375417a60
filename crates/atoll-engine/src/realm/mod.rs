//! A realm: one context on an isolate, with its host.
//!
//! A realm is `Send` and used by one thread at a time, and all realms of an isolate by the same. All JavaScript runs in
//! [`Realm::turn`]: the isolate is locked and entered, the watchdog armed, the host put where natives find it. Once a limit was hit
//! the isolate is spent: every later turn of its realms returns the reason; it goes with the last of them.

mod isolate;
mod lock;

pub use isolate::{Isolate, MemoryUse, Terminator};

use crate::host::{HOST_SLOT, Hooks, Host, State};
use crate::limits::{Termination, Watch, memory};
use crate::modules::{CodeCache, ModuleLoader, ModuleMap};
use crate::native::{Builtin, lazy_global};
use crate::ops::Ops;
use crate::snapshot::{COMPLETE_INDEX, PREPARE_STACK_TRACE_INDEX, SharedText, USE_BUILTIN_INDEX};
use crate::tasks::Subscription;
use crate::turn::{Settled, Turn};
use std::ffi::c_void;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What isolates and realms are made from; the same for all of a process.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot {
    /// The heap that [`crate::build_snapshot`] made of `builtins`.
    pub blob: &'static [u8],
    /// The text that belongs to it.
    pub script: &'static SharedText,
    /// The builtins, in the same order as at build time.
    pub builtins: &'static [Builtin],
}

/// What makes a realm somebody's.
pub struct Binding {
    /// Where its modules come from.
    pub loader: Arc<dyn ModuleLoader>,
    /// Where compiled code is kept.
    pub code_cache: Option<Arc<dyn CodeCache>>,
    /// State for its natives.
    pub state: State,
    /// Whether `eval` and `new Function` work.
    pub allow_eval: bool,
    /// Whether WebAssembly can be compiled.
    pub allow_wasm: bool,
}

impl std::fmt::Debug for Binding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Binding").field("state", &self.state).finish_non_exhaustive()
    }
}

/// A limit on a kind of time, and what of it earlier turns used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// In all.
    pub limit: Duration,
    /// Used before this turn.
    pub used: Duration,
}

impl Allowance {
    /// All of it is left.
    pub const fn new(limit: Duration) -> Self {
        Self { limit, used: Duration::ZERO }
    }

    /// What is left.
    pub fn left(self) -> Duration {
        self.limit.saturating_sub(self.used)
    }
}

/// What a turn may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnBudget {
    /// CPU time of the thread.
    pub cpu: Allowance,
    /// Time by the clock.
    pub wall: Allowance,
}

/// What a turn gave and used.
#[derive(Debug)]
pub struct TurnReport<R> {
    /// What the body returned.
    pub value: R,
    /// CPU time used.
    pub cpu: Duration,
}

/// The queue's handle frees a root in the isolate's heap, so it is dropped under the lock; see [`Realm`]'s `Drop`.
struct Queue(v8::MicrotaskQueueHandle);

#[expect(unsafe_code, reason = "the handle is a pointer, which Rust holds for bound to its thread")]
// SAFETY: the handle is used and dropped only under the isolate's lock.
unsafe impl Send for Queue {}

/// See the module's documentation.
pub struct Realm {
    context: Option<v8::Global<v8::Context>>,
    queue: Option<Queue>,
    host: Box<Host>,
    tasks: Subscription,
    /// Last: what is above refers to its heap.
    isolate: Isolate,
}

impl std::fmt::Debug for Realm {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Realm").field("termination", &self.termination()).finish_non_exhaustive()
    }
}

impl Realm {
    /// Makes a context from the snapshot: a quarter of a millisecond. It can't run anything before [`Realm::bind`].
    pub fn new(isolate: &Isolate) -> Self {
        let (context, queue, hooks) = lock::with(&isolate.0, |entered| {
            let queue = v8::MicrotaskQueue::new(entered, v8::MicrotasksPolicy::Explicit);
            v8::scope!(let scope, entered);
            let microtask_queue = std::ptr::from_ref::<v8::MicrotaskQueue>(&queue).cast_mut();
            let context = v8::Context::new(
                scope,
                v8::ContextOptions { microtask_queue: Some(microtask_queue), ..v8::ContextOptions::default() },
            );
            let scope = &mut v8::ContextScope::new(scope, context);
            let function = |index| {
                let function = scope.get_context_data_from_snapshot_once::<v8::Function>(index);
                function.expect("the snapshot that this binary was built with holds it")
            };
            let use_builtin = Some(v8::Global::new(scope, function(USE_BUILTIN_INDEX)));
            let prepare_stack_trace = Some(v8::Global::new(scope, function(PREPARE_STACK_TRACE_INDEX)));
            let hooks = Hooks { use_builtin, prepare_stack_trace, create_error: None };
            let nothing = v8::undefined(scope);
            let complete = function(COMPLETE_INDEX).call(scope, nothing.into(), &[]);
            assert!(complete.is_some_and(|complete| complete.is_true()), "V8 has installed what the snapshot lacks");
            let deferred = lazy_global::defer_wasm(scope);
            assert_eq!(deferred, Some(true), "V8 has installed WebAssembly, and nobody has touched it");
            (v8::Global::new(scope, context), Queue(queue), hooks)
        });
        let host = Box::new(Host {
            state: State::default(),
            ops: Ops::default(),
            hooks,
            modules: ModuleMap::default(),
            rejections: Vec::new(),
            killer: Arc::clone(&isolate.0.killer),
            allow_wasm: true,
            compiling: 0,
            nameless_referrer: None,
        });
        let tasks = isolate.0.tasks.subscribe();
        Self { context: Some(context), queue: Some(queue), host, tasks, isolate: isolate.clone() }
    }

    /// Gives the realm to somebody.
    pub fn bind(&mut self, binding: Binding) {
        let Binding { loader, code_cache, state, allow_eval, allow_wasm } = binding;
        self.host.modules = ModuleMap::new(loader, code_cache);
        self.host.state = state;
        self.host.allow_wasm = allow_wasm;
        if !allow_eval {
            self.enter(|turn| {
                turn.forbid_eval();
            });
        }
    }

    /// Runs `body` in the realm within `budget`. Errors: the isolate hit a limit, in this turn or an earlier one, or the
    /// turn was ended and the isolate goes on; see [`Isolate::survive`].
    pub fn turn<R>(
        &mut self,
        budget: TurnBudget,
        body: impl FnOnce(&mut Turn<'_, '_, '_>) -> R,
    ) -> Result<TurnReport<R>, Termination> {
        let killer = Arc::clone(&self.isolate.0.killer);
        if let Some(reason) = killer.final_reason() {
            return Err(reason);
        }
        killer.begin_turn();
        let (value, cpu) = Watch::over(&killer, budget.cpu, budget.wall, || self.enter(body));
        match killer.end_turn() {
            Some(reason) => Err(reason),
            None => Ok(TurnReport { value, cpu }),
        }
    }

    pub(crate) fn enter<R>(&mut self, body: impl FnOnce(&mut Turn<'_, '_, '_>) -> R) -> R {
        let Self { context, queue, host, tasks, isolate } = self;
        let (Some(context), Some(Queue(queue))) = (context, queue) else { unreachable!("only dropping takes them") };
        let host = std::ptr::from_mut::<Host>(host).cast::<c_void>();
        let shell = &isolate.0;
        lock::with(shell, |entered| {
            // Natives reach the host by this pointer, and nothing else touches it until it is taken back.
            entered.set_data(HOST_SLOT, host);
            let value = {
                v8::scope!(let scope, entered);
                let context = v8::Local::new(scope, &*context);
                let scope = &mut v8::ContextScope::new(scope, context);
                if shell.tasks.has_ready() {
                    shell.tasks.take().into_iter().for_each(v8::Task::run);
                }
                shell.tasks.note_turn(tasks);
                body(&mut Turn::new(scope, queue))
            };
            entered.set_data(HOST_SLOT, std::ptr::null_mut());
            memory::check_external(entered, &shell.budget);
            value
        })
    }

    /// The isolate that the realm is on.
    pub fn isolate(&self) -> &Isolate {
        &self.isolate
    }

    /// Why the isolate is spent, if it is.
    pub fn termination(&self) -> Option<Termination> {
        self.isolate.termination()
    }

    /// Code that has no name imports relative to this guest path.
    pub(crate) fn set_nameless_referrer(&mut self, path: String) {
        self.host.nameless_referrer = Some(path);
    }

    /// State of the worker, between turns.
    pub fn state(&mut self) -> &mut State {
        &mut self.host.state
    }

    /// Operations that have finished, of one request; or V8 has something to do in a turn of the realm, whatever the
    /// turn is for. Pending until one of both is the case. Needs no lock.
    pub fn poll_operations(&mut self, context: &mut Context<'_>) -> Poll<Settled> {
        self.tasks.register(context.waker());
        if let Poll::Ready(settled) = self.host.ops.poll_ready(context) {
            return Poll::Ready(settled);
        }
        if self.isolate.0.tasks.wants_turn(&self.tasks) { Poll::Ready(Settled::default()) } else { Poll::Pending }
    }

    /// How many operations were ever started.
    pub fn operations_started(&self) -> u64 {
        self.host.ops.started()
    }

    /// Whether an operation is under way, or a compilation in the background.
    pub fn has_operations(&self) -> bool {
        !self.host.ops.is_empty() || self.host.compiling > 0
    }

    /// As [`Realm::has_operations`], without operations that a program does not wait for before it ends.
    pub fn is_kept_alive(&self) -> bool {
        self.host.ops.keep_alive() || self.host.compiling > 0
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        // What refers to the heap goes while the lock is held, at once and not at the next turn of another realm.
        lock::with(&self.isolate.0, |_| {
            self.host.clear();
            self.queue.take();
            self.context.take();
        });
    }
}
