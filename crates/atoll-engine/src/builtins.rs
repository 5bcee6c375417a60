//! The engine's own builtins: stack traces and what modules need from JavaScript.

use crate::host::Host;
use crate::modules::{ImportKind, Resolved, SUFFIX_MARK};
use crate::native::{Builtin, Call, JsError, NativeFunction, NativeResult, Value, call};
use crate::natives;
use crate::snapshot::BuiltinTable;
use crate::wasm;
use std::fmt::Write;
use std::sync::Arc;

/// To be listed before the builtins of other crates.
pub const BUILTINS: &[Builtin] = &[
    Builtin {
        name: "engine/imports",
        source: include_str!("js/imports.js"),
        natives: natives! { "resolve" => resolve, "fileUrl" => file_url },
        globals: &[],
    },
    Builtin {
        name: "engine/stack",
        source: include_str!("js/stack.js"),
        natives: natives! { "originalPosition" => original_position },
        globals: &[],
    },
    Builtin {
        name: "engine/wasm",
        source: include_str!("js/wasm.js"),
        natives: natives! {
            "hold" => wasm::hold,
            "release" => wasm::release,
            "isModule" => wasm::is_module,
            "sharesMemory" => wasm::shares_memory,
            "isShared" => wasm::is_shared,
        },
        globals: &[],
    },
];

/// The callback of `natives(name)`: the native functions of a builtin, as an object that only the builtin gets; `undefined`
/// where there are none.
pub(crate) fn natives_of() -> v8::FunctionCallback {
    call::callback::<NativesOf>()
}

struct NativesOf;

impl NativeFunction for NativesOf {
    fn call(call: &mut Call<'_, '_, '_>) -> NativeResult {
        let name = call.string(0)?;
        let table = call.scope.get_slot::<BuiltinTable>();
        let natives = table.and_then(|table| table.0.iter().find(|builtin| builtin.name == name));
        let Some([first, rest @ ..]) = natives.map(|builtin| builtin.natives) else { return Ok(Value::Undefined) };
        let object = v8::Object::new(call.scope);
        for native in std::iter::once(first).chain(rest) {
            let function = v8::Function::builder_raw((native.callback)());
            let function = function.constructor_behavior(v8::ConstructorBehavior::Throw).build(call.scope);
            // Without one an exception is pending: there is no memory left.
            // A name that no function of the language has: should a native ever come into a guest's reach, it can be told.
            let label = v8::String::new(call.scope, &format!("atoll:{name}.{}", native.name));
            let key = v8::String::new(call.scope, native.name);
            let (Some(key), Some(label), Some(function)) = (key, label, function) else {
                return Ok(Value::Returned);
            };
            function.set_name(label);
            object.create_data_property(call.scope, key.into(), function.into());
        }
        call.give(object.into())
    }
}

fn no_modules() -> JsError {
    JsError::error("modules can't be resolved here")
}

/// `(specifier, referrer path)` → URL, as `import.meta.resolve`.
fn resolve(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (specifier, referrer) = (call.string(0)?, call.string(1)?);
    let loader = Host::current(call.scope).map(|host| Arc::clone(&host.modules.loader)).ok_or_else(no_modules)?;
    Ok(match loader.resolve(&specifier, &referrer, ImportKind::Import)? {
        Resolved::Builtin(name) => Value::String(name),
        Resolved::File(identity) => {
            let (path, suffix) = identity.split_once(SUFFIX_MARK).unwrap_or((&identity, ""));
            Value::String(path_to_url(path) + suffix)
        }
    })
}

/// `(path)` → `file:` URL.
fn file_url(call: &mut Call<'_, '_, '_>) -> NativeResult {
    Ok(Value::String(path_to_url(&call.string(0)?)))
}

/// The `file:` URL of an absolute guest path, with what a URL path can't hold percent-encoded (WHATWG URL, path
/// percent-encode set, and `%`, as Node's `pathToFileURL`).
pub fn path_to_url(path: &str) -> String {
    let mut url = String::with_capacity(path.len() + "file://".len());
    url.push_str("file://");
    for byte in path.bytes() {
        match byte {
            b' ' | b'"' | b'#' | b'%' | b'<' | b'>' | b'?' | b'^' | b'`' | b'{' | b'}' | b'\\' | 0..0x20 | 0x7f.. => {
                // Writing to a string can't fail.
                let _ = write!(url, "%{byte:02X}");
            }
            _ => url.push(char::from(byte)),
        }
    }
    url
}

/// `(name, line, column)` → `{ file, line, column }` in the guest's own file, or null.
fn original_position(call: &mut Call<'_, '_, '_>) -> NativeResult {
    let (name, line, column) = (call.string(0)?, call.number(1)? as u32, call.number(2)? as u32);
    let Some(host) = Host::current(call.scope) else { return Ok(Value::Null) };
    let position = host.modules.loader.original_position(&name, line, column);
    Ok(position.map_or(Value::Null, |position| {
        Value::Record(vec![
            ("file", position.file.into()),
            ("line", position.line.into()),
            ("column", position.column.into()),
        ])
    }))
}
