//! The startup snapshot: a heap that holds the platform's JavaScript, compiled.
//!
//! It is built by [`build`] while Atoll itself is built, and loading it is the only way in which a context is made.
//! Native functions are bound through one table of external references: the snapshot holds positions in the table, so
//! builder and loader must pass the same builtins in the same order, and nothing else has to agree.
//!
//! An isolate loads the shared half of the snapshot once: code, names. The other half, the context, is copied for
//! each context that is made, and so it is kept small: builtins are closures of one script, made when they are evaluated;
//! their natives are made at the same moment; a global is an entry that evaluates its builtin when it is first read.

mod script;

use crate::builtins::natives_of;
use crate::native::{Builtin, lazy_global};
use crate::platform;
use script::Script;
pub use script::SharedText;
use std::borrow::Cow;

/// A snapshot could not be built: the platform's own JavaScript is at fault.
#[derive(Debug, thiserror::Error)]
#[error("the startup snapshot can't be built: {builtin}: {message}")]
pub struct SnapshotError {
    builtin: String,
    message: String,
}

/// Position of `use` among the context's data.
pub(crate) const USE_BUILTIN_INDEX: usize = 0;

/// Position of the function that takes in the primordials of [`LATE`].
pub(crate) const COMPLETE_INDEX: usize = 2;

/// Primordials that V8 installs into a context only after it was loaded.
const LATE: &str = "Float16Array";

/// Position of the function that makes the `stack` of errors.
pub(crate) const PREPARE_STACK_TRACE_INDEX: usize = 1;

/// The builtins of an isolate, in a slot of it.
pub(crate) struct BuiltinTable(pub(crate) Cow<'static, [Builtin]>);

/// The external references: our own, and those of `builtins` in the order in which they are declared.
pub(crate) fn external_references(
    script: &'static SharedText,
    builtins: &[Builtin],
) -> Cow<'static, [v8::ExternalReference]> {
    let own = [v8::ExternalReference { function: natives_of() }, lazy_global::reference(), script.reference()];
    let natives = builtins.iter().flat_map(|builtin| builtin.natives);
    let natives = natives.map(|native| v8::ExternalReference { function: (native.callback)() });
    own.into_iter().chain(natives).collect::<Vec<_>>().into()
}

/// What [`build`] made.
#[derive(Debug)]
pub struct Built {
    /// The heap.
    pub blob: Vec<u8>,
    /// The text of all builtins, which the heap refers to.
    pub script: &'static SharedText,
}

/// Builds the snapshot of `builtins`. Deterministic for one build of Atoll; takes about a second, and the script's memory
/// for as long as the process lives.
///
/// `rehearsal` is the body of a function with the parameter `use`: the snapshot has the code of what it calls, so that no
/// isolate compiles it. Natives are not there for it; see `stand_in.js`. It returns a function that checks what it did, which
/// is called when its microtasks have run.
pub fn build(builtins: &[Builtin], rehearsal: &str) -> Result<Built, SnapshotError> {
    platform::initialize();
    let script = Script::new(builtins)?;
    let text: &'static SharedText = Box::leak(Box::new(SharedText::new(script.text.clone().leak())));
    let mut creator = v8::Isolate::snapshot_creator(Some(external_references(text, builtins)), None);
    creator.set_slot(BuiltinTable(Cow::Owned(builtins.to_vec())));
    let linked = {
        v8::scope!(let scope, &mut creator);
        fill(scope, builtins, rehearsal, &script, text)
    };
    // V8 wants a creator to make its blob, also when there is nothing worth keeping.
    let blob = creator.create_blob(v8::FunctionCodeHandling::Keep);
    linked?;
    let blob = blob.ok_or_else(|| failed("engine/bootstrap", "V8 could not serialise the heap"))?;
    Ok(Built { blob: blob.to_vec(), script: text })
}

fn fill(
    scope: &mut v8::PinScope<'_, '_, ()>,
    builtins: &[Builtin],
    rehearsal: &str,
    script: &Script,
    source: &'static SharedText,
) -> Result<(), SnapshotError> {
    let context = v8::Context::new(scope, v8::ContextOptions::default());
    scope.set_default_context(context);
    // Another context, which is thrown away, has the builtins compiled that most guests use: the code is the script's,
    // which both share. It also shows at build time whether they can be evaluated.
    let stage = v8::Context::new(scope, v8::ContextOptions::default());
    let finder = {
        let scope = &mut v8::ContextScope::new(scope, stage);
        let finder = unbound(scope, script, source)?;
        let stand_in = compile(scope, "engine/stand_in", include_str!("../js/stand_in.js"), &["name"])?;
        let Linked { use_builtin, .. } = link(scope, script, finder, stand_in)?;
        for builtin in builtins.iter().filter(|builtin| builtin.globals.iter().any(|global| !global.lazy)) {
            evaluate(scope, script, use_builtin, builtin.name)?;
        }
        let rehearse = compile(scope, "rehearsal", rehearsal, &["use"])?;
        let check = run(scope, "rehearsal", rehearse, &[use_builtin.into()])?;
        scope.perform_microtask_checkpoint();
        if let Ok(check) = v8::Local::<v8::Function>::try_from(check) {
            run(scope, "rehearsal", check, &[])?;
        }
        finder
    };
    let scope = &mut v8::ContextScope::new(scope, context);
    let natives = v8::Function::builder_raw(natives_of()).constructor_behavior(v8::ConstructorBehavior::Throw);
    let natives = natives.build(scope).ok_or_else(|| failed("engine/bootstrap", "a native can't be made"))?;
    let Linked { use_builtin, complete } = link(scope, script, finder, natives)?;
    for builtin in builtins {
        for global in builtin.globals {
            let defined = lazy_global::define(scope, global.name, builtin.name);
            assert_eq!(defined, Some(true), "the global object of a fresh context takes any property");
        }
    }
    let stack = evaluate(scope, script, use_builtin, "engine/stack")?;
    let key = text(scope, "prepareStackTrace");
    let prepare = stack.get(scope, key.into()).ok_or_else(|| failed("engine/stack", "it exports nothing"))?;
    let index = scope.add_context_data(context, use_builtin);
    assert_eq!(index, USE_BUILTIN_INDEX, "the first data of the context");
    let index = scope.add_context_data(context, prepare);
    assert_eq!(index, PREPARE_STACK_TRACE_INDEX, "the second");
    let index = scope.add_context_data(context, complete);
    assert_eq!(index, COMPLETE_INDEX, "the third");
    Ok(())
}

