//! Values on their way from Rust to JavaScript.

use super::error::JsError;
use crate::limits::memory;

/// A value for JavaScript, owned by Rust.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `undefined`.
    #[default]
    Undefined,
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A `BigInt`.
    BigInt(i64),
    /// A string.
    String(String),
    /// A `Uint8Array` over an `ArrayBuffer` of its own.
    Bytes(Vec<u8>),
    /// An `Array`.
    List(Vec<Value>),
    /// A plain object; keys in this order.
    Record(Vec<(&'static str, Value)>),
    /// What the native already put into the call's return slot.
    Returned,
}

macro_rules! from {
    ($($type:ty, $value:ident => $made:expr;)*) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $made
            }
        })*
    };
}

from! {
    bool, value => Self::Bool(value);
    i32, value => Self::Number(f64::from(value));
    u32, value => Self::Number(f64::from(value));
    f64, value => Self::Number(value);
    &str, value => Self::String(value.to_owned());
    String, value => Self::String(value);
    Vec<u8>, value => Self::Bytes(value);
    Vec<Value>, value => Self::List(value);
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Undefined
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    /// `None` is `null`.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Makes the JavaScript value. Errors: a string or buffer that is longer than the engine or the worker's budget allows.
pub(crate) fn to_v8<'s>(scope: &mut v8::PinScope<'s, '_>, value: Value) -> Result<v8::Local<'s, v8::Value>, JsError> {
    Ok(match value {
        Value::Undefined | Value::Returned => v8::undefined(scope).into(),
        Value::Null => v8::null(scope).into(),
        Value::Bool(value) => v8::Boolean::new(scope, value).into(),
        Value::Number(value) => v8::Number::new(scope, value).into(),
        Value::BigInt(value) => v8::BigInt::new_from_i64(scope, value).into(),
        Value::String(value) => string(scope, &value)?.into(),
        Value::Bytes(value) => bytes(scope, &value)?.into(),
        Value::List(values) => {
            let mut elements = Vec::with_capacity(values.len());
            for value in values {
                elements.push(to_v8(scope, value)?);
            }
            v8::Array::new_with_elements(scope, &elements).into()
        }
        Value::Record(fields) => {
            let object = v8::Object::new(scope);
            for (name, value) in fields {
                let key = string(scope, name)?;
                let value = to_v8(scope, value)?;
                object.create_data_property(scope, key.into(), value);
            }
            object.into()
        }
    })
}

fn string<'s>(scope: &mut v8::PinScope<'s, '_>, text: &str) -> Result<v8::Local<'s, v8::String>, JsError> {
    v8::String::new(scope, text).ok_or_else(|| JsError::range_error("Invalid string length"))
}

/// A `Uint8Array` with a copy of `data`, counted against the worker's memory budget: memory handed over from Rust would
/// not be.
fn bytes<'s>(scope: &mut v8::PinScope<'s, '_>, data: &[u8]) -> Result<v8::Local<'s, v8::Uint8Array>, JsError> {
    let too_long = || JsError::range_error("Array buffer allocation failed");
    if !memory::admits(scope, data.len()) {
        // As V8 does before it refuses memory to JavaScript: what is in use may be garbage.
        scope.low_memory_notification();
        if !memory::admits(scope, data.len()) {
            return Err(too_long());
        }
    }
    let buffer = v8::ArrayBuffer::new(scope, data.len());
    memory::write(&buffer.get_backing_store(), 0, data);
    v8::Uint8Array::new(scope, buffer, 0, data.len()).ok_or_else(too_long)
}
