//! Errors that natives throw into JavaScript.

use super::value::{Value, copied_to_v8};
use crate::callbacks::resume_termination;
use crate::host::Host;
use crate::modules::use_builtin;

/// Which constructor makes the exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// `Error`.
    Error,
    /// `TypeError`.
    TypeError,
    /// `RangeError`.
    RangeError,
    /// `SyntaxError`.
    SyntaxError,
    /// `DOMException` of this name (Web IDL, "DOMException names table").
    Dom(&'static str),
}

/// An exception to be thrown, or a promise's rejection: constructor, message and own properties.
#[derive(Debug, PartialEq)]
pub struct JsError {
    /// Which constructor.
    pub kind: ErrorKind,
    /// The message, as guests see it.
    pub message: String,
    /// Own properties set after construction (`code`, `errno`, `syscall`, `path`, …).
    pub properties: Vec<(&'static str, Value)>,
}

impl std::fmt::Display for JsError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for JsError {}

impl JsError {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), properties: Vec::new() }
    }

    /// An `Error`.
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Error, message)
    }

    /// A `TypeError`.
    pub fn type_error(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::TypeError, message)
    }

    /// A `RangeError`.
    pub fn range_error(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::RangeError, message)
    }

    /// A `SyntaxError`.
    pub fn syntax_error(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::SyntaxError, message)
    }

    /// A `DOMException` named `name`.
    pub fn dom(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Dom(name), message)
    }

    /// Adds an own property.
    #[must_use]
    pub fn with(mut self, property: &'static str, value: impl Into<Value>) -> Self {
        self.properties.push((property, value.into()));
        self
    }

    /// Makes the exception object. Falls back to a plain `Error` when the realm cannot make a `DOMException` (while
    /// it is being built, or when it is being terminated).
    pub(crate) fn to_exception<'s>(&self, scope: &mut v8::PinScope<'s, '_>) -> v8::Local<'s, v8::Value> {
        let message = v8::String::new(scope, &self.message).unwrap_or_else(|| v8::String::empty(scope));
        let exception = match self.kind {
            ErrorKind::Error => v8::Exception::error(scope, message),
            ErrorKind::TypeError => v8::Exception::type_error(scope, message),
            ErrorKind::RangeError => v8::Exception::range_error(scope, message),
            ErrorKind::SyntaxError => v8::Exception::syntax_error(scope, message),
            ErrorKind::Dom(name) => dom_exception(scope, name, message),
        };
        if let Ok(object) = v8::Local::<v8::Object>::try_from(exception) {
            for (name, value) in &self.properties {
                let key = v8::String::new_from_utf8(scope, name.as_bytes(), v8::NewStringType::Internalized);
                let Some(key) = key else { continue };
                if let Ok(value) = copied_to_v8(scope, value) {
                    object.create_data_property(scope, key.into(), value);
                }
            }
        }
        exception
    }
}

fn dom_exception<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: &str,
    message: v8::Local<'s, v8::String>,
) -> v8::Local<'s, v8::Value> {
    let create = create_error(scope);
    let made = create.and_then(|create| {
        let create = v8::Local::new(scope, create);
        let name = v8::String::new(scope, name)?;
        let receiver = v8::undefined(scope);
        create.call(scope, receiver.into(), &[name.into(), message.into()])
    });
    made.unwrap_or_else(|| {
        resume_termination(scope);
        v8::Exception::error(scope, message)
    })
}

/// The function that makes `DOMException`s, looked up when the first is wanted.
fn create_error(scope: &mut v8::PinScope<'_, '_>) -> Option<v8::Global<v8::Function>> {
    if let Some(known) = &Host::current(scope)?.hooks.create_error {
        return Some(known.clone());
    }
    let exports = use_builtin(scope, "web/dom-exception")?;
    let key = v8::String::new(scope, "createError")?;
    let function = v8::Local::<v8::Function>::try_from(exports.get(scope, key.into())?).ok()?;
    let function = v8::Global::new(scope, function);
    Host::current(scope)?.hooks.create_error = Some(function.clone());
    Some(function)
}
