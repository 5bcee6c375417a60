//! What CommonJS and `node:module` need from the engine.

use super::{Call, JsError, NativeResult, Value};
use crate::host::Host;
use crate::modules::{
    ImportKind, ModuleKey, ModuleLoader, ModuleSource, Resolved, builtin_default, compile_commonjs, ensure_evaluated,
    load_graph,
};
use std::sync::Arc;

impl Call<'_, '_, '_> {
    fn loader(&mut self) -> Result<Arc<dyn ModuleLoader>, JsError> {
        let host = Host::current(self.scope).ok_or_else(|| JsError::error("modules can't be loaded here"))?;
        Ok(Arc::clone(&host.modules.loader))
    }

    /// What a specifier means in the file at `referrer`.
    pub fn resolve_module(&mut self, specifier: &str, referrer: &str, kind: ImportKind) -> Result<Resolved, JsError> {
        self.loader()?.resolve(specifier, referrer, kind)
    }

    /// The file at a resolved path, to be required.
    pub fn load_source(&mut self, path: &str) -> Result<ModuleSource, JsError> {
        self.loader()?.load_required(path)
    }

    /// Compiles a CommonJS file and returns its wrapper function to JavaScript. Syntax errors are thrown as V8 makes them.
    pub fn compile_commonjs(&mut self, source: &ModuleSource) -> NativeResult {
        match compile_commonjs(self.scope, source) {
            Some(function) => self.give(function.into()),
            None => Ok(Value::Returned),
        }
    }

    /// Returns `exports.default` of a builtin to JavaScript.
    pub fn builtin(&mut self, name: &str) -> NativeResult {
        match builtin_default(self.scope, name) {
            Some(value) => self.give(value),
            None => Ok(Value::Returned),
        }
    }

    /// Loads and evaluates an ECMAScript module at once and returns its namespace to JavaScript: `require(esm)`.
    /// Throws `ERR_REQUIRE_ASYNC_MODULE` when the graph has a top-level `await`.
    pub fn require_module(&mut self, path: &str) -> NativeResult {
        let Some(module) = load_graph(self.scope, &ModuleKey::File(path.to_owned())) else {
            return Ok(Value::Returned);
        };
        if module.is_graph_async() {
            let message = format!(
                "require() can't load the ES module {path}: it or one of its imports has a top-level await; \
                 use import() instead"
            );
            return Err(JsError::error(message).with("code", "ERR_REQUIRE_ASYNC_MODULE"));
        }
        let Some(promise) = ensure_evaluated(self.scope, module) else { return Ok(Value::Returned) };
        match promise.state() {
            v8::PromiseState::Fulfilled => self.give(module.get_module_namespace()),
            v8::PromiseState::Pending => {
                let message =
                    format!("the ES module {path} is being evaluated already: a cycle of require() and import");
                Err(JsError::error(message).with("code", "ERR_REQUIRE_CYCLE_MODULE"))
            }
            v8::PromiseState::Rejected => {
                promise.mark_as_handled();
                let promise = v8::Global::new(self.scope, promise);
                if let Some(host) = Host::current(self.scope) {
                    host.rejections.retain(|rejection| rejection.promise != promise);
                }
                let exception = module.get_exception();
                self.scope.throw_exception(exception);
                Ok(Value::Returned)
            }
        }
    }
}
