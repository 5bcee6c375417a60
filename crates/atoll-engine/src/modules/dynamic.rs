//! `import()` and `import.meta`.

use super::synthetic::call_builtin;
use super::{ImportKind, ModuleKey, SUFFIX_MARK, ensure_evaluated, load_graph};
use crate::host::Host;
use std::sync::Arc;

/// V8 asks for a module by `import()`. Whatever goes wrong rejects the promise.
pub(crate) fn import_dynamically<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    _options: v8::Local<'s, v8::Data>,
    resource: v8::Local<'s, v8::Value>,
    specifier: v8::Local<'s, v8::String>,
    _attributes: v8::Local<'s, v8::FixedArray>,
) -> Option<v8::Local<'s, v8::Promise>> {
    v8::tc_scope!(let scope, scope);
    let promise = import(scope, resource, specifier).and_then(|(module, evaluation)| {
        // The namespace, once the graph has been evaluated: `evaluation.then(() => namespace)`, by a builtin whose
        // `then` no guest can replace.
        let namespace = module.get_module_namespace();
        let promise = call_builtin(scope, "engine/imports", "whenEvaluated", &[evaluation.into(), namespace])?;
        v8::Local::<v8::Promise>::try_from(promise).ok()
    });
    if promise.is_some() || scope.has_terminated() {
        return promise;
    }
    let exception = scope.exception().unwrap_or_else(|| v8::undefined(scope).into());
    scope.reset();
    let resolver = v8::PromiseResolver::new(scope)?;
    resolver.reject(scope, exception);
    Some(resolver.get_promise(scope))
}

fn import<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    resource: v8::Local<'s, v8::Value>,
    specifier: v8::Local<'s, v8::String>,
) -> Option<(v8::Local<'s, v8::Module>, v8::Local<'s, v8::Promise>)> {
    let referrer = resource.is_string().then(|| resource.to_rust_string_lossy(scope));
    let specifier = specifier.to_rust_string_lossy(scope);
    let host = Host::current(scope)?;
    let loader = Arc::clone(&host.modules.loader);
    let referrer = referrer.filter(|name| !name.is_empty()).or_else(|| host.nameless_referrer.clone());
    let referrer = referrer.unwrap_or_default();
    let resolved = match loader.resolve(&specifier, &referrer, ImportKind::Import) {
        Ok(resolved) => resolved,
        Err(error) => {
            super::throw(scope, &error);
            return None;
        }
    };
    let module = load_graph(scope, &resolved.into())?;
    let evaluation = ensure_evaluated(scope, module)?;
    Some((module, evaluation))
}

/// V8 asks for the properties of a module's `import.meta`, when the module first reads it.
#[expect(unsafe_code, reason = "the callback's signature is V8's")]
pub(crate) unsafe extern "C" fn initialize_import_meta(
    context: v8::Local<'_, v8::Context>,
    module: v8::Local<'_, v8::Module>,
    meta: v8::Local<'_, v8::Object>,
) {
    // SAFETY: the context is entered while V8 calls this, and no other scope of it is used meanwhile.
    v8::callback_scope!(unsafe scope, context);
    let Some(host) = Host::current(scope) else { return };
    let Some(ModuleKey::File(path)) = host.modules.find(module).map(|record| record.key.clone()) else { return };
    let (path, suffix) = path.split_once(SUFFIX_MARK).unwrap_or((&path, ""));
    let (Some(path), Some(suffix)) = (v8::String::new(scope, path), v8::String::new(scope, suffix)) else { return };
    let meta = v8::Local::new(scope, meta);
    call_builtin(scope, "engine/imports", "initializeMeta", &[meta.into(), path.into(), suffix.into()]);
}
