//! The startup snapshot: a heap in which the platform's JavaScript is evaluated already.
//!
//! It is built by [`build`] while Atoll itself is built, and loading it is the only way in which a context is made.
//! Native functions are bound through one table of external references: the snapshot holds positions in the table, so
//! builder and loader must pass the same builtins in the same order, and nothing else has to agree.

use crate::native::Builtin;
use crate::platform;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A snapshot could not be built: the platform's own JavaScript is at fault.
#[derive(Debug, thiserror::Error)]
#[error("the startup snapshot can't be built: {builtin}: {message}")]
pub struct SnapshotError {
    builtin: String,
    message: String,
}

/// Position of `use` among the context's data.
pub(crate) const USE_BUILTIN_INDEX: usize = 0;

/// The external references of `builtins`, in the order in which they are declared.
pub(crate) fn external_references(builtins: &[Builtin]) -> Cow<'static, [v8::ExternalReference]> {
    let natives = builtins.iter().flat_map(|builtin| builtin.natives);
    let references = natives.map(|native| v8::ExternalReference { function: (native.callback)() });
    references.collect::<Vec<_>>().into()
}

/// Builds the snapshot of `builtins`. Deterministic for one build of Atoll; takes about a second.
pub fn build(builtins: &[Builtin]) -> Result<Vec<u8>, SnapshotError> {
    platform::initialize();
    let mut creator = v8::Isolate::snapshot_creator(Some(external_references(builtins)), None);
    let linked = {
        v8::scope!(let scope, &mut creator);
        let context = v8::Context::new(scope, v8::ContextOptions::default());
        let scope = &mut v8::ContextScope::new(scope, context);
        let linked = link(scope, builtins).map(|use_builtin| {
            let index = scope.add_context_data(context, use_builtin);
            assert_eq!(index, USE_BUILTIN_INDEX, "the context holds no other data");
        });
        scope.set_default_context(context);
        linked
    };
    // V8 wants a creator to make its blob, also when there is nothing worth keeping.
    let blob = creator.create_blob(v8::FunctionCodeHandling::Keep);
    linked?;
    let blob = blob.ok_or_else(|| failed("engine/bootstrap", "V8 could not serialise the heap"))?;
    Ok(blob.to_vec())
}

fn link<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    builtins: &[Builtin],
) -> Result<v8::Local<'s, v8::Function>, SnapshotError> {
    let names = text_array(scope, primordial_names(builtins));
    let make = compile(scope, "engine/primordials", include_str!("js/primordials.js"), &["names"])?;
    let captured = run(scope, "engine/primordials", make, &[names.into()])?;

    let mut records = Vec::with_capacity(builtins.len());
    for builtin in builtins {
        let evaluate = compile(scope, builtin.name, builtin.source, &["exports", "native", "use", "primordials"])?;
        let native = v8::Object::new(scope);
        for entry in builtin.natives {
            let key = text(scope, entry.name);
            let template = v8::FunctionTemplate::builder_raw((entry.callback)())
                .constructor_behavior(v8::ConstructorBehavior::Throw)
                .build(scope);
            // A name that no function of the language has: should a native ever come into a guest's reach, it can be told.
            let label = text(scope, &format!("atoll:{}.{}", builtin.name, entry.name));
            template.set_class_name(label);
            let function =
                template.get_function(scope).ok_or_else(|| failed(builtin.name, "a native can't be made"))?;
            native.set(scope, key.into(), function.into());
        }
        let globals = builtin.globals.iter().map(|global| {
            let name = text(scope, global.name).into();
            let lazy = v8::Boolean::new(scope, global.lazy).into();
            record(scope, &[("name", name), ("lazy", lazy)]).into()
        });
        let globals: Vec<v8::Local<v8::Value>> = globals.collect();
        let globals = v8::Array::new_with_elements(scope, &globals);
        let name = text(scope, builtin.name);
        let fields = [
            ("name", name.into()),
            ("evaluate", evaluate.into()),
            ("native", native.into()),
            ("globals", globals.into()),
        ];
        records.push(record(scope, &fields).into());
    }
    let records = v8::Array::new_with_elements(scope, &records);
    let bootstrap = compile(scope, "engine/bootstrap", include_str!("js/bootstrap.js"), &["captured", "builtins"])?;
    let use_builtin = run(scope, "engine/bootstrap", bootstrap, &[captured, records.into()])?;
    v8::Local::<v8::Function>::try_from(use_builtin).map_err(|_| failed("engine/bootstrap", "it returned no function"))
}

