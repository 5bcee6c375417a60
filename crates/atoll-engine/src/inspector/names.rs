//! Which names could be typed next. Nothing of the guest's runs for the answer: no getter is called, and no trap of a proxy.

use super::message::Answer;
use super::{CONTEXT_ID, Inspector, OBJECT_GROUP};
use crate::turn::Turn;

/// Prototypes that are looked at for one object.
const MAX_PROTOTYPES: usize = 64;

/// Names that are offered; whoever sees more can't choose.
const MAX_NAMES: usize = 10_000;

impl Turn<'_, '_, '_> {
    /// The names of properties of the value that a path of identifiers leads to, inherited ones included; with an empty path
    /// those that are in scope. Empty when the path ends where a getter or a proxy would have to be asked. In no order.
    pub fn names(&mut self, inspector: &Inspector, path: &[&str]) -> Vec<String> {
        v8::tc_scope!(let scope, self.scope());
        let declared = declared(scope, inspector);
        let global = scope.get_current_context().global(scope);
        let mut names = Vec::new();
        let Some((first, rest)) = path.split_first() else {
            names.extend(declared);
            list(scope, global, &mut names);
            return names;
        };
        let mut value = if declared.iter().any(|name| name == first) {
            constant(scope, inspector, first)
        } else {
            property(scope, global, first)
        };
        for name in rest {
            value = value.and_then(|value| {
                let object = holder(scope, value)?;
                property(scope, object, name)
            });
        }
        if let Some(object) = value.and_then(|value| holder(scope, value)) {
            list(scope, object, &mut names);
        }
        inspector.release_objects();
        names
    }
}

/// What `let`, `const` and `class` have declared.
fn declared(scope: &mut v8::PinScope<'_, '_>, inspector: &Inspector) -> Vec<String> {
    let parameters = [("executionContextId", CONTEXT_ID.into())];
    let call = inspector.send(scope, "Runtime.globalLexicalScopeNames", &parameters);
    inspector.take_response(call).and_then(|response| response.names(scope)).unwrap_or_default()
}

/// The value of a declared name.
fn constant<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    inspector: &Inspector,
    name: &str,
) -> Option<v8::Local<'s, v8::Value>> {
    let parameters = [
        ("expression", name.into()),
        ("objectGroup", OBJECT_GROUP.into()),
        ("contextId", CONTEXT_ID.into()),
        ("silent", true.into()),
        ("throwOnSideEffect", true.into()),
    ];
    let call = inspector.send(scope, "Runtime.evaluate", &parameters);
    match inspector.take_response(call)?.read(scope, inspector.session()) {
        Answer::Value(value) => Some(value),
        Answer::Threw(_) | Answer::Failed(_) => None,
    }
}

/// The object that has a value's properties.
fn holder<'s>(scope: &mut v8::PinScope<'s, '_>, value: v8::Local<'s, v8::Value>) -> Option<v8::Local<'s, v8::Object>> {
    if value.is_null_or_undefined() { None } else { value.to_object(scope) }
}

/// The next prototype, unless it would have to be asked of a proxy.
fn prototype<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
) -> Option<v8::Local<'s, v8::Object>> {
    v8::Local::<v8::Object>::try_from(object.get_prototype(scope)?).ok().filter(|next| !next.is_proxy())
}

/// A property's value, if it is a data property.
fn property<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    name: &str,
) -> Option<v8::Local<'s, v8::Value>> {
    let key = v8::String::new(scope, name)?;
    let value_key = v8::String::new(scope, "value")?;
    let mut next = Some(object).filter(|object| !object.is_proxy());
    for _ in 0..MAX_PROTOTYPES {
        let object = next?;
        if object.has_own_property(scope, key.into())? {
            let descriptor = object.get_own_property_descriptor(scope, key.into())?;
            let descriptor = v8::Local::<v8::Object>::try_from(descriptor).ok()?;
            let has_value = descriptor.has_own_property(scope, value_key.into())?;
            return if has_value { descriptor.get(scope, value_key.into()) } else { None };
        }
        next = prototype(scope, object);
    }
    None
}

/// Adds the names of an object's properties and of what it inherits.
fn list(scope: &mut v8::PinScope<'_, '_>, object: v8::Local<'_, v8::Object>, names: &mut Vec<String>) {
    let mut next = Some(v8::Local::new(scope, object)).filter(|object| !object.is_proxy());
    for _ in 0..MAX_PROTOTYPES {
        let Some(object) = next else { return };
        let wanted = v8::GetPropertyNamesArgsBuilder::new()
            .mode(v8::KeyCollectionMode::OwnOnly)
            .property_filter(v8::PropertyFilter::SKIP_SYMBOLS)
            .index_filter(v8::IndexFilter::SkipIndices)
            .key_conversion(v8::KeyConversionMode::ConvertToString)
            .build();
        let Some(keys) = object.get_own_property_names(scope, wanted) else { return };
        for index in 0..keys.length() {
            if names.len() == MAX_NAMES {
                return;
            }
            if let Some(key) = keys.get_index(scope, index) {
                names.push(key.to_rust_string_lossy(scope));
            }
        }
        next = prototype(scope, object);
    }
}