/// Makes what the builtins of a context are evaluated with; `natives` is `(name) => natives`.
fn link<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    script: &Script,
    finder: v8::Local<'s, v8::UnboundScript>,
    natives: v8::Local<'s, v8::Function>,
) -> Result<Linked<'s>, SnapshotError> {
    let names = text_array(scope, script.primordials.iter().copied());
    let capture = compile(scope, "engine/primordials", include_str!("../js/primordials.js"), &["names"])?;
    let captured = run(scope, "engine/primordials", capture, &[names.into()])?;
    let captured = v8::Local::<v8::Object>::try_from(captured)
        .map_err(|_| failed("engine/primordials", "it returned no object"))?;
    let missing = field(scope, captured, "missing")?.to_rust_string_lossy(scope);
    if !missing.is_empty() && missing != LATE {
        return Err(failed("engine/primordials", &format!("these don't exist: {missing}")));
    }
    let pick = field(scope, captured, "pick")?;
    let find = {
        let bound = finder.bind_to_current_context(scope);
        bound.run(scope).ok_or_else(|| failed("engine/script", "it can't be run"))?
    };
    let bootstrap =
        compile(scope, "engine/bootstrap", include_str!("../js/bootstrap.js"), &["pick", "find", "natives"])?;
    let use_builtin = run(scope, "engine/bootstrap", bootstrap, &[pick, find, natives.into()])?;
    let use_builtin = v8::Local::<v8::Function>::try_from(use_builtin)
        .map_err(|_| failed("engine/bootstrap", "it returned no function"))?;
    Ok(Linked { use_builtin, complete: field(scope, captured, "complete")? })
}

/// What [`link`] makes.
struct Linked<'s> {
    /// `(name) => exports`.
    use_builtin: v8::Local<'s, v8::Function>,
    /// `() => boolean`; see `primordials.js`.
    complete: v8::Local<'s, v8::Value>,
}

fn unbound<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    script: &Script,
    source: &'static SharedText,
) -> Result<v8::Local<'s, v8::UnboundScript>, SnapshotError> {
    v8::tc_scope!(let scope, scope);
    let resource = text(scope, "atoll:builtins");
    let origin = v8::ScriptOrigin::new(scope, resource.into(), 0, 0, false, 0, None, false, false, false, None);
    let mut source = v8::script_compiler::Source::new(source.to_v8(scope), Some(&origin));
    let options = v8::script_compiler::CompileOptions::NoCompileOptions;
    let reason = v8::script_compiler::NoCacheReason::NoReason;
    match v8::script_compiler::compile_unbound_script(scope, &mut source, options, reason) {
        Some(unbound) => Ok(unbound),
        None => Err(thrown(scope, "engine/script", Some(script))),
    }
}

/// Evaluates a builtin and gives its exports.
fn evaluate<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    script: &Script,
    use_builtin: v8::Local<'s, v8::Function>,
    name: &str,
) -> Result<v8::Local<'s, v8::Object>, SnapshotError> {
    v8::tc_scope!(let scope, scope);
    let receiver = v8::undefined(scope);
    let argument = text(scope, name);
    let exports = use_builtin.call(scope, receiver.into(), &[argument.into()]);
    let exports = exports.and_then(|exports| v8::Local::<v8::Object>::try_from(exports).ok());
    match exports {
        Some(exports) => Ok(exports),
        None => Err(thrown(scope, name, Some(script))),
    }
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
        None => Err(thrown(scope, name, None)),
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
        None => Err(thrown(scope, name, None)),
    }
}

/// What was thrown, and where: in the builtin `name`, or in the script.
fn thrown(
    scope: &mut v8::PinnedRef<'_, v8::TryCatch<'_, '_, v8::HandleScope<'_>>>,
    name: &str,
    script: Option<&Script>,
) -> SnapshotError {
    let Some(message) = scope.message() else { return failed(name, "it returned nothing") };
    let text = message.get(scope).to_rust_string_lossy(scope);
    let line = i32::try_from(message.get_line_number(scope).unwrap_or(0)).unwrap_or(0);
    let (name, line) = script.map_or((name, line), |script| script.locate(line));
    failed(name, &format!("{text} (line {line})"))
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

fn field<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    name: &str,
) -> Result<v8::Local<'s, v8::Value>, SnapshotError> {
    let key = text(scope, name);
    object.get(scope, key.into()).ok_or_else(|| failed("engine/primordials", "a field can't be read"))
}
