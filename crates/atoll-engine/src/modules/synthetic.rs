//! Files and builtins that are no ECMAScript modules, as modules.

use super::{Content, ModuleKey, throw};
use crate::host::Host;
use crate::native::JsError;

/// The builtin with the CommonJS machinery.
const COMMONJS: &str = "node/internal/cjs";

/// A builtin: its `exports.default` as default export, and the own enumerable properties of it by name.
pub(super) fn builtin<'s>(scope: &mut v8::PinScope<'s, '_>, name: &str) -> Option<v8::Local<'s, v8::Module>> {
    let value = builtin_default(scope, name)?;
    let mut names = vec!["default".to_owned()];
    if let Some(object) = value.to_object(scope)
        && let Some(keys) = object.get_own_property_names(scope, v8::GetPropertyNamesArgs::default())
    {
        for index in 0..keys.length() {
            let key = keys.get_index(scope, index)?.to_rust_string_lossy(scope);
            if key != "default" {
                names.push(key);
            }
        }
    }
    create(scope, name, &names)
}

/// A CommonJS file: `module.exports` as default export and under its own name, and what analysis found.
pub(super) fn commonjs<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    path: &str,
    exports: &[String],
) -> Option<v8::Local<'s, v8::Module>> {
    let mut names = vec!["default".to_owned(), "module.exports".to_owned()];
    for name in exports {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    create(scope, path, &names)
}

/// A JSON or text file: its value as default export.
pub(super) fn data<'s>(scope: &mut v8::PinScope<'s, '_>, path: &str) -> Option<v8::Local<'s, v8::Module>> {
    create(scope, path, &["default".to_owned()])
}

fn create<'s>(scope: &mut v8::PinScope<'s, '_>, name: &str, exports: &[String]) -> Option<v8::Local<'s, v8::Module>> {
    let name = v8::String::new(scope, name)?;
    let mut names = Vec::with_capacity(exports.len());
    for export in exports {
        names.push(v8::String::new(scope, export)?);
    }
    Some(v8::Module::create_synthetic_module(scope, name, &names, evaluate))
}

/// Sets the exports of a synthetic module when its turn to be evaluated has come.
fn evaluate<'s>(
    context: v8::Local<'s, v8::Context>,
    module: v8::Local<'s, v8::Module>,
) -> Option<v8::Local<'s, v8::Value>> {
    // SAFETY: the context is entered while V8 calls this, and no other scope of it is used meanwhile.
    v8::callback_scope!(unsafe scope, context);
    let record = Host::current(scope)?.modules.find(module)?;
    let (key, content) = (record.key.clone(), record.content.clone());
    let value = match (&key, content) {
        (ModuleKey::Builtin(name), _) => builtin_default(scope, name)?,
        (ModuleKey::File(identity), Content::Json(text)) => parse_json(scope, identity, &text)?,
        (ModuleKey::File(_), Content::Text(text)) => v8::String::new(scope, &text)?.into(),
        (ModuleKey::File(path), _) => {
            let path = v8::String::new(scope, path)?;
            call_builtin(scope, COMMONJS, "requireFromEsm", &[path.into()])?
        }
    };
    set_exports(scope, module, value)?;
    let done = v8::PromiseResolver::new(scope)?;
    let nothing = v8::undefined(scope);
    done.resolve(scope, nothing.into())?;
    Some(done.get_promise(scope).into())
}

/// Gives every declared export its value; a name that analysis found and the object lacks is `undefined`.
fn set_exports(
    scope: &mut v8::PinScope<'_, '_>,
    module: v8::Local<'_, v8::Module>,
    value: v8::Local<'_, v8::Value>,
) -> Option<()> {
    let value = v8::Local::new(scope, value);
    let module = v8::Local::new(scope, module);
    let namespace = v8::Local::<v8::Object>::try_from(module.get_module_namespace()).ok()?;
    let names = namespace.get_own_property_names(scope, v8::GetPropertyNamesArgs::default())?;
    for index in 0..names.length() {
        let name = v8::Local::<v8::String>::try_from(names.get_index(scope, index)?).ok()?;
        let export = match name.to_rust_string_lossy(scope).as_str() {
            "default" | "module.exports" => value,
            _ => match v8::Local::<v8::Object>::try_from(value) {
                Ok(object) => object.get(scope, name.into())?,
                Err(_) => v8::undefined(scope).into(),
            },
        };
        module.set_synthetic_module_export(scope, name, export)?;
    }
    Some(())
}

fn parse_json<'s>(scope: &mut v8::PinScope<'s, '_>, identity: &str, text: &str) -> Option<v8::Local<'s, v8::Value>> {
    let text = v8::String::new(scope, text)?;
    let error = {
        v8::tc_scope!(let scope, scope);
        if let Some(value) = v8::json::parse(scope, text) {
            return Some(value);
        }
        if scope.has_terminated() {
            return None;
        }
        let message = scope.message().map(|message| message.get(scope).to_rust_string_lossy(scope)).unwrap_or_default();
        let message = message.strip_prefix("Uncaught SyntaxError: ").unwrap_or(&message).to_owned();
        scope.reset();
        JsError::syntax_error(format!("{identity}: {message}"))
    };
    throw(scope, &error);
    None
}

/// The exports of a builtin.
pub(crate) fn use_builtin<'s>(scope: &mut v8::PinScope<'s, '_>, name: &str) -> Option<v8::Local<'s, v8::Object>> {
    let function = Host::current(scope)?.hooks.use_builtin.clone()?;
    let function = v8::Local::new(scope, function);
    let name = v8::String::new(scope, name)?;
    let receiver = v8::undefined(scope);
    let exports = function.call(scope, receiver.into(), &[name.into()])?;
    v8::Local::<v8::Object>::try_from(exports).ok()
}

/// `exports.default` of a builtin: what `require` of it returns.
pub(crate) fn builtin_default<'s>(scope: &mut v8::PinScope<'s, '_>, name: &str) -> Option<v8::Local<'s, v8::Value>> {
    let exports = use_builtin(scope, name)?;
    let key = v8::String::new(scope, "default")?;
    exports.get(scope, key.into())
}

/// Calls an exported function of a builtin.
pub(crate) fn call_builtin<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: &str,
    export: &str,
    arguments: &[v8::Local<'s, v8::Value>],
) -> Option<v8::Local<'s, v8::Value>> {
    let exports = use_builtin(scope, name)?;
    let key = v8::String::new(scope, export)?;
    let function = v8::Local::<v8::Function>::try_from(exports.get(scope, key.into())?).ok()?;
    let receiver = v8::undefined(scope);
    function.call(scope, receiver.into(), arguments)
}
