//! How Rust offers functions to the platform's JavaScript.
//!
//! A [`Builtin`] is one JavaScript source with the native functions that only it can reach: they are handed to it as
//! an argument when it is evaluated, never through a global, so guest code can neither call nor replace them. A native
//! is a plain Rust function over a [`Call`]; no crate but this one sees a V8 type.

mod buffer;
pub(crate) mod call;
mod error;
mod inspect;
pub(crate) mod lazy_global;
mod modules;
mod value;

pub use buffer::{GuestBuffer, GuestMemory, GuestShare};
pub use call::Call;
pub use error::{ErrorKind, JsError};
pub use value::{Texts, Value};
pub(crate) use value::{copied_to_v8, text, to_v8};

/// What a native function returns: a value for JavaScript, or an exception to throw.
pub type NativeResult = Result<Value, JsError>;

/// One source of the platform's JavaScript, evaluated as the body of
/// `function (exports, native, use, primordials)`.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    /// `web/url`, `node:fs`, `node/internal/errors`.
    pub name: &'static str,
    /// Function body, strict mode.
    pub source: &'static str,
    /// The native functions that only this builtin gets.
    pub natives: &'static [Native],
    /// Exports that become globals.
    pub globals: &'static [Global],
}

/// An export of a builtin that guests see as a global: writable, configurable, not enumerable. Its builtin is evaluated
/// when the global is first read.
#[derive(Debug, Clone, Copy)]
pub struct Global {
    /// Name of the export and of the global.
    pub name: &'static str,
    /// Whether the snapshot lacks the builtin's compiled code, which is then made when it is first wanted.
    pub lazy: bool,
}

impl Global {
    /// A global that many guests use: the startup snapshot holds its builtin's compiled code.
    pub const fn eager(name: &'static str) -> Self {
        Self { name, lazy: false }
    }

    /// A global that few guests use.
    pub const fn lazy(name: &'static str) -> Self {
        Self { name, lazy: true }
    }
}

/// A native function under the name by which its builtin calls it.
#[derive(Clone, Copy)]
pub struct Native {
    pub(crate) name: &'static str,
    pub(crate) callback: fn() -> v8::FunctionCallback,
}

impl std::fmt::Debug for Native {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Native").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A native function as a type; [`natives!`] makes one for each function.
pub trait NativeFunction {
    /// Runs the function.
    fn call(call: &mut Call<'_, '_, '_>) -> NativeResult;
}

impl Native {
    /// Binds `F` to a name. Use [`natives!`].
    pub const fn new<F: NativeFunction + 'static>(name: &'static str) -> Self {
        Self { name, callback: call::callback::<F> }
    }

    /// The name by which its builtin calls it.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// A table of native functions: `natives! { "parse" => parse, "canParse" => can_parse }`.
#[macro_export]
macro_rules! natives {
    ($($name:literal => $function:path),* $(,)?) => {
        &[$({
            #[derive(Debug)]
            struct Entry;
            impl $crate::NativeFunction for Entry {
                fn call(call: &mut $crate::Call<'_, '_, '_>) -> $crate::NativeResult {
                    $function(call)
                }
            }
            $crate::Native::new::<Entry>($name)
        }),*]
    };
}
