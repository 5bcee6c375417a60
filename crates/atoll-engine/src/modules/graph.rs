//! Loading, instantiating and evaluating a graph of modules.

use super::compile::compile_module;
use super::{Content, ImportKind, ModuleFormat, ModuleKey, ModuleRecord, synthetic, throw};
use crate::host::Host;
use crate::native::JsError;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The most modules that one realm may hold, so that a hostile package can't fill memory outside the guest's heap.
const MAX_MODULES: usize = 65_536;

/// Loads a module and everything that it imports statically, and instantiates it. `None` when an exception is pending;
/// then nothing of the graph that failed stays behind.
pub(crate) fn load_graph<'s>(scope: &mut v8::PinScope<'s, '_>, root: &ModuleKey) -> Option<v8::Local<'s, v8::Module>> {
    let mut added = Vec::new();
    let module = load_all(scope, root, &mut added).and_then(|module| {
        if module.get_status() == v8::ModuleStatus::Uninstantiated {
            module.instantiate_module(scope, resolve_request)?;
        }
        Some(module)
    });
    if module.is_none()
        && let Some(host) = Host::current(scope)
    {
        for key in &added {
            host.modules.remove(key);
        }
    }
    module
}

fn load_all<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    root: &ModuleKey,
    added: &mut Vec<ModuleKey>,
) -> Option<v8::Local<'s, v8::Module>> {
    let mut waiting = VecDeque::from([root.clone()]);
    while let Some(key) = waiting.pop_front() {
        let modules = &Host::current(scope)?.modules;
        if modules.get(&key).is_some() {
            continue;
        }
        if modules.by_key.len() >= MAX_MODULES {
            throw(scope, &JsError::range_error(format!("more than {MAX_MODULES} modules")));
            return None;
        }
        let Created { module, content, code_key } = create(scope, &key)?;
        let requests = resolve_requests(scope, &key, module)?;
        waiting.extend(requests.values().cloned());
        let record =
            ModuleRecord { key: key.clone(), module: v8::Global::new(scope, module), content, requests, code_key };
        let hash = module.get_identity_hash().get();
        Host::current(scope)?.modules.insert(hash, record);
        added.push(key);
    }
    let module = Host::current(scope)?.modules.get(root)?.module.clone();
    Some(v8::Local::new(scope, module))
}

struct Created<'s> {
    module: v8::Local<'s, v8::Module>,
    content: Content,
    code_key: Option<[u8; 32]>,
}

/// Makes the module for a key, without its imports.
fn create<'s>(scope: &mut v8::PinScope<'s, '_>, key: &ModuleKey) -> Option<Created<'s>> {
    let identity = match key {
        ModuleKey::Builtin(name) => {
            let module = synthetic::builtin(scope, name)?;
            return Some(Created { module, content: Content::Builtin, code_key: None });
        }
        ModuleKey::File(identity) => identity,
    };
    let loader = Arc::clone(&Host::current(scope)?.modules.loader);
    let source = match loader.load(identity) {
        Ok(source) => source,
        Err(error) => {
            throw(scope, &error);
            return None;
        }
    };
    let (module, content) = match &source.format {
        ModuleFormat::Module => {
            let (module, code_key) = compile_module(scope, &source)?;
            return Some(Created { module, content: Content::SourceText, code_key });
        }
        ModuleFormat::CommonJs { exports } => (synthetic::commonjs(scope, identity, exports)?, Content::CommonJs),
        ModuleFormat::Json => (synthetic::data(scope, identity)?, Content::Json(source.code)),
        ModuleFormat::Text => (synthetic::data(scope, identity)?, Content::Text(source.code)),
    };
    Some(Created { module, content, code_key: None })
}

fn resolve_requests(
    scope: &mut v8::PinScope<'_, '_>,
    key: &ModuleKey,
    module: v8::Local<'_, v8::Module>,
) -> Option<HashMap<String, ModuleKey>> {
    let mut requests = HashMap::new();
    let ModuleKey::File(path) = key else { return Some(requests) };
    if !module.is_source_text_module() {
        return Some(requests);
    }
    let loader = Arc::clone(&Host::current(scope)?.modules.loader);
    let listed = module.get_module_requests();
    for index in 0..listed.length() {
        let request = listed.get(scope, index).and_then(|data| v8::Local::<v8::ModuleRequest>::try_from(data).ok())?;
        let specifier = request.get_specifier().to_rust_string_lossy(scope);
        if requests.contains_key(&specifier) {
            continue;
        }
        match loader.resolve(&specifier, path, ImportKind::Import) {
            Ok(resolved) => {
                requests.insert(specifier, resolved.into());
            }
            Err(error) => {
                throw(scope, &error);
                return None;
            }
        }
    }
    Some(requests)
}

/// V8 asks, while it instantiates, which module an import means; all of them are loaded by then.
fn resolve_request<'s>(
    context: v8::Local<'s, v8::Context>,
    specifier: v8::Local<'s, v8::String>,
    _attributes: v8::Local<'s, v8::FixedArray>,
    referrer: v8::Local<'s, v8::Module>,
) -> Option<v8::Local<'s, v8::Module>> {
    // SAFETY: the context is entered while V8 calls this, and no other scope of it is used meanwhile.
    v8::callback_scope!(unsafe scope, context);
    let specifier = specifier.to_rust_string_lossy(scope);
    let modules = &Host::current(scope)?.modules;
    let found = modules.find(referrer).and_then(|record| record.requests.get(&specifier));
    let found = found.and_then(|key| modules.get(key)).map(|record| record.module.clone());
    if found.is_none() {
        throw(scope, &JsError::error(format!("the module {specifier} was not loaded")));
    }
    found.map(|module| v8::Local::new(scope, module))
}

/// Evaluates an instantiated module, if that was not done yet; its promise, settled or not. `None` when an exception is
/// pending.
pub(crate) fn ensure_evaluated<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    module: v8::Local<'s, v8::Module>,
) -> Option<v8::Local<'s, v8::Promise>> {
    // Evaluating again returns the promise of the first evaluation (ECMAScript, Evaluate(), step 2).
    let value = module.evaluate(scope)?;
    v8::Local::<v8::Promise>::try_from(value).ok()
}
