//! Values on their way from Rust to JavaScript.

use super::buffer::GuestBuffer;
use super::error::JsError;
use crate::limits::memory;

/// A value for JavaScript, owned by Rust.
#[derive(Debug, Default, PartialEq)]
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
    /// A string from UTF-8; bytes that are none become U+FFFD.
    Utf8(GuestBuffer),
    /// A `Uint8Array` over an `ArrayBuffer` of its own.
    Bytes(Vec<u8>),
    /// A `Uint8Array` over this memory.
    Buffer(GuestBuffer),
    /// An `Array`.
    List(Vec<Value>),
    /// An `Array` of strings.
    Texts(Texts),
    /// A plain object; keys in this order.
    Record(Vec<(&'static str, Value)>),
    /// An exception as a value, for JavaScript to throw or to hand on.
    Error(Box<JsError>),
    /// What the native already put into the call's return slot.
    Returned,
}

/// Many strings in one piece of memory, as UTF-8; bytes that are none become U+FFFD.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Texts {
    bytes: Vec<u8>,
    /// Where each ends in `bytes`.
    ends: Vec<usize>,
}

impl Texts {
    /// With room for so many strings and bytes.
    pub fn with_capacity(strings: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(strings) }
    }

    /// Adds one that is made of these parts.
    pub fn push(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.ends.push(self.bytes.len());
    }

    /// The strings, in order.
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }
}

impl Value {
    /// Memory that the value takes in Rust, bytes, about; without what is counted against the worker's budget already.
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::String(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Texts(texts) => texts.bytes.len() + size_of_val(texts.ends.as_slice()),
            Self::List(values) => size_of_val(values.as_slice()) + values.iter().map(Self::held_bytes).sum::<usize>(),
            Self::Record(fields) => {
                size_of_val(fields.as_slice()) + fields.iter().map(|(_, value)| value.held_bytes()).sum::<usize>()
            }
            _ => 0,
        }
    }
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

/// Makes the JavaScript value; memory is handed over, not copied. Errors: a string or buffer that is longer than the
/// engine or the worker's budget allows.
pub(crate) fn to_v8<'s>(scope: &mut v8::PinScope<'s, '_>, value: Value) -> Result<v8::Local<'s, v8::Value>, JsError> {
    match value {
        Value::Buffer(value) => Ok(value.into_v8(scope).ok_or_else(refused)?.into()),
        Value::Utf8(value) => Ok(value.into_text(scope).ok_or_else(too_long)?.into()),
        Value::List(values) => {
            let mut elements = Vec::with_capacity(values.len());
            for value in values {
                elements.push(to_v8(scope, value)?);
            }
            Ok(v8::Array::new_with_elements(scope, &elements).into())
        }
        value => copied_to_v8(scope, &value),
    }
}

/// As [`to_v8`], of a value that is kept.
pub(crate) fn copied_to_v8<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: &Value,
) -> Result<v8::Local<'s, v8::Value>, JsError> {
    Ok(match value {
        Value::Undefined | Value::Returned => v8::undefined(scope).into(),
        Value::Null => v8::null(scope).into(),
        Value::Bool(value) => v8::Boolean::new(scope, *value).into(),
        Value::Number(value) => v8::Number::new(scope, *value).into(),
        Value::BigInt(value) => v8::BigInt::new_from_i64(scope, *value).into(),
        Value::String(value) => text(scope, value.as_bytes())?.into(),
        Value::Utf8(value) => text(scope, value)?.into(),
        Value::Bytes(value) => bytes(scope, value)?.into(),
        Value::Buffer(value) => bytes(scope, value)?.into(),
        Value::Error(error) => error.to_exception(scope),
        Value::List(values) => {
            let mut elements = Vec::with_capacity(values.len());
            for value in values {
                elements.push(copied_to_v8(scope, value)?);
            }
            v8::Array::new_with_elements(scope, &elements).into()
        }
        Value::Texts(texts) => {
            let mut elements = Vec::with_capacity(texts.ends.len());
            for one in texts.iter() {
                elements.push(text(scope, one)?.into());
            }
            v8::Array::new_with_elements(scope, &elements).into()
        }
        Value::Record(fields) => {
            let object = v8::Object::new(scope);
            for (name, value) in fields {
                let key = text(scope, name.as_bytes())?;
                let value = copied_to_v8(scope, value)?;
                object.create_data_property(scope, key.into(), value);
            }
            object.into()
        }
    })
}

pub(crate) fn text<'s>(scope: &mut v8::PinScope<'s, '_>, utf8: &[u8]) -> Result<v8::Local<'s, v8::String>, JsError> {
    let made = v8::String::new_from_utf8(scope, utf8, v8::NewStringType::Normal);
    made.ok_or_else(too_long)
}

fn too_long() -> JsError {
    JsError::range_error("Invalid string length")
}

fn refused() -> JsError {
    JsError::range_error("Array buffer allocation failed")
}

/// A `Uint8Array` with a copy of `data`, counted against the worker's memory budget: memory handed over from Rust would
/// not be.
fn bytes<'s>(scope: &mut v8::PinScope<'s, '_>, data: &[u8]) -> Result<v8::Local<'s, v8::Uint8Array>, JsError> {
    if !memory::admits(scope, data.len()) {
        // As V8 does before it refuses memory to JavaScript: what is in use may be garbage.
        scope.low_memory_notification();
        if !memory::admits(scope, data.len()) {
            return Err(refused());
        }
    }
    let buffer = v8::ArrayBuffer::new(scope, data.len());
    memory::write(&buffer.get_backing_store(), 0, data);
    v8::Uint8Array::new(scope, buffer, 0, data.len()).ok_or_else(refused)
}
