//! Compiling with the code cache.

use super::{CodeCache, ModuleSource, Ripeness, throw};
use crate::host::Host;
use crate::native::JsError;
use crate::platform;
use std::sync::Arc;
use v8::script_compiler::{CachedData, CompileOptions, NoCacheReason, Source};

/// Parameters of the function that a CommonJS file is the body of.
const COMMONJS_PARAMETERS: [&str; 5] = ["exports", "require", "module", "__filename", "__dirname"];

fn origin<'s>(scope: &mut v8::PinScope<'s, '_>, name: &str, is_module: bool) -> Option<v8::ScriptOrigin<'s>> {
    let name = v8::String::new(scope, name)?;
    Some(v8::ScriptOrigin::new(scope, name.into(), 0, 0, false, 0, None, false, false, is_module, None))
}

/// The cache's key: the same source compiled another way, or by another V8, has another one.
fn key(digest: &[u8; 32], form: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(digest).update(form.as_bytes()).update(&platform::cache_version_tag().to_le_bytes());
    *hasher.finalize().as_bytes()
}

fn source(
    text: v8::Local<'_, v8::String>,
    origin: &v8::ScriptOrigin<'_>,
    cached: Option<&[u8]>,
) -> (Source, CompileOptions) {
    match cached {
        Some(code) => {
            let source = Source::new_with_cached_data(text, Some(origin), CachedData::new(code));
            (source, CompileOptions::ConsumeCodeCache)
        }
        None => (Source::new(text, Some(origin)), CompileOptions::NoCompileOptions),
    }
}

fn code_cache(scope: &mut v8::PinScope<'_, '_>) -> Option<Arc<dyn CodeCache>> {
    Host::current(scope)?.modules.code_cache.clone()
}

/// Tells the cache when V8 did not take the code that came from it.
fn note_use(cache: Option<&dyn CodeCache>, key: &[u8; 32], used: bool, source: &Source) {
    if let Some(cache) = cache
        && used
        && source.get_cached_data().is_none_or(CachedData::rejected)
    {
        cache.refuse(key);
    }
}

/// Compiles a module; `None` when an exception is pending. The second part is the key under which code may be kept.
pub(crate) fn compile_module<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    module: &ModuleSource,
) -> Option<(v8::Local<'s, v8::Module>, Option<[u8; 32]>)> {
    let text = text(scope, &module.code)?;
    let origin = origin(scope, &module.name, true)?;
    let key = key(&module.digest, "module");
    let cache = code_cache(scope);
    let code = cache.as_ref().and_then(|cache| cache.get(&key));
    let (mut source, options) = source(text, &origin, code.as_deref());
    let compiled = v8::script_compiler::compile_module2(scope, &mut source, options, NoCacheReason::NoReason)?;
    note_use(cache.as_deref(), &key, code.is_some(), &source);
    Some((compiled, cache.map(|_| key)))
}

/// Compiles a CommonJS file to its wrapper function; `None` when an exception is pending.
pub(crate) fn compile_commonjs<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    file: &ModuleSource,
) -> Option<v8::Local<'s, v8::Function>> {
    let text = text(scope, &file.code)?;
    let origin = origin(scope, &file.name, false)?;
    let key = key(&file.digest, "commonjs");
    let cache = code_cache(scope);
    let code = cache.as_ref().and_then(|cache| cache.get(&key));
    let (mut source, options) = source(text, &origin, code.as_deref());
    let mut parameters = Vec::with_capacity(COMMONJS_PARAMETERS.len());
    for name in COMMONJS_PARAMETERS {
        parameters.push(v8::String::new(scope, name)?);
    }
    let reason = NoCacheReason::NoReason;
    let function = v8::script_compiler::compile_function(scope, &mut source, &parameters, &[], options, reason)?;
    note_use(cache.as_deref(), &key, code.is_some(), &source);
    if cache.is_some() {
        let kept = v8::Global::new(scope, function);
        if let Some(host) = Host::current(scope) {
            host.modules.note_function(key, kept);
        }
    }
    Some(function)
}

fn text<'s>(scope: &mut v8::PinScope<'s, '_>, code: &str) -> Option<v8::Local<'s, v8::String>> {
    let text = v8::String::new(scope, code);
    if text.is_none() {
        throw(scope, &JsError::range_error("the source text is longer than a string can be"));
    }
    text
}

/// Keeps the code of all modules and functions for which the cache wants some of this ripeness.
pub(crate) fn store_code(scope: &mut v8::PinScope<'_, '_>, ripeness: Ripeness) {
    let Some(host) = Host::current(scope) else { return };
    let Some(cache) = host.modules.code_cache.clone() else { return };
    let wanted = host.modules.wanted(&*cache, ripeness);
    for (key, module) in wanted.modules {
        let module = v8::Local::new(scope, module);
        if let Some(code) = module.get_unbound_module_script(scope).create_code_cache() {
            cache.put(&key, ripeness, &code);
        }
    }
    for (key, function) in wanted.functions {
        if let Some(code) = v8::Local::new(scope, function).create_code_cache() {
            cache.put(&key, ripeness, &code);
        }
    }
}
