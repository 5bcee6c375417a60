//! What a worker's natives work with during a turn.
//!
//! A [`Host`] belongs to one realm. While a turn of that realm runs, the isolate points to it, so a native always meets
//! the state of the worker that called it. All of it is `Send`: a realm may change threads between turns.

use crate::limits::Killer;
use crate::modules::ModuleMap;
use crate::ops::Ops;
use std::any::{Any, TypeId};
use std::sync::Arc;

/// State of a worker, one value for each type.
#[derive(Default)]
pub struct State {
    values: Vec<(TypeId, Box<dyn Any + Send>)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("State").field("values", &self.values.len()).finish()
    }
}

impl State {
    /// Adds a value, replacing the one of the same type.
    pub fn insert<T: Send + 'static>(&mut self, value: T) {
        let id = TypeId::of::<T>();
        self.values.retain(|(other, _)| *other != id);
        self.values.push((id, Box::new(value)));
    }

    /// The value of type `T`.
    pub fn get<T: Send + 'static>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        self.values.iter().find(|(other, _)| *other == id)?.1.downcast_ref()
    }

    /// The value of type `T`, mutably.
    pub fn get_mut<T: Send + 'static>(&mut self) -> Option<&mut T> {
        let id = TypeId::of::<T>();
        self.values.iter_mut().find(|(other, _)| *other == id)?.1.downcast_mut()
    }
}

/// Functions of the platform's JavaScript that the engine itself calls.
#[derive(Default)]
pub(crate) struct Hooks {
    /// `use(name)`: the exports of a builtin.
    pub(crate) use_builtin: Option<v8::Global<v8::Function>>,
    /// `(name, message)` → `DOMException`.
    pub(crate) create_error: Option<v8::Global<v8::Function>>,
    /// `(error, callSites)` → the `stack` string.
    pub(crate) prepare_stack_trace: Option<v8::Global<v8::Function>>,
}

/// A promise rejected without a handler, until the end of the turn decides what becomes of it.
pub(crate) struct Rejection {
    pub(crate) promise: v8::Global<v8::Promise>,
    pub(crate) reason: v8::Global<v8::Value>,
}

/// The most unhandled rejections that are kept for one turn; what comes after is dropped. A guest that makes more in
/// one turn learns of the first ones.
const MAX_REJECTIONS_PER_TURN: usize = 256;

pub(crate) struct Host {
    pub(crate) state: State,
    pub(crate) ops: Ops,
    pub(crate) hooks: Hooks,
    pub(crate) modules: ModuleMap,
    pub(crate) rejections: Vec<Rejection>,
    pub(crate) killer: Arc<Killer>,
    pub(crate) allow_wasm: bool,
    /// WebAssembly modules that V8 compiles in the background.
    pub(crate) compiling: u32,
    /// The guest path relative to which code without a name imports: that which is typed into a session.
    pub(crate) nameless_referrer: Option<String>,
}

/// Which of the isolate's embedder data is the pointer to the [`Host`] of the turn that runs; null outside of turns.
pub(crate) const HOST_SLOT: u32 = 0;

impl Host {
    /// The host of the turn that runs on this isolate; none outside turns and while the snapshot is built.
    pub(crate) fn current(isolate: &mut v8::Isolate) -> Option<&mut Host> {
        let host = isolate.get_data(HOST_SLOT).cast::<Host>();
        #[expect(unsafe_code, reason = "V8 keeps a pointer")]
        // SAFETY: the pointer is null or was made by `Realm::enter` from a unique borrow of the host, which ends only
        // after the pointer was taken back; the unique borrow of the isolate keeps two references from being alive.
        unsafe {
            host.as_mut()
        }
    }

    pub(crate) fn note_rejection(&mut self, promise: v8::Global<v8::Promise>, reason: v8::Global<v8::Value>) {
        if self.rejections.len() < MAX_REJECTIONS_PER_TURN {
            self.rejections.push(Rejection { promise, reason });
        }
    }

    /// Drops all that refers to the heap.
    pub(crate) fn clear(&mut self) {
        self.state = State::default();
        self.ops = Ops::default();
        self.hooks = Hooks::default();
        self.modules = ModuleMap::default();
        self.rejections.clear();
    }
}
