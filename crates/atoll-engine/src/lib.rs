//! V8, made safe to hand to guests: platform, startup snapshot, realms and their limits, modules, code cache.
//!
//! The only crate that names V8's types. What it offers upwards: [`Builtin`]s with native functions over a [`Call`], a
//! [`Realm`] in which they run turn by turn, and traits through which modules and cached code come from elsewhere.

mod builtins;
mod callbacks;
mod exception;
mod host;
mod inspector;
mod limits;
mod modules;
mod native;
mod ops;
mod platform;
mod realm;
mod request;
mod snapshot;
mod tasks;
mod turn;
mod wasm;

pub use builtins::{BUILTINS, path_to_url};
pub use exception::{Details, Exception};
pub use host::State;
pub use inspector::{Evaluated, EvaluationId, Inspector};
pub use limits::{Interrupter, MemoryLimits, Reason, Termination};
pub use modules::{
    CodeCache, ImportKind, ModuleFormat, ModuleLoader, ModuleSource, Resolved, Ripeness, SUFFIX_MARK, SourcePosition,
};
pub use native::{
    Builtin, Call, ErrorKind, Global, GuestBuffer, GuestMemory, GuestShare, JsError, Native, NativeFunction,
    NativeResult, Texts, Value,
};
pub use platform::{initialize, v8_version};
pub use realm::{Allowance, Binding, Isolate, MemoryUse, Realm, Snapshot, Terminator, TurnBudget, TurnReport};
pub use snapshot::{Built, SharedText, SnapshotError, build as build_snapshot};
pub use turn::{Argument, Evaluation, EvaluationState, Function, Handle, MAX_ARGUMENTS, Settled, Turn};
