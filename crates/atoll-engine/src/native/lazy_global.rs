//! Globals that evaluate their builtin when they are first read.
//!
//! To guests they are data properties: writable, configurable, not enumerable. V8 asks for the value once, and keeps it.
//! In the snapshot such a property is one entry of the global object; what it refers to is shared by all contexts.

use crate::modules::{call_builtin_in, use_builtin};
use std::ffi::c_void;

/// The getter of globals that are exports of builtins, for the table of external references.
pub(crate) fn reference() -> v8::ExternalReference {
    let getter: v8::AccessorNameGetterCallback = v8::MapFnTo::map_fn_to(read);
    v8::ExternalReference { pointer: getter as *mut c_void }
}

/// Defines a global that is the export of its name of a builtin.
pub(crate) fn define(scope: &mut v8::PinScope<'_, '_>, name: &str, builtin: &str) -> Option<bool> {
    let (name, builtin) = (v8::String::new(scope, name)?, v8::String::new(scope, builtin)?);
    define_lazily(scope, name, read, builtin.into())
}

fn define_lazily<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: v8::Local<'s, v8::String>,
    getter: impl v8::MapFnTo<v8::AccessorNameGetterCallback>,
    data: v8::Local<'s, v8::Value>,
) -> Option<bool> {
    let global = scope.get_current_context().global(scope);
    let (reading, writing) = (v8::SideEffectType::HasSideEffect, v8::SideEffectType::HasSideEffect);
    let attributes = v8::PropertyAttribute::DONT_ENUM;
    global.set_lazy_data_property_with_data(scope, name.into(), getter, data, attributes, reading, writing)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is the binding's")]
fn read<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: v8::Local<'s, v8::Name>,
    arguments: v8::PropertyCallbackArguments<'s>,
    mut returned: v8::ReturnValue<'_, v8::Value>,
) {
    let Ok(builtin) = v8::Local::<v8::String>::try_from(arguments.data()) else { return };
    let builtin = builtin.to_rust_string_lossy(scope);
    // Without a value an exception is pending: the builtin can't be evaluated now, because the stack is at its end.
    let value = use_builtin(scope, &builtin).and_then(|exports| exports.get(scope, name.into()));
    if let Some(value) = value {
        returned.set(value);
    }
}

/// Has `engine/wasm` prepare the global `WebAssembly` when it is first read. V8 installs it into a context only after the
/// context was loaded from the snapshot, so this is done for each.
pub(crate) fn defer_wasm(scope: &mut v8::PinScope<'_, '_>) -> Option<bool> {
    let name = v8::String::new(scope, "WebAssembly")?;
    let global = scope.get_current_context().global(scope);
    let namespace = global.get(scope, name.into())?;
    define_lazily(scope, name, prepare_wasm, namespace)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is the binding's")]
fn prepare_wasm<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    _name: v8::Local<'s, v8::Name>,
    arguments: v8::PropertyCallbackArguments<'s>,
    mut returned: v8::ReturnValue<'_, v8::Value>,
) {
    let namespace = arguments.data();
    if call_builtin_in(scope, "engine/wasm", "install", &[namespace]).is_some() {
        returned.set(namespace);
    }
}