/// The names that any builtin destructures from `primordials`.
fn primordial_names(builtins: &[Builtin]) -> BTreeSet<&'static str> {
    let mut names = BTreeSet::new();
    for builtin in builtins {
        let mut rest = builtin.source;
        while let Some(end) = rest.find("} = primordials;") {
            let start = rest[..end].rfind('{').map_or(end, |start| start + 1);
            let listed = rest[start..end].lines().flat_map(|line| line.split("//").next().unwrap_or("").split(','));
            names.extend(listed.map(str::trim).filter(|name| !name.is_empty()));
            rest = &rest[end + "} = primordials;".len()..];
        }
    }
    names
}

fn compile<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: &str,
    source: &str,
    parameters: &[&str],
) -> Result<v8::Local<'s, v8::Function>, SnapshotError> {
    v8::tc_scope!(let scope, scope);
    let resource = text(scope, &format!("atoll:{name}"));
    let origin = v8::ScriptOrigin::new(scope, resource.into(), 0, 0, false, 0, None, false, false, false, None);
    let body = text(scope, &format!("'use strict';{source}"));
    let mut source = v8::script_compiler::Source::new(body, Some(&origin));
    let parameters: Vec<_> = parameters.iter().map(|parameter| text(scope, parameter)).collect();
    let options = v8::script_compiler::CompileOptions::NoCompileOptions;
    let reason = v8::script_compiler::NoCacheReason::NoReason;
    let function = v8::script_compiler::compile_function(scope, &mut source, &parameters, &[], options, reason);
    match function {
        Some(function) => {
            let label = text(scope, name);
            function.set_name(label);
            Ok(function)
        }
        None => Err(thrown(scope, name)),
    }
}

fn run<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: &str,
    function: v8::Local<'s, v8::Function>,
    arguments: &[v8::Local<'s, v8::Value>],
) -> Result<v8::Local<'s, v8::Value>, SnapshotError> {
    v8::tc_scope!(let scope, scope);
    let receiver = v8::undefined(scope);
    match function.call(scope, receiver.into(), arguments) {
        Some(value) => Ok(value),
        None => Err(thrown(scope, name)),
    }
}

fn thrown(scope: &mut v8::PinnedRef<'_, v8::TryCatch<'_, '_, v8::HandleScope<'_>>>, name: &str) -> SnapshotError {
    let described = scope.message().map(|message| {
        let text = message.get(scope).to_rust_string_lossy(scope);
        let line = message.get_line_number(scope).unwrap_or(0);
        let resource = message.get_script_resource_name(scope).map(|name| name.to_rust_string_lossy(scope));
        format!("{text} ({}:{line})", resource.unwrap_or_default())
    });
    failed(name, &described.unwrap_or_default())
}

fn failed(builtin: &str, message: &str) -> SnapshotError {
    SnapshotError { builtin: builtin.to_owned(), message: message.to_owned() }
}

fn text<'s>(scope: &v8::PinScope<'s, '_>, text: &str) -> v8::Local<'s, v8::String> {
    v8::String::new(scope, text).expect("the platform's own text is far below V8's longest string")
}

fn text_array<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    names: impl IntoIterator<Item = &'static str>,
) -> v8::Local<'s, v8::Array> {
    let elements: Vec<v8::Local<v8::Value>> = names.into_iter().map(|name| text(scope, name).into()).collect();
    v8::Array::new_with_elements(scope, &elements)
}

fn record<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    fields: &[(&str, v8::Local<'s, v8::Value>)],
) -> v8::Local<'s, v8::Object> {
    let object = v8::Object::new(scope);
    for (name, value) in fields {
        let key = text(scope, name);
        object.set(scope, key.into(), *value);
    }
    object
}
